"""Pairs of questions made from frames: families of questions with slots, in English and Chinese.

Each frame says what is asked, in several wordings. Two texts ask the same when frame, intent and every value are the same, in
whatever words; a change of one of them alone gives a pair that differs in little but the answer.
"""

import itertools
import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from groat.errors import GroatError
from training.frame_texts import qualify, roughen, say, slots_of
from training.frame_values import DATA, Type, Value, listed_type, shared_types
from training.rows import Row

_LANGS = ("en", "zh")
_CROSS = 0.1
"""Share of the rows that stand across the languages."""
_UNCHANGED, _TOPIC = 0.1, 0.06
"""Shares of rows that only reword, and of rows that share no more than a value."""
_SAME_WORDING = {0: 0.5, 1: 0.25}
"""Label -> how often both sides use one wording."""
_PATIENCE = 400
"""Rows in a row that were all there before: then no more are made."""
_STORY = "~"


@dataclass(frozen=True)
class Frame:
    """A family of questions about one thing."""

    name: str
    slots: Mapping[str, Type]
    intents: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Intent -> language -> wordings; one that tells a story begins with ``~``."""
    contrast: str
    """Kind of the change from one intent to another."""
    symmetric: bool
    """Whether two slots of one type may be swapped without changing what is asked."""
    conditions: Type | None
    """What may be added to every wording."""

    def used(self, intent: str) -> frozenset[str]:
        """Return the slots that this intent's wordings fill."""
        return slots_of(self.intents[intent]["en"][0])


@dataclass(frozen=True)
class _Meaning:
    frame: Frame
    intent: str
    values: Mapping[str, Value]
    condition: Value | None = None


def frame_rows(count: int, seed: int) -> Iterator[Row]:
    """Yield up to ``count`` rows for the head ``same``, no two alike but for case, spaces and punctuation.

    The group of a row is its frame, so that whole frames can be left out. About half of each kind of change are the same.
    """
    rng = random.Random(seed)
    frames = load_frames()
    seen: set[tuple[str, str]] = set()
    misses = 0
    while count > 0 and misses < _PATIENCE:
        row = _make(frames, rng)
        key = (_plain(row.a), _plain(row.b)) if row else ("", "")
        if row is None or key in seen or key[0] == key[1]:
            misses += 1
            continue
        seen |= {key, key[::-1]}
        misses, count = 0, count - 1
        yield row


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


@cache
def load_frames() -> tuple[Frame, ...]:
    """Read every frame.

    Raises:
        GroatError: a frame lacks a language, or its wordings fill different slots.
    """
    frames = []
    for file in sorted(DATA.glob("*.toml")):
        if file.stem == "values":
            continue
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        frames += [_frame(f"{file.stem}.{name}", table) for name, table in raw.items()]
    return tuple(frames)


def _frame(name: str, table: Mapping[str, Any]) -> Frame:
    slots = {slot: _slot(f"{name}.{slot}", text) for slot, text in table.get("slot", {}).items()}
    intents = {
        intent: {lang: tuple(filter(None, map(str.strip, texts[lang].splitlines()))) for lang in _LANGS if lang in texts}
        for intent, texts in table.items()
        if isinstance(texts, dict) and intent != "slot"
    }
    for intent, texts in intents.items():
        filled = {slots_of(wording) for lang in _LANGS for wording in texts.get(lang, ())}
        if len(filled) != 1 or not filled <= {frozenset(some) for some in _subsets(slots)} or not all(map(texts.get, _LANGS)):
            raise GroatError(f"frame {name}, {intent}: all wordings of both languages must fill the same slots, not {filled}")
    conditions = shared_types()[table["with"]] if "with" in table else None
    return Frame(name, slots, intents, table.get("contrast", "intent"), table.get("symmetric", False), conditions)


def _subsets(slots: Mapping[str, Type]) -> Iterator[tuple[str, ...]]:
    return itertools.chain.from_iterable(itertools.combinations(slots, size) for size in range(len(slots) + 1))


def _slot(name: str, text: str) -> Type:
    """Return a shared type by its name, or one whose first line is its kind and the others its values."""
    kind, _, values = text.strip().partition("\n")
    if values:
        return listed_type(name, values, kind.strip())
    if kind not in shared_types():
        raise GroatError(f"slot {name}: there is no type {kind}")
    return shared_types()[kind]


def _make(frames: Sequence[Frame], rng: random.Random) -> Row | None:
    langs = rng.sample(_LANGS, 2) if rng.random() < _CROSS else [rng.choice(_LANGS)] * 2
    one = _mean(rng.choice(frames), rng)
    lot = rng.random()
    if lot < _UNCHANGED:
        return _row(one, one, 1, "", langs, rng)
    if lot < _UNCHANGED + _TOPIC:
        other = _elsewhere(one, frames, rng)
        return _row(one, other, 0, "topic", langs, rng) if other else None
    changed = _change(one, rng)
    if changed is None:
        return None
    other, kind = changed
    label = int(rng.random() < 0.5)
    if kind == "order":
        # The order of these two does not matter: not the same only where something else differs.
        return _row(one, other if label else _replaced(other, rng), label, kind, langs, rng)
    first = rng.choice((one, other)) if label else one
    return _row(first, first if label else other, label, kind, langs, rng)


def _mean(frame: Frame, rng: random.Random, fixed: Mapping[str, Value] | None = None) -> _Meaning:
    intent = rng.choice(list(frame.intents))
    values: dict[str, Value] = dict(fixed or {})
    for slot, kind in frame.slots.items():
        if slot not in values:
            values[slot] = kind.draw(rng, _taken(frame, values, kind))
    condition = frame.conditions.draw(rng) if frame.conditions and rng.random() < 0.5 else None
    return _Meaning(frame, intent, values, condition)


def _taken(frame: Frame, values: Mapping[str, Value], kind: Type) -> list[Value]:
    """Return the values that slots of this type hold already: no question is about A and A."""
    return [value for slot, value in values.items() if frame.slots[slot] is kind]


def _change(one: _Meaning, rng: random.Random) -> tuple[_Meaning, str] | None:
    """Change one thing in a meaning; return what it became and the kind of the change, or None."""
    frame, used = one.frame, one.frame.used(one.intent)
    options = [slot for slot in frame.slots if slot in used]
    twins = [(a, b) for a, b in itertools.combinations(options, 2) if frame.slots[a] is frame.slots[b]]
    choices: list[Any] = [slot for slot in options for _ in range(1 if frame.slots[slot].kinds == ("entity",) else 2)]
    choices += [*twins * 3, *([0] * 3 if len(frame.intents) > 1 else []), *([1, 1] if one.condition else [])]
    if not choices:
        return None
    choice = rng.choice(choices)
    if choice == 0:
        others = [intent for intent in frame.intents if intent != one.intent]
        return replace(one, intent=rng.choice(others)), frame.contrast
    if choice == 1:
        assert one.condition is not None
        assert frame.conditions is not None
        condition, kind = frame.conditions.change(one.condition, rng) or (one.condition, "")
        return (replace(one, condition=condition), kind) if kind else None
    if isinstance(choice, tuple):
        a, b = choice
        swapped = {**one.values, a: one.values[b], b: one.values[a]}
        return replace(one, values=swapped), "order" if frame.symmetric else "direction"
    return _change_slot(one, choice, rng)


def _change_slot(one: _Meaning, slot: str, rng: random.Random) -> tuple[_Meaning, str] | None:
    kind = one.frame.slots[slot]
    changed = kind.change(one.values[slot], rng, _taken(one.frame, one.values, kind))
    return (replace(one, values={**one.values, slot: changed[0]}), changed[1]) if changed else None


def _replaced(one: _Meaning, rng: random.Random) -> _Meaning:
    """Return the meaning with another value in one of its slots."""
    changed = _change_slot(one, rng.choice(sorted(one.frame.used(one.intent))), rng)
    if changed is None:
        raise GroatError(f"frame {one.frame.name}: a slot of it has too few values")
    return changed[0]


def _elsewhere(one: _Meaning, frames: Sequence[Frame], rng: random.Random) -> _Meaning | None:
    """Return a meaning of another frame that shares a value with this one."""
    slot = next((slot for slot in sorted(one.frame.used(one.intent), key=lambda _: rng.random())), None)
    if slot is None:
        return None
    kind = one.frame.slots[slot]
    homes = [(frame, name) for frame in frames if frame is not one.frame for name in frame.slots if frame.slots[name] is kind]
    if not homes:
        return None
    frame, name = rng.choice(homes)
    other = _mean(frame, rng, {name: one.values[slot]})
    return other if name in frame.used(other.intent) else None


def _row(one: _Meaning, other: _Meaning, label: int, kind: str, langs: Sequence[str], rng: random.Random) -> Row:
    """Put both meanings into words; without a kind, it is named by how the wordings differ."""
    places = (0.0, 0.0) if rng.random() < _SAME_WORDING[label] else (1.0, 1.0)
    first = rng.random()
    # One wording for both sides also means one choice among its alternatives, so that only the change is left.
    twin = places == (0.0, 0.0) and label == 0
    seed = rng.random()
    a, told_a = _text(one, langs[0], first, random.Random(seed))
    shift = 0.0 if places == (0.0, 0.0) else 0.2 + 0.6 * rng.random()
    b, told_b = _text(other, langs[1], (first + shift) % 1, random.Random(seed if twin else rng.random()))
    a, b = (roughen(text, told, lang, rng) for text, told, lang in ((a, told_a, langs[0]), (b, told_b, langs[1])))
    cross = langs[0] != langs[1]
    kind = kind or ("cross" if cross else "story" if told_a != told_b else "paraphrase")
    return Row(a, b, float(label), "same", "zh-en" if cross else langs[0], "frames", kind, one.frame.name, True)


def _text(meaning: _Meaning, lang: str, place: float, rng: random.Random) -> tuple[str, bool]:
    """Return the meaning in the wording at this place, 0 to 1, of the list, and whether it tells a story."""
    wordings = meaning.frame.intents[meaning.intent][lang]
    if meaning.condition is not None:
        wordings = tuple(wording for wording in wordings if not wording.startswith(_STORY)) or wordings
    wording = wordings[int(place * len(wordings))]
    text = say(wording.removeprefix(_STORY), meaning.values, lang, rng)
    if meaning.condition is not None:
        text = qualify(text, rng.choice(meaning.condition.forms[lang]), lang, rng)
    return text, wording.startswith(_STORY)
