"""What makes two questions share an identity, and what makes them the same text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.cache import conversation_key, identity_key
from groat.cache.identity import exact_text
from groat.types import Identity, Turn

IDENTITY: Identity = {
    "tenant": "acme",
    "answer_language": "en",
    "prompt_version": "p1",
    "system_prompt": "",
    "tools": "",
    "knowledge": "",
    "model_policy": "auto",
    "conversation": "",
}
TURNS = st.lists(
    st.builds(lambda role, content: Turn(role=role, content=content), st.sampled_from(["user", "assistant"]), st.text()),
    max_size=4,
)  # fmt: skip


def test_an_identity_has_one_key_whatever_its_order() -> None:
    backwards: Identity = dict(reversed(IDENTITY.items()))  # type: ignore[assignment]  # the same keys
    assert identity_key(IDENTITY) == identity_key(backwards)
    assert len(identity_key(IDENTITY)) == 64


@settings(max_examples=60)
@given(st.sampled_from(sorted(IDENTITY)), st.text(min_size=1))
def test_no_field_of_an_identity_is_ignored(field: str, value: str) -> None:
    changed: Identity = {**IDENTITY, field: value}  # type: ignore[misc]  # the key is one of its own
    assert (identity_key(changed) == identity_key(IDENTITY)) == (changed == IDENTITY)


def test_no_history_has_an_empty_key() -> None:
    assert conversation_key([]) == ""


@settings(max_examples=60)
@given(TURNS, TURNS)
def test_different_conversations_have_different_keys(one: list[Turn], other: list[Turn]) -> None:
    assert (conversation_key(one) == conversation_key(other)) == (one == other)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("How long?", "  how   LONG ？"),
        ("退货要多久？", "退货 要多久"),
        ("ＡＰＰ怎么登录", "app怎么登录!"),
        ("hello", "“hello”"),
    ],
)
def test_width_case_space_and_outer_punctuation_do_not_count(a: str, b: str) -> None:
    assert exact_text(a) == exact_text(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("learn C#", "learn C"),
        ("is it 5%", "is it 5"),
        ("-5 °C", "5 °C"),
        ("learn C++", "learn C"),
        (".NET", "NET"),
        ("5.6", "56"),
    ],
)
def test_signs_that_carry_meaning_count(a: str, b: str) -> None:
    assert exact_text(a) != exact_text(b)


@settings(max_examples=100)
@given(st.text())
def test_outer_space_never_counts(text: str) -> None:
    assert exact_text(f" {text}\n") == exact_text(text)
