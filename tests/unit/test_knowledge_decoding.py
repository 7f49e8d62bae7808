import codecs

import pytest

from groat.errors import UnreadableDocument
from groat.knowledge.decoding import decode

CHINESE = "退款会在五个工作日内退回原支付方式，请耐心等待。如需帮助，请联系客服。"
ENGLISH = "The café refunds £5 within five working days."


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (CHINESE.encode(), (CHINESE, "")),
        (ENGLISH.encode(), (ENGLISH, "")),
        (codecs.BOM_UTF8 + CHINESE.encode(), (CHINESE, "")),
        (CHINESE.encode("utf-16"), (CHINESE, "")),
        (codecs.BOM_UTF16_BE + ENGLISH.encode("utf-16-be"), (ENGLISH, "")),
        (CHINESE.encode("gbk"), (CHINESE, "read as GB18030")),
        (("图𠀀" + CHINESE).encode("gb18030"), ("图𠀀" + CHINESE, "read as GB18030")),
    ],
    ids=["utf-8 zh", "utf-8 en", "utf-8 mark", "utf-16 le", "utf-16 be", "gbk", "gb18030 four bytes"],
)
def test_text_is_read_in_the_encodings_people_save_it_in(raw: bytes, expected: tuple[str, str]) -> None:
    assert decode(raw) == expected


def test_a_western_file_is_not_taken_for_chinese() -> None:
    text = "Müller größer Straße, Übung für schöne Bücher. Die Rückgabe dauert fünf Tage, sagt Frau Jäger. " * 3
    assert decode(text.encode("latin-1"))[0] == text


def test_traditional_chinese_in_big5_is_not_taken_for_gb18030() -> None:
    text = "退款會在五個工作天內退回原來的付款方式，請耐心等候，謝謝您的支持與愛護。" * 5
    assert decode(text.encode("big5"))[0] == text


def test_the_declared_encoding_comes_before_guesses() -> None:
    text = "Žluťoučký kůň"
    assert decode(text.encode("iso-8859-2"), "iso-8859-2") == (text, "read as iso-8859-2")


def test_an_unknown_declared_encoding_is_passed_over() -> None:
    assert decode(CHINESE.encode("gbk"), "no-such-code") == (CHINESE, "read as GB18030")


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "the file is empty; write some text or remove it"),
        (b" \n\t ", "the file is empty; write some text or remove it"),
        (codecs.BOM_UTF8, "the file is empty; write some text or remove it"),
        (codecs.BOM_UTF16_LE, "the file is empty; write some text or remove it"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "the file holds binary data and not text; convert it to Markdown or plain text"),
        (b"text with a \0", "the file holds binary data and not text; convert it to Markdown or plain text"),
        (bytes(range(1, 32)) * 4, "the file holds binary data and not text; convert it to Markdown or plain text"),
    ],
    ids=["empty", "blank", "utf-8 mark alone", "utf-16 mark alone", "picture", "nul", "control characters"],
)
def test_what_is_no_text_is_refused(raw: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        decode(raw)
    assert str(caught.value) == sentence
