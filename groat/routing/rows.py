"""Read labelled rows: questions with the quality of a cheap and an expensive model's answer."""

import difflib
import hashlib
import json
import math
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from groat.errors import BadInput
from groat.row_files import lines_of, what_is_wrong
from groat.text import detect_language
from groat.types import Language

_SIDES = ("model", "ok", "in_tokens", "out_tokens")
_FIELDS = frozenset(
    ["id", "prompt", "lang", "domain", "similarities", "documents", "history_turns", "drawn_with", "models"]
    + [f"{side}_{part}" for side in ("weak", "strong") for part in _SIDES]
    # What recorded answers are kept in, for the cascade.
    + ["n_blanks", "weak_samples", "weak_samples_ok", "weak_agree", "strong_answer"]
)
"""What a row may hold."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one of the two models did."""

    model: str
    ok: float
    """Quality of its answer, 0..1."""
    in_tokens: int | None = None
    out_tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One question with both outcomes, and what else the router sees of it."""

    source: str
    """Name of the file, without its endings."""
    prompt: str
    language: Language
    cheap: Side
    expensive: Side
    domain: str = ""
    """Subject or collection; empty when the application has none."""
    similarities: tuple[float, ...] = ()
    """Cosines of the retrieved passages, best first; empty when nothing was retrieved."""
    documents: int = 0
    history_turns: int = 0
    weight: float = 1.0
    """What the row counts: one over the probability with which it was drawn for both models."""
    models: Mapping[str, Side] = field(default_factory=dict)
    """Outcomes of all recorded models by name; empty when only the two are recorded."""
    same_as: str = ""
    """Hash of the question that this one says in other words; empty: it is its own."""

    @property
    def question(self) -> str:
        """Hash of the prompt, 16 hexadecimal digits: equal for one question in several files."""
        return self.same_as or question_hash(self.prompt)

    @property
    def gain(self) -> float:
        """What the expensive model adds to the quality, -1..1."""
        return self.expensive.ok - self.cheap.ok


def question_hash(prompt: str) -> str:
    """Return the hash by which questions are told apart; white space and width do not count."""
    return hashlib.sha256(" ".join(unicodedata.normalize("NFKC", prompt).split()).encode()).hexdigest()[:16]


def read_labelled(
    path: Path,
    on_bad: Callable[[str], None] | None = None,
    *,
    strict: bool = False,
    ignore: Collection[str] = (),
    known: "Known | None" = None,
) -> list[Labelled]:
    """Read a file of rows, ``.jsonl`` or ``.jsonl.gz``; ``docs/data-formats.md`` says what a row holds.

    Args:
        path: the file.
        on_bad: is told of each broken row, which is then left out; None stops at the first.
        strict: a field that no row has is an error, since it is most likely a slip; otherwise it is skipped.
        ignore: fields that are skipped even so.
        known: outcomes of the files read before, which this one's must not contradict; a row that stands there is left out.

    Raises:
        BadInput: the file cannot be read or holds no row, or, without ``on_bad``, a row is broken or contradicts another.
    """
    found = ((f"line {number}", line) for number, line in enumerate(lines_of(path), 1) if line.strip())
    source = path.name.split(".")[0]
    rows = collected(found, str(path), source, on_bad=on_bad, strict=strict, ignore=ignore, known=known)
    if not rows:
        raise BadInput(f"{path} holds no row that can be used; docs/data-formats.md says what a row holds")
    return rows


Known = dict[tuple[str, str, str], tuple[str, str, tuple[float, float]]]
"""Where a question stands with both models' names, and the outcome there: file, place in it, both qualities."""


def collected(
    found: Iterable[tuple[str, object]],
    where: str,
    source: str,
    *,
    on_bad: Callable[[str], None] | None = None,
    strict: bool = False,
    ignore: Collection[str] = (),
    known: Known | None = None,
) -> list[Labelled]:
    """Return the rows of anything that holds some.

    Args:
        found: the place of each row, and its JSON or what that was read to.
        where: what holds them, for messages.
        source: its name, for the figures by source.
        on_bad: as in ``read_labelled``, like the rest.
        strict: a field that no row has is an error.
        ignore: fields that are skipped even so.
        known: outcomes that were read before.

    Raises:
        BadInput: without ``on_bad``, a row is broken or contradicts another.
    """
    rows: list[Labelled] = []
    first: Known = {} if known is None else known
    for place, raw in found:
        try:
            row = _row(raw, source, _FIELDS.union(ignore) if strict else None)
            key, outcome = (row.question, row.cheap.model, row.expensive.model), (row.cheap.ok, row.expensive.ok)
            other, there, before = first.setdefault(key, (where, place, outcome))
            if before != outcome:
                seen = there if other == where else f"{other}, {there}"
                raise ValueError(f"the same question with the same models has another outcome in {seen}")
            if (other, there) == (where, place):
                rows.append(row)
        except (ValueError, TypeError, RecursionError) as error:
            message = f"{where}, {place}: {what_is_wrong(error)}"
            if on_bad is None:
                raise BadInput(f"{message}; mend the row, or leave such rows out with --skip-bad") from error
            on_bad(message)
    return rows


def _row(found: object, source: str, fields: Collection[str] | None) -> Labelled:
    raw = json.loads(found.rstrip()) if isinstance(found, str) else found
    if not isinstance(raw, dict):
        raise ValueError("a row must be a JSON object")
    if fields is not None:
        _check_names(raw, fields)
    prompt = _text(raw, "prompt")
    language = raw.get("lang", detect_language(prompt))
    if language not in ("en", "zh"):
        raise ValueError(f'"lang" must be "en" or "zh", not {language!r:.40}')
    domain = raw.get("domain", "")
    if not isinstance(domain, str):
        raise ValueError(f'"domain" must be a text, not {domain!r:.40}')
    cheap, expensive = _side(raw, "weak"), _side(raw, "strong")
    if cheap.model == expensive.model:
        raise ValueError(f"the row has one model only, {cheap.model!r}; it needs a cheap and an expensive one")
    similarities = raw.get("similarities", [])
    if not isinstance(similarities, list):
        raise ValueError('"similarities" must be a list of numbers from -1 to 1')
    return Labelled(
        source=source,
        prompt=prompt,
        language=language,
        domain=domain,
        cheap=cheap,
        expensive=expensive,
        similarities=tuple(_number(value, "similarities", -1, 1) for value in similarities),
        documents=_count(raw, "documents") or 0,
        history_turns=_count(raw, "history_turns") or 0,
        weight=1 / _number(raw.get("drawn_with", 1.0), "drawn_with", 1e-4, 1),
        models=_models(raw.get("models")),
    )


def _check_names(raw: Mapping[str, object], fields: Collection[str]) -> None:
    for name in raw:
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"the field {str(name)!r:.40} is not known{meant}; --ignore NAME skips it")


def _side(raw: Mapping[str, object], name: str) -> Side:
    if f"{name}_ok" not in raw:
        raise ValueError(f'"{name}_ok" is missing: how good the answer of that model was, from 0 to 1')
    return Side(
        model=_text(raw, f"{name}_model"),
        ok=_quality(raw[f"{name}_ok"], f"{name}_ok"),
        in_tokens=_count(raw, f"{name}_in_tokens"),
        out_tokens=_count(raw, f"{name}_out_tokens"),
    )


def _models(raw: object) -> dict[str, Side]:
    if raw is None:
        return {}
    if not isinstance(raw, dict) or not all(isinstance(one, dict) and "ok" in one for one in raw.values()):
        raise ValueError('"models" must hold an object with "ok" for each model')
    return {
        str(name): Side(
            model=str(name),
            ok=_quality(one["ok"], f"models.{name}.ok"),
            in_tokens=_count(one, "in_tokens"),
            out_tokens=_count(one, "out_tokens"),
        )
        for name, one in raw.items()
    }


def _text(raw: Mapping[str, object], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f'"{name}" must be a text that is not empty')
    return value


def _quality(value: object, name: str) -> float:
    """Return a quality; marks with deductions can end below nothing, and count as nothing."""
    if isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value < 0:
        return 0.0
    return _number(value, name, 0, 1)


def _number(value: object, name: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not least <= value <= most:
        raise ValueError(f'"{name}" must be a number from {least:g} to {most:g}, not {value!r:.40}')
    return float(value)


def _count(raw: Mapping[str, object], name: str) -> int | None:
    value = raw.get(name)
    return None if value is None else round(_number(value, name, 0, 1e9))
