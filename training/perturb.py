"""Minimal pairs made from real questions: one change that turns the sense, and the same questions only reworded."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import regex

from training.perturb_numbers import number_edits
from training.perturb_sense import sense_edits
from training.perturb_words import Edit, data, word_edits
from training.rows import Row

_PASSES = 6
_EDITS = 1
_RARE = 1500
"""A kind with fewer rows in one language is made of every question that allows it."""
_FIRST_WORD = regex.compile(
    r"(?:How|What|Where|When|Why|Who|Which|Can|Could|Is|Are|Do|Does|Did|Should|Will|Would|If|In|For|At|Am)\b"
)


@dataclass(frozen=True, slots=True)
class _Origin:
    a: str
    b: str | None
    """Another wording of ``a``, if one is known."""
    lang: str
    source: str
    group: str
    open_licence: bool


@dataclass(slots=True)
class _Made:
    """What has been made so far, so that kinds and labels stay balanced and no row comes twice."""

    rng: random.Random
    seen: set[tuple[str, str]] = field(default_factory=set)
    counts: Counter[tuple[str, str, float]] = field(default_factory=Counter)
    """Rows by language, kind and label."""

    def of(self, lang: str, kind: str) -> int:
        return self.counts[lang, kind, 0.0] + self.counts[lang, kind, 1.0]


def perturbed_rows(pairs: Sequence[Row], texts: Sequence[tuple[str, str, str, bool]], count: int, seed: int) -> Iterator[Row]:
    """Yield up to ``count`` distinct rows of the head ``same``, as many Chinese as English while both last.

    Args:
        pairs: labelled pairs of questions; those with label 1 serve. Their rows keep source, group and licence.
        texts: further questions: text, ``en`` or ``zh``, group, open licence. The source is the group up to its first colon.
        count: how many rows at most.
        seed: decides every choice.
    """
    rng = random.Random(seed)
    made = _Made(rng)
    todo = _origins(pairs, texts)
    left = {lang: (count + (lang == "en")) // 2 for lang in ("en", "zh")}
    for _ in range(_PASSES):
        streams = {lang: _pass(rng.sample(origins, len(origins)), made) for lang, origins in todo.items() if left[lang]}
        for lang in _alternating(streams, rng):
            row = next(streams[lang], None)
            if row is None or not left[lang]:
                del streams[lang]
                continue
            left[lang] -= 1
            yield row


def _alternating(streams: dict[str, Iterator[Row]], rng: random.Random) -> Iterator[str]:
    """Yield the languages in turn until the caller has removed each."""
    while streams:
        yield from rng.sample(sorted(streams), 1) if len(streams) == 1 else sorted(streams)


def _origins(pairs: Sequence[Row], texts: Sequence[tuple[str, str, str, bool]]) -> dict[str, list[_Origin]]:
    found: dict[str, dict[str, _Origin]] = defaultdict(dict)
    for row in pairs:
        if row.label == 1 and row.lang in {"en", "zh"} and row.a != row.b:
            for a, b in ((row.a, row.b), (row.b, row.a)):
                found[row.lang].setdefault(a, _Origin(a, b, row.lang, row.source, row.group, row.open_licence))
        elif row.lang in {"en", "zh"}:
            found[row.lang].setdefault(row.a, _Origin(row.a, None, row.lang, row.source, row.group, row.open_licence))
    for text, lang, group, open_licence in texts:
        found[lang].setdefault(text, _Origin(text, None, lang, group.partition(":")[0], group, open_licence))
    return {lang: [origin for origin in by_text.values() if _usable(origin)] for lang, by_text in found.items()}


def _usable(origin: _Origin) -> bool:
    size = len(origin.a) if origin.lang == "zh" else len(origin.a.split())
    return (5 if origin.lang == "zh" else 3) <= size and len(origin.a) <= 160


def _pass(origins: Sequence[_Origin], made: _Made) -> Iterator[Row]:
    for origin in origins:
        edits = all_edits(origin.a, origin.lang, made.rng)
        weights = [1.0 / (50 + made.of(origin.lang, edit.kind)) ** 2 for edit in edits]
        chosen = dict.fromkeys(made.rng.choices(range(len(edits)), weights, k=_EDITS)) if edits else {}
        for index, edit in enumerate(edits):
            if made.of(origin.lang, edit.kind) < _RARE:
                yield from _rows(origin, edit, made)
                yield from _rows(origin, edit, made)
            elif index in chosen:
                yield from _rows(origin, edit, made)


def all_edits(text: str, lang: str, rng: random.Random) -> list[Edit]:
    """Return every change known for a question in ``en`` or ``zh``."""
    return [*number_edits(text, lang, rng), *word_edits(text, lang, rng), *sense_edits(text, lang, rng)]


def _rows(origin: _Origin, edit: Edit, made: _Made) -> Iterator[Row]:
    changed = edit.apply(origin.a)
    if changed is None or changed == origin.a:
        return
    alike = None if origin.b is None else edit.apply(origin.b)
    yes, no = _candidates(origin, edit, changed, alike, made.rng)
    lang, kind = origin.lang, edit.kind
    for label, options in ((0.0, no), (1.0, yes)):
        # The rarer label of a kind is never held back.
        if options and made.counts[lang, kind, label] <= made.counts[lang, kind, 1 - label] + 1:
            a, b = made.rng.choice(options)
            if made.rng.random() < 0.5:
                a, b = b, a
            if a != b and (a, b) not in made.seen and (b, a) not in made.seen:
                made.seen.add((a, b))
                made.counts[lang, kind, label] += 1
                yield Row(a, b, label, "same", lang, f"perturbed:{origin.source}", kind, origin.group, origin.open_licence)


def _candidates(
    origin: _Origin, edit: Edit, changed: str, alike: str | None, rng: random.Random
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return pairs that mean the same and pairs that do not."""
    a, lang = origin.a, origin.lang
    if edit.keeps:
        return [(changed, a), (reworded(changed, lang, rng), a)], []
    yes = [(changed, reworded(changed, lang, rng)), (a, reworded(a, lang, rng))]
    no = [(changed, a), (reworded(changed, lang, rng), a), (changed, reworded(a, lang, rng))]
    # Only where the other wording has what was changed is its change certain to be the same one.
    if origin.b is not None and alike is not None and alike != origin.b:
        yes = [yes[0], *[(changed, alike)] * 3, (reworded(changed, lang, rng), alike)]
        no += [(changed, origin.b), (a, alike), (changed, reworded(origin.b, lang, rng))]
    return yes, no


@cache
def _rewordings(lang: str) -> tuple[tuple[regex.Pattern[str], str], ...]:
    return tuple((regex.compile(find, regex.IGNORECASE), put) for find, put in data(lang)["rewordings"])


def reworded(text: str, lang: str, rng: random.Random) -> str:
    """Return the same question in lightly other words, or in other letters and marks where no rule fits."""
    rules = [rule for rule in _rewordings(lang) if rule[0].search(text)]
    done = text
    for find, put in rng.sample(rules, min(len(rules), rng.choice([1, 1, 2, 3]))):
        done = find.sub(put, done, count=1)
    if lang == "en" and text.islower():
        done = done.lower()
    if not rules or rng.random() < 0.3:
        done = _polite(done, lang, rng)
    return _marked(done, lang, rng) if done == text or rng.random() < 0.25 else done


def _polite(text: str, lang: str, rng: random.Random) -> str:
    openers, closers = data(lang)["openers"], data(lang)["closers"]
    if rng.random() < 0.6:
        opener = rng.choice(openers)
        if opener.strip() in text:
            return text
        if lang == "en" and _FIRST_WORD.match(text):
            text = text[0].lower() + text[1:]
        return str(opener) + text
    if lang == "zh":
        bare = text.rstrip("?？。!！")
        closer = rng.choice(closers)
        return bare + (closer if not bare.endswith(("吗", "呢", "吧", "么", "啊", "呀")) else "？")
    return text + str(rng.choice(closers))


def _marked(text: str, lang: str, rng: random.Random) -> str:
    bare = text.rstrip("?？。.!！ ")
    forms = (
        [bare, bare + "？", bare + "?", bare + "??"] if lang == "zh" else [bare, bare + "?", bare.lower(), bare.lower() + "?"]
    )
    other = [form for form in forms if form != text]
    return rng.choice(other)
