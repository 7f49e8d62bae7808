import json
import time
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from groat.errors import BadInput, StructureError
from groat.types import Check
from groat.validation.structure import check_schema, check_structure, parse, schema_of, spoken, typed

REFUND: dict[str, object] = {
    "type": "object",
    "properties": {
        "days": {"type": "integer", "minimum": 1},
        "reason": {"type": "string"},
        "steps": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["days", "reason"],
    "additionalProperties": False,
}


class Refund(BaseModel):
    days: int = Field(ge=1)
    channel: Literal["card", "cash"] = "card"


def failed(reason: str, score: float) -> Check:
    return {"name": "structure", "passed": False, "score": score, "reason": reason}


@pytest.mark.parametrize(
    "text",
    [
        '{"days": 14, "reason": "七天无理由"}',
        '\n```json\n{"days": 14, "reason": "ok"}\n```\n',
        '```\n{"days": 14, "reason": "ok"}\n```',
    ],
    ids=["plain", "fenced", "fenced without a name"],
)
def test_an_answer_that_fits_passes(text: str) -> None:
    assert check_structure(text, REFUND) == {"name": "structure", "passed": True, "score": 1.0, "reason": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "14 days",
        '{"days": 14, "reason": "cut o',
        "{'days': 14, 'reason': 'quotes'}",
        '{"days": 14, "reason": "x"} I hope this helps.',
        'Here it is:\n```json\n{"days": 14, "reason": "x"}\n```',
        '{"days": NaN, "reason": "x"}',
        '{"days": 1e999, "reason": "x"}',
        '{"days": 1, "reason": "\\ud800"}',
    ],
    ids=["empty", "prose", "cut", "single quotes", "text after", "text before", "nan", "infinite", "half a character"],
)
def test_what_is_no_json_scores_nothing(text: str) -> None:
    assert check_structure(text, REFUND) == failed("the answer is no JSON", 0.0)


def test_a_reason_names_places_and_rules_and_never_values() -> None:
    answer = '{"days": "fourteen secrets", "steps": ["call", 7], "my secret key": 1}'
    check = check_structure(answer, REFUND)
    assert check == failed(
        "the answer does not fit the schema: /: required (reason); /days: type (integer); /steps/1: type (string); "
        "/: additionalProperties",
        check["score"],
    )
    assert 0 < check["score"] < 1


def test_more_broken_rules_score_less() -> None:
    one = check_structure('{"days": 0, "reason": "x"}', REFUND)
    two = check_structure('{"days": 0, "reason": 5}', REFUND)
    assert 1 > one["score"] > two["score"] > 0


def test_a_key_that_the_model_made_up_is_a_star_in_the_reason() -> None:
    schema: dict[str, object] = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert check_structure('{"Anna Weber": "x"}', schema)["reason"] == "the answer does not fit the schema: /*: type (integer)"


def test_many_broken_rules_are_counted() -> None:
    schema: dict[str, object] = {"type": "array", "items": {"type": "string"}}
    assert check_structure("[1,2,3,4,5,6,7]", schema)["reason"].endswith("/4: type (string); and 2 more")


@pytest.mark.parametrize(
    "text",
    [json.dumps({"days": 1, "reason": "x" * 200_000}), '"' + "字" * 70_000 + '"'],
    ids=["characters", "bytes"],
)
def test_an_answer_that_is_too_long_fails_and_says_so(text: str) -> None:
    assert check_structure(text, REFUND) == failed("the answer is longer than 200 kB, and is not read as JSON", 0.0)


@pytest.mark.parametrize("depth", [61, 900, 90_000])
def test_an_answer_that_is_nested_too_deeply_fails_and_says_so(depth: int) -> None:
    for text in ("[" * depth + "1" + "]" * depth, '{"a":' * (depth // 3 + 61) + "1" + "}" * (depth // 3 + 61)):
        assert check_structure(text, {}) == failed("the answer is nested deeper than 60 levels, and is not read as JSON", 0.0)


def test_sixty_levels_are_read() -> None:
    assert check_structure("[" * 60 + "1" + "]" * 60, {})["passed"]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "strong"}, "at '/type': it breaks the rule 'anyOf'"),
        ({"properties": {"a": {"pattern": "("}}}, "it breaks the rule 'pattern'"),
        ({"$ref": "#/$defs/none"}, "a $ref points outside of it, or to nothing"),
        ({"$ref": "https://example.org/schema.json"}, "a $ref points outside of it, or to nothing"),
        ({"$ref": "file:///etc/hostname"}, "a $ref points outside of it, or to nothing"),
        ({"enum": {1, 2}}, "it is no JSON object, or nested too deeply"),
    ],
    ids=["type", "pattern", "nowhere", "net", "file", "no json"],
)
def test_a_wrong_schema_is_bad_input_that_says_where(schema: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match="the JSON schema cannot be used") as caught:
        check_schema(schema)
    assert said in str(caught.value)


def test_a_reference_to_a_file_that_is_there_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text('{"type": "string"}', encoding="utf-8")
    with pytest.raises(BadInput, match="points outside of it"):
        check_schema({"$ref": path.as_uri()})


def test_a_schema_of_endless_depth_is_bad_input() -> None:
    schema: dict[str, object] = {}
    for _ in range(3_000):
        schema = {"not": schema}
    with pytest.raises(BadInput, match="nested too deeply"):
        check_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}}}, "$ref": "#/$defs/node"},
    ],
    ids=["itself", "all of itself", "a list"],
)
def test_a_schema_that_refers_to_itself_ends(schema: dict[str, object]) -> None:
    check_schema(schema)
    assert check_structure('{"next": {"next": {}}}', schema)["passed"]


@pytest.mark.parametrize("pattern", ["^(a+)+$", r"^(?=a)(a+)+\1$", r"^(a|aa)+(?!b)\1c$"])
@pytest.mark.parametrize("place", ["value", "key"])
def test_a_catastrophic_pattern_takes_no_time(pattern: str, place: str) -> None:
    text = "a" * 5_000 + "!"
    began = time.perf_counter()
    if place == "value":
        assert not check_structure(json.dumps(text), {"pattern": pattern})["passed"]
    else:
        check_structure(json.dumps({text: 1}), {"patternProperties": {pattern: {}}, "unevaluatedProperties": False})
    assert time.perf_counter() - began < 1.0


def test_formats_are_notes() -> None:
    assert check_structure('"no date"', {"type": "string", "format": "date"})["passed"]


def test_spoken_keeps_strings_and_numbers_in_order() -> None:
    answer = '```json\n{"days": 14, "ok": true, "none": null, "steps": ["Call us.", {"fee": 2.5}], "note": "全额退款"}\n```'
    assert spoken(answer) == "14\nCall us.\n2.5\n全额退款"


def test_spoken_leaves_other_text_alone() -> None:
    assert spoken("Refunds take 14 days. {broken") == "Refunds take 14 days. {broken"


def test_parse_gives_the_value_or_none() -> None:
    assert parse('```json\n[1, {"a": "b"}]\n```') == [1, {"a": "b"}]
    assert parse("no JSON") is None


def test_a_model_is_a_schema_and_gives_an_instance() -> None:
    check_schema(schema_of(Refund))
    text = '```json\n{"days": 14}\n```'
    assert check_structure(text, schema_of(Refund))["passed"]
    assert typed(text, Refund) == Refund(days=14, channel="card")


def test_a_typed_answer_that_does_not_fit_names_the_field_and_not_the_value() -> None:
    with pytest.raises(StructureError) as caught:
        typed('{"days": "secret", "channel": "cheque"}', Refund)
    assert str(caught.value) == "the answer does not fit Refund: /days: int_parsing; /channel: literal_error"
    assert (caught.value.failure, caught.value.attempts) == ("structure", ())
    assert caught.value.__suppress_context__  # the cause shows values in tracebacks


def test_a_typed_answer_that_is_no_json_says_so() -> None:
    with pytest.raises(StructureError, match=r"^the answer is no JSON$"):
        typed("Two weeks.", Refund)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(value=JSON)
def test_what_json_writes_is_read_back(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert parse(text) == value
    assert parse(f"```json\n{text}\n```") == value


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=60) | JSON.map(json.dumps), fence=st.booleans())
def test_any_text_has_a_check_with_a_score_in_bounds(text: str, fence: bool) -> None:
    check = check_structure(f"```json\n{text}\n```" if fence else text, REFUND)
    assert 0 <= check["score"] <= 1
    assert check["passed"] == (check["score"] == 1) == (check["reason"] == "")


@settings(max_examples=60, deadline=None)
@given(value=JSON)
def test_spoken_says_every_string(value: Any) -> None:
    said = spoken(json.dumps(value))
    assert all(text in said for text in strings(value))


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for child in inner for text in strings(child)]
