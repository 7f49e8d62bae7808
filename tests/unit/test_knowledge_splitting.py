from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.knowledge.documents import Piece, SourceDocument
from groat.knowledge.splitting import embedded_texts, split
from groat.knowledge.structure import Block, Section, first_heading, sections
from groat.text import count_tokens, sentence_spans
from groat.types import Language


def document(text: str, title: str = "Title", language: Language = "en") -> SourceDocument:
    return SourceDocument("doc", title, text, language, "", "", Path("/doc.md"))


def cut(text: str, passage_tokens: int = 260, title: str = "Title") -> list[tuple[str, str]]:
    return [(piece.heading, piece.text) for piece in split(document(text, title), passage_tokens)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "# Title\n\nTop.\n\n## A\n\nOne.\n\n### B\n\nTwo.\n\n## C\n\nThree.",
            [("", "Top."), ("A", "One."), ("A > B", "Two."), ("C", "Three.")],
        ),
        (
            "# 标题\n\n开头。\n\n## 甲\n\n一。\n\n### 乙\n\n二。",
            [("标题", "开头。"), ("标题 > 甲", "一。"), ("标题 > 甲 > 乙", "二。")],
        ),
        ("## Empty\n## Full\n\nText.", [("Full", "Empty\n\nText.")]),
        ("## Parent\n\n### Child\n\nText.", [("Parent > Child", "Text.")]),
        ("Text.\n\n## Last", [("", "Text."), ("", "Last")]),
        ("# Title", [("", "Title")]),
        ("Under\n=====\n\nText.\n\nLined\n---\n\nMore.", [("Under", "Text."), ("Under > Lined", "More.")]),
        ("> ## Quoted\n>\n> Text.", [("", "> ## Quoted\n>\n> Text.")]),
        ("One.\n\n***\n\n<!-- secret -->\n\n<b>Two</b>.", [("", "One.\n\n<b>Two</b>.")]),
        ("<div>\nInside.\n</div>", [("", "Inside.")]),
    ],
    ids=[
        "en",
        "zh",
        "bare heading joins",
        "parent without text",
        "bare heading last",
        "title alone",
        "underlined",
        "quoted",
        "rule and comment",
        "html",
    ],
)
def test_a_document_is_cut_at_its_headings(text: str, expected: list[tuple[str, str]]) -> None:
    assert cut(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The refund reaches the account that paid the bill within\nfive working days. It is\nfree.",
            "The refund reaches the account that paid the bill within five working days. It is\nfree.",
        ),
        (
            "退款会在退回的商品验收完成之后的五个工作日之内退到原来付款\n时使用的账户，不收手续费。",
            "退款会在退回的商品验收完成之后的五个工作日之内退到原来付款时使用的账户，不收手续费。",
        ),
        ("Monday 10\nTuesday 12", "Monday 10\nTuesday 12"),
        (
            "- The first item is long enough to have been wrapped by\n  the editor.\n- Two",
            "- The first item is long enough to have been wrapped by the editor.\n- Two",
        ),
        (
            "> A quotation that goes on for longer than the editor likes\n> it to.",
            "> A quotation that goes on for longer than the editor likes it to.",
        ),
        (
            "This line is long and was broken on purpose by two spaces  \nhere.",
            "This line is long and was broken on purpose by two spaces\nhere.",
        ),
    ],
    ids=["en", "zh", "short lines", "list", "quotation", "hard break"],
)
def test_wrapped_lines_are_joined_and_broken_lines_are_not(text: str, expected: str) -> None:
    assert cut(text) == [("", expected)]


def test_a_long_section_is_cut_at_sentence_borders() -> None:
    sentences = [f"This is sentence number {n} of a long section." for n in range(12)]
    pieces = cut(" ".join(sentences), passage_tokens=50)
    assert [text for _, text in pieces] == [" ".join(sentences[n : n + 4]) for n in (0, 4, 8)]


def test_a_long_chinese_section_is_cut_at_sentence_borders() -> None:
    sentences = [f"这是很长的一节里面的第{n}句话。" for n in "一二三四五六"]
    pieces = [text for _, text in cut("".join(sentences), passage_tokens=30)]
    assert "".join(pieces) == "".join(sentences)
    assert all(text.endswith("。") and count_tokens(text) <= 30 for text in pieces)
    assert len(pieces) > 1


def test_a_single_long_sentence_is_kept_whole() -> None:
    sentence = "word " * 100 + "end."
    assert cut(f"Short. {sentence} Short.", passage_tokens=20) == [("", "Short."), ("", sentence), ("", "Short.")]


TABLE = "| Plan | Price |\n|---|---:|\n| Basic | free |\n| 进阶版 | 4.90 |"


def test_a_table_that_fits_is_not_cut() -> None:
    text = "These are the plans that we sell today.\n\n" + TABLE
    assert cut(text, passage_tokens=count_tokens(TABLE)) == [("", "These are the plans that we sell today."), ("", TABLE)]


def test_a_long_table_is_cut_between_rows_and_repeats_its_head() -> None:
    rows = [f"| item {n} | {n * 10} |" for n in range(6)]
    head = "| Name | Price |\n|---|---|"
    limit = count_tokens("\n".join([head, *rows[:2]]))
    expected = ["\n".join([head, *rows[n : n + 2]]) for n in (0, 2, 4)]
    assert [text for _, text in cut("\n".join([head, *rows]), passage_tokens=limit)] == expected


def test_a_table_without_outer_bars_gets_them() -> None:
    assert cut("Plan | Price\n--- | ---\nBasic. Or not. | free") == [
        ("", "| Plan | Price |\n| --- | --- |\n| Basic. Or not. | free |")
    ]


def test_code_stays_whole_where_it_fits_and_is_cut_between_lines_where_not() -> None:
    code = "```python\nfirst = 1\n\nsecond = 2\n```"
    assert cut(f"Run this.\n\n{code}") == [("", f"Run this.\n\n{code}")]
    assert cut(f"Run this.\n\n{code}", passage_tokens=count_tokens(code)) == [("", "Run this."), ("", code)]
    assert [text for _, text in cut(code, passage_tokens=8)] == ["```python\nfirst = 1", "second = 2\n```"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "# H\n",
                "## 小标题\n",
                "A sentence. Another one!\n",
                "一句话。又一句？\n",
                "\n",
                "- item\n",
                "| a | b |\n|---|---|\n| 1 | 2 |\n",
                "```\nx\n```\n",
                "    code\n",
                "> q\n",
                "---\n",
            ]
        ),
        max_size=20,
    ),
    st.integers(5, 60),
)
def test_no_word_is_lost_and_every_piece_keeps_the_limit(parts: list[str], limit: int) -> None:
    text = "".join(parts)
    pieces = split(document(text, title="T"), limit)
    kept = "".join(f"{piece.heading}{piece.text}" for piece in pieces)
    assert {word for word in ("sentence", "Another", "又一句", "item", "code") if word in text} <= {
        word for word in ("sentence", "Another", "又一句", "item", "code") if word in kept
    }
    for piece in pieces:
        assert piece.text.strip() == piece.text != ""
        assert piece.sentences == sentence_spans(piece.text)
        assert count_tokens(piece.text) <= limit or len(piece.sentences) <= 3


def test_splitting_again_gives_the_same_pieces() -> None:
    (piece,) = split(document("One. 二。\n\n" + TABLE), 260)
    assert split(document(piece.text), 260) == [piece]


def test_a_piece_has_the_language_of_its_own_text_and_of_the_document_where_it_has_none() -> None:
    text = "# Title\n\n这一段是中文。\n\n## Numbers\n\n1, 2, 3."
    assert [piece.language for piece in split(document(text, language="zh"), 260)] == ["zh", "zh"]
    assert [piece.language for piece in split(document(text, language="en"), 260)] == ["zh", "en"]


def test_sentences_are_embedded_below_their_title_and_headings() -> None:
    text = "1. Tap **Save** in [the app](https://x.example).\n2. 完成。"
    piece = Piece("A > B", text, sentence_spans(text), "en")
    assert embedded_texts("Title", piece) == ["Title > A > B: Tap Save in the app.", "Title > A > B: 完成。"]


def test_table_cells_are_named_by_the_head_of_their_table() -> None:
    text = f"Prices.\n\n{TABLE}\n\n| 名称 | 数 |\n|---|---|\n| 插座 |  |\n| a | b | c |"
    piece = Piece("", text, sentence_spans(text), "en")
    assert embedded_texts("T", piece) == [
        "T: Prices.",
        "T: Plan, Price",
        "T: ",
        "T: Plan: Basic, Price: free",
        "T: Plan: 进阶版, Price: 4.90",
        "T: 名称, 数",
        "T: ",
        "T: 名称: 插座",
        "T: a, b, c",
    ]


def test_sections_know_the_kind_of_their_blocks() -> None:
    text = "# T\n\nText.\n\n| a |\n|---|\n| 1 |\n\n```\ncode\n```"
    assert sections(text, "T") == [
        Section((), (Block("text", "Text."), Block("table", "| a |\n|---|\n| 1 |"), Block("code", "```\ncode\n```")))
    ]


def test_the_first_heading_is_the_first_of_the_first_level() -> None:
    assert first_heading("## Second\n\n# First `one`\n\n# Other") == "First one"
    assert first_heading("```\n# no\n```") == ""


def test_the_mark_of_a_list_item_belongs_to_its_first_sentence() -> None:
    text = "1. Tap Save. Wait.\n2. 完成。关闭。\n- 2.5 is enough."
    assert [text[start:end] for start, end in sentence_spans(text)] == [
        "1. Tap Save.",
        "Wait.",
        "2. 完成。",
        "关闭。",
        "- 2.5 is enough.",
    ]
