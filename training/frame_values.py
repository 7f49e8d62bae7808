"""What stands in the slots of a frame: values with their parts, and how each language writes them."""

import random
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from groat.errors import GroatError
from training.frame_numbers import made_types

DATA = Path(__file__).parent / "frames"
"""Where values and frames are written down."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value: two forms of it mean the same."""

    parts: tuple[str, ...]
    """What it is made of, such as a number and a unit; two values are equal when their parts are."""
    forms: Mapping[str, tuple[str, ...]]
    """Language -> ways to write it, at least one each."""


@dataclass(frozen=True)
class Type:
    """The values that a slot may take."""

    name: str
    kinds: tuple[str, ...]
    """For each part, the name of a change of this part."""
    values: tuple[Value, ...]
    _near: dict[tuple[int, tuple[str, ...]], list[Value]] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        for value in self.values:
            for place in range(len(value.parts)):
                self._near.setdefault(_rest(value, place), []).append(value)

    def draw(self, rng: random.Random, other_than: Iterable[Value] = ()) -> Value:
        """Return any value but the given ones."""
        taken = {value.parts for value in other_than}
        return rng.choice([value for value in self.values if value.parts not in taken] if taken else self.values)

    def change(self, value: Value, rng: random.Random, taken: Iterable[Value] = ()) -> tuple[Value, str] | None:
        """Return a value that differs in one part, and the kind of that change; None where there is none."""
        used = {value.parts, *(other.parts for other in taken)}
        places = list(range(len(value.parts)))
        rng.shuffle(places)
        for place in places:
            near = [other for other in self._near[_rest(value, place)] if other.parts not in used]
            if near:
                return rng.choice(near), self.kinds[place]
        return None


def _rest(value: Value, place: int) -> tuple[int, tuple[str, ...]]:
    return place, value.parts[:place] + value.parts[place + 1 :]


def listed_type(name: str, text: str, kind: str) -> Type:
    """Read a type from lines of ``english | other english = 中文 | 别的写法``.

    Raises:
        GroatError: a line has not both languages, or two lines say the same.
    """
    values = []
    for line in filter(None, map(str.strip, text.splitlines())):
        english, sign, chinese = line.partition("=")
        forms = {"en": _forms(english), "zh": _forms(chinese)}
        if not (sign and forms["en"] and forms["zh"]):
            raise GroatError(f"type {name}: the line {line!r} needs English = Chinese")
        values.append(Value((forms["en"][0],), forms))
    if len({value.parts for value in values}) != len(values) or len(values) < 2:
        raise GroatError(f"type {name}: needs two values or more, each once")
    return Type(name, (kind,), tuple(values))


def _forms(text: str) -> tuple[str, ...]:
    return tuple(form.strip() for form in text.split("|") if form.strip())


@cache
def shared_types() -> Mapping[str, Type]:
    """Return the types that any frame may name."""
    types = {}
    for name, (kinds, made) in made_types().items():
        types[name] = Type(name, kinds, tuple(Value(parts, {"en": en, "zh": zh}) for parts, en, zh in made))
    for name, raw in tomllib.loads((DATA / "values.toml").read_text(encoding="utf-8")).items():
        types[name] = listed_type(name, raw["values"], raw["kind"])
    return types
