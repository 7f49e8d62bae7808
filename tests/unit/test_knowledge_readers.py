import gzip
import json
import os
from pathlib import Path

import pytest

from groat.knowledge import readers
from groat.knowledge.documents import ReadFailure, SourceDocument, made_up_id
from groat.knowledge.readers import count_documents, read_documents
from groat.types import Language


def only(path: Path) -> SourceDocument | ReadFailure:
    (reading,) = read_documents(path)
    return reading


def refused(path: Path) -> str:
    reading = only(path)
    assert isinstance(reading, ReadFailure)
    assert reading.source == path
    return reading.sentence


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "reset.md",
            "---\nid: en-reset\ntitle: Reset a password\nlang: en-GB\ncategory: account\nupdated: 2026-10-12\n---\n"
            "# Reset\n\nOpen it.",
            ("en-reset", "Reset a password", "# Reset\n\nOpen it.", "en", "account", "2026-10-12"),
        ),
        (
            "reset.txt",
            "---\nid: 42\ntitle: 重置密码\nlang: zh\nupdated: '十月'\n---\n打开设置。",
            ("42", "重置密码", "打开设置。", "zh", "", "十月"),
        ),
        ("a.markdown", "Some *text*.\n\n# The Title\r\n\r\nMore.", None),
    ],
    ids=["markdown en", "plain text zh", "no front matter"],
)
def test_front_matter_describes_the_document(
    tmp_path: Path, name: str, text: str, expected: tuple[str, str, str, Language, str, str] | None
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    fields = expected or (made_up_id(path), "The Title", "Some *text*.\n\n# The Title\n\nMore.", "en", "", "")
    assert only(path) == SourceDocument(*fields, path)


def test_equal_content_has_an_equal_version_whatever_the_line_ends_and_metadata(tmp_path: Path) -> None:
    versions = set()
    for name, text in {
        "1.md": "---\ntitle: 标题\ncategory: a\n---\n一。\n\n二。",
        "2.md": "---\r\ntitle: 标题\r\ncategory: b\r\n---\r\n一。\r\n\r\n二。\r\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        reading = only(tmp_path / name)
        assert isinstance(reading, SourceDocument)
        versions.add(reading.version)
    assert len(versions) == 1


@pytest.mark.parametrize(
    ("name", "text", "title"),
    [
        ("notes.txt", "退货须知\n\n请在三十天内退货。", "退货须知"),
        ("notes.txt", "Return within 30 days. Keep the box.", "notes"),
        ("notes.md", "## Only a second level\n\nText.", "notes"),
        ("notes.md", "# A *fine* `title`\n\nText.", "A fine title"),
    ],
    ids=["first line zh", "first line is a sentence", "no first level", "marked up"],
)
def test_a_title_is_found_without_front_matter(tmp_path: Path, name: str, text: str, title: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    reading = only(tmp_path / name)
    assert isinstance(reading, SourceDocument)
    assert reading.title == title


def test_a_horizontal_rule_is_not_front_matter(tmp_path: Path) -> None:
    path = tmp_path / "rule.md"
    path.write_text("---\nJust text\n---\nMore.", encoding="utf-8")
    reading = only(path)
    assert isinstance(reading, SourceDocument)
    assert reading.text == "---\nJust text\n---\nMore."


def test_made_up_ids_keep_chinese_names_and_differ_by_folder() -> None:
    assert made_up_id(Path("/a/退货 须知.md")) == "退货-须知-" + made_up_id(Path("/a/退货 须知.md"))[-8:]
    assert made_up_id(Path("/a/x.md")) != made_up_id(Path("/b/x.md"))
    assert made_up_id(Path("/a/!!.md")).startswith("document-")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the file is empty; write some text or remove it"),
        ("---\ntitle: Nothing\n---\n", "the document has no text; write some or remove it"),
        (
            "---\ntitle: [a\nid: b\n---\nText.",
            "the front matter is not valid YAML (line 3); mend what stands between the --- lines",
        ),
        ("---\ntitle: {a: b}\n---\nText.", "'title' in the front matter is a dict; write one plain value"),
        (
            f"---\nid: {'x' * 201}\n---\nText.",
            "the id has more than 200 characters or control characters; give a shorter one",
        ),
    ],
    ids=["empty", "front matter alone", "broken yaml", "title is a mapping", "long id"],
)
def test_a_broken_text_is_refused_with_what_to_do(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "broken.md"
    path.write_text(text, encoding="utf-8")
    assert refused(path) == sentence


def test_html_loses_what_surrounds_its_content(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(
        "<!DOCTYPE html><html lang='zh-CN'><head><title>页面</title>"
        "<meta name='groat:id' content='zh-home'><meta name='groat:title' content='我的家'>"
        "<meta name='groat:category' content='limits'><meta name='groat:updated' content='2026-08-12'>"
        "<script>var a = 1;</script></head><body><nav>首页</nav><div>广告</div>"
        "<main><header><h1>我的家</h1><p>面包屑</p></header><p>名字最多 <b>40</b> 个字符。</p><aside>相关</aside>"
        "<table><thead><tr><th>套餐</th><th>数量</th></tr></thead><tbody><tr><td>基础版</td><td>1 个</td></tr></tbody></table>"
        "<style>p{}</style></main><footer>联系客服</footer></body></html>",
        encoding="utf-8",
    )
    assert only(path) == SourceDocument(
        "zh-home",
        "我的家",
        "# 我的家\n\n名字最多 **40** 个字符。\n\n| 套餐 | 数量 |\n| --- | --- |\n| 基础版 | 1 个 |",
        "zh",
        "limits",
        "2026-08-12",
        path,
    )


def test_html_without_main_is_read_from_its_article_and_titled_by_its_title(tmp_path: Path) -> None:
    path = tmp_path / "page.htm"
    path.write_text(
        "<html><head><title>Returns &amp; refunds</title></head><body>menu<article><h2>How</h2><p>Send it.</p></article>end",
        encoding="utf-8",
    )
    assert only(path) == SourceDocument(made_up_id(path), "Returns & refunds", "## How\n\nSend it.", "en", "", "", path)


def test_html_in_a_declared_old_encoding_is_read_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "old.html"
    path.write_bytes('<html><head><meta charset="gb2312"></head><body><p>退货须知</p></body></html>'.encode("gb2312"))
    reading = only(path)
    assert isinstance(reading, SourceDocument)
    assert (reading.text, reading.note) == ("退货须知", "read as gb2312")


@pytest.mark.parametrize("name", ["faq.jsonl", "faq.jsonl.gz"])
def test_each_row_is_a_document_and_a_bad_row_loses_no_other(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    rows = [
        '{"id": "a", "title": "语言", "lang": "zh", "text": "支持三种语言。", "category": "x", "updated": "2026-01-02"}',
        "",
        "{broken",
        "[1]",
        '{"id": "b"}',
        '{"id": 7, "text": "x"}',
        '{"id": " ", "text": "x"}',
        '{"id": "c", "text": "\\ud800"}',
        '{"id": "d", "text": "  "}',
        '{"id": "e", "text": "It speaks three languages.", "lang": null}',
        '{"id": "f", "text": "It speaks three languages."}',
    ]
    raw = "\n".join(rows).encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    assert list(read_documents(path)) == [
        SourceDocument("a", "语言", "支持三种语言。", "zh", "x", "2026-01-02", path),
        ReadFailure(path, "line 3: not valid JSON; write one object a line"),
        ReadFailure(path, "line 4: a list and not an object; write one object a line"),
        ReadFailure(path, "line 5: 'text' is missing; it must be a text"),
        ReadFailure(path, "line 6: 'id' is a int; it must be a text"),
        ReadFailure(path, "line 7: 'id' is blank; give each row its own id"),
        ReadFailure(path, "line 8: the text holds the character U+D800, which no text has; clean the file"),
        ReadFailure(path, "line 9: the document has no text; write some or remove it"),
        ReadFailure(path, "line 10: 'lang' is a NoneType; it must be a text"),
        SourceDocument("f", "f", "It speaks three languages.", "en", "", "", path),
    ]
    assert count_documents(path) == 10


def test_a_cut_off_gzip_file_keeps_the_rows_before_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    rows = [json.dumps({"id": str(n), "text": f"Row {n} {os.urandom(30).hex()}."}) for n in range(2000)]
    whole = gzip.compress("\n".join(rows).encode())
    path.write_bytes(whole[: len(whole) // 2])
    readings = list(read_documents(path))
    assert len(readings) > 100
    last = readings[-1]
    assert isinstance(last, ReadFailure)
    assert last.sentence == f"line {len(readings)}: the compressed file is damaged from here on; compress it again"
    assert [reading.id for reading in readings[:-1] if isinstance(reading, SourceDocument)] == [
        str(n) for n in range(len(readings) - 1)
    ]


def test_an_empty_or_foreign_rows_file_is_refused(tmp_path: Path) -> None:
    empty, wide, no_gzip = tmp_path / "1.jsonl", tmp_path / "2.jsonl", tmp_path / "3.jsonl.gz"
    empty.write_text("\n\n", encoding="utf-8")
    wide.write_text('{"id": "a", "text": "b"}', encoding="utf-16")
    no_gzip.write_bytes(b"plain")
    assert refused(empty) == "the file is empty; write some rows or remove it"
    assert refused(wide) == "the file is in UTF-16; save it as UTF-8"
    assert refused(no_gzip) == "line 1: the compressed file is damaged from here on; compress it again"
    assert [count_documents(path) for path in (empty, wide, no_gzip)] == [1, 1, 1]


def test_a_huge_file_and_a_missing_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.md"
    path.write_text("x" * 100, encoding="utf-8")
    monkeypatch.setattr(readers, "MAX_FILE_BYTES", 99)
    assert refused(path) == "the file is larger than 0 MB; split it"
    assert refused(tmp_path / "gone.md") == "the file cannot be opened (No such file or directory); check its permissions"
