import io
from pathlib import Path

import pypdf
import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from groat.errors import UnreadableDocument
from groat.knowledge.documents import made_up_id
from groat.knowledge.pdf import read_pdf

SOURCE = Path("/docs/manual.pdf")


def pdf(*pages: list[str], title: str = "", font: str = "Helvetica") -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file, invariant=1)
    canvas.setTitle(title)
    for lines in pages:
        canvas.setFont(font, 11)
        for place, line in enumerate(lines):
            canvas.drawString(60, 780 - 16 * place, line)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def test_an_english_pdf_is_read_with_its_title() -> None:
    raw = pdf(["The battery works at -10 to 45 degrees. It is con-", "nected by an installer."], ["Page two."], title="Manual")
    document = read_pdf(SOURCE, raw)
    assert (document.id, document.title, document.language, document.note) == (made_up_id(SOURCE), "Manual", "en", "")
    assert document.text == "The battery works at -10 to 45 degrees. It is connected by an installer.\n\nPage two."


def test_a_chinese_pdf_is_read() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    document = read_pdf(SOURCE, pdf(["瓦叶电池的工作温度是零下十度到四十五度。", "请由安装人员接线。"], font="STSong-Light"))
    assert (document.title, document.language) == ("manual", "zh")
    assert document.text == "瓦叶电池的工作温度是零下十度到四十五度。\n请由安装人员接线。"


def test_blank_pages_are_noted() -> None:
    assert read_pdf(SOURCE, pdf(["Words."], [])).note == "1 of 2 pages have no text"


def test_a_line_that_looks_like_a_heading_is_text() -> None:
    assert read_pdf(SOURCE, pdf(["# 5 is the size", "of the screw."])).text == "\\# 5 is the size\nof the screw."


def encrypted() -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf(["Secret."])))
    writer.encrypt("password", algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "the file is empty; write some text or remove it"),
        (b"%PDF-1.7 and then nothing", "the PDF is damaged; open it in a viewer, print it to a new PDF and ingest that"),
        (pdf(["Words."])[:300], "the PDF is damaged; open it in a viewer, print it to a new PDF and ingest that"),
        (pdf([]), "the PDF has no text, only pictures; run text recognition (OCR) over it first"),
        (encrypted(), "the PDF is encrypted; save a copy without a password"),
    ],
    ids=["empty", "not a pdf", "cut off", "scan", "encrypted"],
)
def test_a_pdf_without_text_to_read_is_refused(raw: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read_pdf(SOURCE, raw)
    assert str(caught.value) == sentence
