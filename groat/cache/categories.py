"""Kinds of questions as ``policy.toml`` and a user's own file describe them: how a question is told, what may be kept of it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Final, Literal

import regex
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from groat.cache.cues import CueError, Readable, Wordings, wordings
from groat.cache.marks import MARKS
from groat.errors import SettingsError

Caching = Literal["never", "exact", "alike"]
"""How an answer may be served again: not at all, to the same question, or to other words for it as well."""
Table = dict[str, object]
"""A TOML table as it was read."""

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = regex.compile(r"(?P<number>\d{1,6}(?:\.\d{1,3})?)\s*(?P<unit>[smhdw])")
_TTL_HELP = 'write a number above 0 with s, m, h, d or w, such as "90m" or "7d", or "forever"'


@dataclass(frozen=True)
class Cue:
    """One thing that such a question says, in any of several wordings."""

    name: str
    said: Wordings


@dataclass(frozen=True)
class Category:
    """A kind of question, and what may be kept of it."""

    name: str
    says: str
    """What kind it is, for people."""
    cache: Caching
    ttl_s: float | None
    """Longest life of an answer in seconds, from when it was given; None for no end, 0 when nothing is kept."""
    max_wrong: float | None
    """Largest share of wrong hits among hits by likeness, 0..1; None for that of the cache."""
    reason: str
    inherit: bool
    marks: tuple[str, ...]
    cues: tuple[Cue, ...]
    ignore: Wordings
    unless: Wordings

    def mark_of(self, text: str) -> str | None:
        """Return the first mark of the category that the text bears, None without one."""
        return next((mark for mark in self.marks if MARKS[mark](text)), None)

    def cue_of(self, asked: Readable) -> str | None:
        """Return the name of the first cue that the question gives, None without one."""
        return next((cue.name for cue in self.cues if cue.said.found_in(asked)), None)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


_Wording = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Phrases(_Strict):
    en: list[_Wording] = []
    zh: list[_Wording] = []


class _CategoryTable(_Strict):
    says: str = ""
    cache: Caching
    ttl: str | None = None
    max_wrong: Annotated[float, Field(ge=0, le=1)] | None = None
    reason: str = ""
    inherit: bool = False
    marks: list[str] = []
    cues: dict[str, _Phrases] = {}
    ignore: _Phrases = _Phrases()
    unless: _Phrases = _Phrases()

    @field_validator("ttl")
    @classmethod
    def _readable_life(cls, ttl: str | None) -> str | None:
        if ttl is not None:
            _life_s(ttl)
        return ttl

    @field_validator("marks")
    @classmethod
    def _known_marks(cls, marks: list[str]) -> list[str]:
        unknown = [mark for mark in marks if mark not in MARKS]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no mark; choose among {', '.join(MARKS)}")
        return marks

    @model_validator(mode="after")
    def _life_where_kept(self) -> "_CategoryTable":
        if self.cache != "never" and self.ttl is None:
            raise ValueError(f"a category that is cached needs a ttl; {_TTL_HELP}")
        return self


class _PolicyTable(_Strict):
    default: str
    words: dict[str, Annotated[list[_Wording], Field(min_length=1)]] = {}
    categories: dict[str, _CategoryTable]

    @model_validator(mode="after")
    def _default_is_there(self) -> "_PolicyTable":
        if self.default not in self.categories:
            raise ValueError(f"the default category {self.default!r} is not among {', '.join(self.categories)}")
        return self


def shipped_table() -> Table:
    """Return the policy that groat brings."""
    return tomllib.loads(resources.files("groat.cache").joinpath("policy.toml").read_text(encoding="utf-8"))


def read_table(path: Path) -> Table:
    """Return a user's policy, with what it leaves out taken from the shipped one.

    Raises:
        SettingsError: the file cannot be read, is no TOML, or names a place for a category that there is not.
    """
    try:
        own: Table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the cache policy {str(path)!r} cannot be opened; check the path and its permissions") from error
    except ValueError as error:
        raise SettingsError(f"the cache policy {str(path)!r} is no TOML file in UTF-8: {error}; correct it there") from error
    extends = own.pop("extends", True)
    if not isinstance(extends, bool):
        raise _unusable(str(path), "extends", "it is true or false; false leaves out all categories that groat brings")
    return _merged(shipped_table(), own, str(path)) if extends else own


def categories_of(table: Table, source: str) -> tuple[tuple[Category, ...], Category]:
    """Return the categories of a policy, in the order in which they are asked, and the default one.

    Args:
        table: the whole policy.
        source: where it comes from, for messages.

    Raises:
        SettingsError: a key is unknown, missing or has a value that cannot be used; the message names it.
    """
    try:
        policy = _PolicyTable.model_validate(table)
    except ValidationError as error:
        raise _explained(error, source) from error
    found = {name: _category(name, one, policy.words, source) for name, one in policy.categories.items()}
    return tuple(found.values()), found[policy.default]


def _category(name: str, table: _CategoryTable, words: Mapping[str, list[str]], source: str) -> Category:
    def said(key: str, phrases: _Phrases) -> Wordings:
        try:
            return wordings(phrases.en, phrases.zh, words)
        except CueError as error:
            raise _unusable(source, f"categories.{name}.{key}", str(error)) from error

    return Category(
        name=name,
        says=table.says,
        cache=table.cache,
        ttl_s=0.0 if table.cache == "never" or table.ttl is None else _life_s(table.ttl),
        max_wrong=table.max_wrong if table.cache == "alike" else None,
        reason=table.reason or name,
        inherit=table.inherit,
        marks=tuple(table.marks),
        cues=tuple(Cue(cue, said(f"cues.{cue}", phrases)) for cue, phrases in table.cues.items()),
        ignore=said("ignore", table.ignore),
        unless=said("unless", table.unless),
    )


def _life_s(ttl: str) -> float | None:
    """Return the seconds of a life, None for "forever"; raises ``ValueError`` with what to write."""
    if ttl == "forever":
        return None
    match = _DURATION.fullmatch(ttl.strip())
    seconds = float(match["number"]) * _SECONDS[match["unit"]] if match else 0.0
    if seconds <= 0:
        raise ValueError(f"{ttl!r} is no length of time; {_TTL_HELP}")
    return seconds


def _merged(shipped: Table, own: Table, source: str) -> Table:
    """Return the shipped policy with the user's changes: per category key by key, cues and words name by name."""
    default = own.get("default", shipped["default"])
    categories = dict(_table(shipped, "categories", source))
    places: Table = {}
    for name in _table(own, "categories", source):
        changes = dict(_table(_table(own, "categories", source), name, source, "categories."))
        known = _table(categories, name, source)
        place = changes.pop("before", None if name in categories or name == default else default)
        if place is not None:
            places[name] = place
        cues = {**_table(known, "cues", source), **_table(changes, "cues", source, f"categories.{name}.")}
        categories[name] = {**known, **changes, "cues": cues}
    for name, place in places.items():
        categories = _placed(categories, name, place, source)
    words = {**_table(shipped, "words", source), **_table(own, "words", source)}
    return {**own, "default": default, "words": words, "categories": categories}


def _table(outer: Table, key: str, source: str, path: str = "") -> Table:
    """Return the table under a key, empty where there is none; ``path`` says where the outer one stands."""
    inner = outer.get(key, {})
    if not isinstance(inner, dict):
        raise _unusable(source, f"{path}{key}", f"it must be a table; write [{path}{key}] above its keys")
    return inner


def _placed(categories: Table, name: str, before: object, source: str) -> Table:
    """Return the categories with one of them moved before another."""
    others = {other: table for other, table in categories.items() if other != name}
    if before not in others:
        raise _unusable(
            source, f"categories.{name}.before", f"there is no category {before!r}; name one of {', '.join(others)}"
        )
    placed: Table = {}
    for other, table in others.items():
        if other == before:
            placed[name] = categories[name]
        placed[other] = table
    return placed


def _explained(error: ValidationError, source: str) -> SettingsError:
    """Return what is wrong with the first key of which something is."""
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"])) or "default"
    if first["type"] == "extra_forbidden":
        return _unusable(source, key, "there is no such key; docs/cache-policy.md lists them")
    if first["type"] == "missing":
        return _unusable(source, key, "it is missing; add it")
    return _unusable(source, key, first["msg"].removeprefix("Value error, ").removeprefix("Input "))


def _unusable(source: str, key: str, why: str) -> SettingsError:
    return SettingsError(f"the cache policy {source!r} cannot be used: {key}: {why}")
