"""Turn the bytes of a foreign file into text."""

import codecs

import charset_normalizer
import regex

from groat.errors import UnreadableDocument

MAX_FILE_BYTES = 50_000_000
"""Largest file that is read: 50 MB of text is about 12 million tokens, more than a document has."""

_HAN = regex.compile(r"\p{Han}")
_CONTROL = regex.compile(r"[\x01-\x08\x0e-\x1f\x7f]")
_SAMPLE_CHARS = 20_000
_COMMON_SHARE = 0.7
"""Chinese prose holds over 95 % characters of the first level of GB 2312; Latin-1 or Big5 read as GB18030 under half."""


def decode(raw: bytes, declared: str = "") -> tuple[str, str]:
    """Return the text and, when it was not Unicode, a note that names the encoding.

    Tried in order: UTF-16 and UTF-8 by their marks, UTF-8, the encoding the file declares, GB18030 when the result looks
    like Chinese, and what charset-normalizer finds.

    Raises:
        UnreadableDocument: the file is empty, binary, or in no encoding that can be recognised.
    """
    if not raw.strip():
        raise UnreadableDocument("the file is empty; write some text or remove it")
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _checked(_strict(raw, "utf-16")), ""
    if b"\0" in raw:
        raise UnreadableDocument("the file holds binary data and not text; convert it to Markdown or plain text")
    if (text := _strict(raw, "utf-8-sig")) is not None:
        return _checked(text), ""
    if declared and (text := _strict(raw, declared)) is not None:
        return _checked(text), f"read as {declared}"
    if (text := _strict(raw, "gb18030")) is not None and _looks_chinese(text):
        return _checked(text), "read as GB18030"
    best = charset_normalizer.from_bytes(raw[:1_000_000]).best()
    text = _strict(raw, best.encoding) if best is not None else None
    return _checked(text), f"read as {best.encoding if best is not None else 'unknown'}"


def _strict(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except (UnicodeError, LookupError):
        return None


def _checked(text: str | None) -> str:
    if text is None:
        raise UnreadableDocument("the encoding of the file cannot be recognised; save it as UTF-8")
    # A picture or a program renamed to .txt decodes now and then, but prose has next to no control characters.
    if "\0" in text or len(_CONTROL.findall(text)) > len(text) / 100:
        raise UnreadableDocument("the file holds binary data and not text; convert it to Markdown or plain text")
    if not text.strip("\ufeff \t\r\n"):
        raise UnreadableDocument("the file is empty; write some text or remove it")
    return text


def _looks_chinese(text: str) -> bool:
    foreign = [char for char in text[:_SAMPLE_CHARS] if char > "\x7f"]
    han = [char for char in foreign if _HAN.match(char)]
    common = sum(1 for char in han if 0xB0 <= char.encode("gb2312", "replace")[0] <= 0xD7)
    return len(han) >= len(foreign) / 2 and common >= _COMMON_SHARE * max(len(han), 1)
