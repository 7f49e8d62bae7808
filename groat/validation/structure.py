"""Answers that must be JSON of a given shape."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn, TypeVar

from jsonschema_rs import Draft202012Validator, FancyRegexOptions, ValidationError
from pydantic import BaseModel
from pydantic import ValidationError as MisfitError

from groat.errors import BadInput, StructureError
from groat.text import unfenced
from groat.types import Attempt, Check

MAX_BYTES = 200_000
"""Longest answer that is read as JSON."""
MAX_DEPTH = 60
"""Deepest nesting of lists and objects that is read."""
# Patterns of a schema run on text that a model wrote: linear where they can, with a bounded number of steps back elsewhere.
_PATTERNS = FancyRegexOptions(backtrack_limit=20_000, size_limit=1_000_000)
_SHOWN = 5
"""Errors that a reason names; the rest are counted."""
_APPLY = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose keys are names and not keywords."""
_TALK = frozenset({"title", "description", "$comment", "examples", "default", "$id", "$schema", "$anchor", "deprecated"})

Model = TypeVar("Model", bound=BaseModel)


def check_schema(schema: Mapping[str, object]) -> None:
    """Make sure that answers can be held against a schema (JSON Schema, draft 2020-12).

    Nothing is fetched: a ``$ref`` may only point into the schema itself. Formats are notes and are not checked.

    Raises:
        BadInput: it is no such schema; the message says where it is not.
    """
    _validator(schema)


def check_structure(text: str, schema: Mapping[str, object]) -> Check:
    """Return the check "structure": whether an answer is JSON that fits ``schema``.

    The score is 0 for a text that is no JSON, 1 for one that fits, and between them about the share of the schema's demands
    that are met. The reason names places and broken rules, of the schema's own words only: never a value, nor a key that the
    schema does not name. Pure; about 0.1 ms for an answer of 1 kB.

    Raises:
        BadInput: the schema itself is wrong.
    """
    validator = _validator(schema)
    try:
        value = _read(text)
        errors = list(validator.iter_errors(value))
    except ValueError as error:
        return {"name": "structure", "passed": False, "score": 0.0, "reason": _unreadable(error)}
    if not errors:
        return {"name": "structure", "passed": True, "score": 1.0, "reason": ""}
    names = _names(schema)
    broken = list(dict.fromkeys(_rule(error, names) for error in errors))
    demands = max(sum(1 for _ in _demands(schema)), len(broken) + 1)
    more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
    return {
        "name": "structure",
        "passed": False,
        "score": round(1 - len(broken) / demands, 4),
        "reason": f"the answer does not fit the schema: {'; '.join(broken[:_SHOWN])}{more}",
    }


def parse(text: str) -> object | None:
    """Return the JSON value of a text, which may stand in one code fence; None when it is none, or null, or too big."""
    try:
        return _read(text)
    except ValueError:
        return None


def spoken(text: str) -> str:
    """Return what a JSON answer says: its strings and numbers, each on a line, in order; any other text unchanged.

    Keys are the caller's words and not the model's, and are left out.
    """
    try:
        value = _read(text)
    except ValueError:
        return text
    return "\n".join(_leaves(value))


def schema_of(model: type[BaseModel]) -> dict[str, object]:
    """Return the JSON Schema of a pydantic model."""
    return dict(model.model_json_schema())


def typed(text: str, model: type[Model], *, attempts: Sequence[Attempt] = ()) -> Model:
    """Return the answer as an instance of ``model``.

    Args:
        text: the answer, which may stand in one code fence.
        model: what it must be.
        attempts: the tries so far, for the error to carry.

    Raises:
        StructureError: it is not; the message names fields and rules, never values.
    """
    try:
        _read(text)
        return model.model_validate_json(unfenced(text))
    except MisfitError as error:
        names = _names(schema_of(model))
        found = [f"{_place(fault['loc'], names)}: {fault['type']}" for fault in error.errors(include_input=False)]
        shown = "; ".join(dict.fromkeys(found[:_SHOWN]))
        # The cause would show the answer's values in tracebacks.
        raise StructureError(f"the answer does not fit {model.__name__}: {shown}", attempts=attempts) from None
    except ValueError as error:
        raise StructureError(_unreadable(error), attempts=attempts) from None


def _unreadable(error: ValueError) -> str:
    return str(error) if isinstance(error, _LimitError) else "the answer is no JSON"


class _LimitError(ValueError):
    """The text is JSON perhaps, and bigger or deeper than is read."""


def _read(text: str) -> object:
    """Return the value, ``ValueError`` for anything that is not JSON within the limits."""
    # A character has at least one byte: most texts need not be encoded to be measured.
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise _LimitError(f"the answer is longer than {MAX_BYTES // 1000} kB, and is not read as JSON")
    try:
        value: object = json.loads(unfenced(text), parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise _LimitError(_DEEP) from None
    if _depth_over(value, MAX_DEPTH):
        raise _LimitError(_DEEP)
    return value


_DEEP = f"the answer is nested deeper than {MAX_DEPTH} levels, and is not read as JSON"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _depth_over(value: object, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: object) -> list[object]:
    if isinstance(node, dict):
        return list(node.values())
    return list(node) if isinstance(node, list) else []


def _leaves(value: object) -> Iterator[str]:
    """Yield strings and numbers in order; ``value`` is at most ``MAX_DEPTH`` deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    else:
        for child in _children(value):
            yield from _leaves(child)


def _validator(schema: Mapping[str, object]) -> Draft202012Validator:
    try:
        return Draft202012Validator(dict(schema), pattern_options=_PATTERNS, retriever=_fetch_nothing, validate_formats=False)
    except ValidationError as error:
        where = "/".join(str(part) for part in error.instance_path)
        rule = "a $ref points outside of it, or to nothing" if not error.schema_path else f"it breaks the rule {_last(error)!r}"
        raise BadInput(f"the JSON schema cannot be used at {'/' + where!r}: {rule} (draft 2020-12)") from error
    except (ValueError, TypeError) as error:
        raise BadInput(f"the JSON schema cannot be used: it is no JSON object, or nested too deeply ({error})") from error


def _fetch_nothing(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is not part of the schema, and nothing is fetched")


def _last(error: ValidationError) -> str:
    return str(error.schema_path[-1]) if error.schema_path else ""


def _rule(error: ValidationError, names: frozenset[str]) -> str:
    """Say which rule was broken where, in words of the schema alone."""
    kind = error.kind.name
    detail = ""
    if kind == "required":
        detail = f" ({getattr(error.kind, 'property', '')})"
    elif kind == "type":
        detail = f" ({' or '.join(getattr(error.kind, 'types', []))})"
    return f"{_place(error.instance_path, names)}: {kind}{detail}"


def _place(path: Sequence[str | int], names: frozenset[str]) -> str:
    """Return a JSON pointer in which keys that the schema does not name are stars: the model made them up."""
    return "/" + "/".join(str(part) if isinstance(part, int) or part in names else "*" for part in path)


def _names(schema: Mapping[str, object]) -> frozenset[str]:
    found: set[str] = set()
    for keyword, value in _keywords(schema):
        if keyword == "properties" and isinstance(value, Mapping):
            found.update(str(name) for name in value)
    return frozenset(found)


def _demands(schema: Mapping[str, object]) -> Iterator[str]:
    """Yield one item for each thing that the schema asks for, counting it once wherever it applies."""
    for keyword, value in _keywords(schema):
        if keyword == "required" and isinstance(value, list):
            yield from (f"required {name}" for name in value)
        elif keyword not in _TALK and not isinstance(value, Mapping):
            yield keyword


def _keywords(schema: object) -> Iterator[tuple[str, object]]:
    """Yield every keyword of a schema and of those inside it, with its value."""
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, Mapping):
            for keyword, value in node.items():
                yield str(keyword), value
                if keyword in _APPLY and isinstance(value, Mapping):
                    waiting += value.values()
                elif keyword not in {"enum", "const", "required", *_TALK}:
                    waiting.append(value)
