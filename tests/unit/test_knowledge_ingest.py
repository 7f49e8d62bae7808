from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from reportlab.pdfgen.canvas import Canvas

from groat.embedding import Matrix
from groat.errors import BadInput, ModelError
from groat.knowledge import IngestReport, KnowledgeBase, Progress
from groat.knowledge.documents import made_up_id
from tests.fakes import WordEmbedder

EN = "---\nid: en-a\ntitle: Returns\n---\nPlugs can be returned within 30 days. Keep the box."
ZH = "---\nid: zh-a\ntitle: 退货\n---\n插座三十天内可以退货。请保留包装。"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a-en.md").write_text(EN, encoding="utf-8")
    (folder / "b-zh.md").write_text(ZH, encoding="utf-8")
    return folder


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture
def kb(tmp_path: Path, embedder: WordEmbedder) -> KnowledgeBase:
    return KnowledgeBase(tmp_path / "data" / "knowledge.sqlite", embedder)


async def texts(kb: KnowledgeBase, question: str, tenant: str = "t") -> set[str]:
    return {passage["text"] for passage in await kb.search(question, tenant=tenant, k=50)}


def test_making_a_knowledge_base_touches_nothing(kb: KnowledgeBase, tmp_path: Path) -> None:
    assert list(tmp_path.iterdir()) == []


async def test_an_absent_database_is_empty_and_stays_absent(kb: KnowledgeBase, tmp_path: Path) -> None:
    assert await kb.search("退货", tenant="t") == []
    assert await kb.versions(["a"], tenant="t") == {}
    assert await kb.tenants() == set()
    assert await kb.count("t") == (0, 0)
    assert await kb.forget_document("a") == await kb.forget_tenant("t") == await kb.forget_all() == 0
    assert list(tmp_path.iterdir()) == []


async def test_ingesting_twice_changes_nothing_and_embeds_nothing(
    kb: KnowledgeBase, embedder: WordEmbedder, docs: Path
) -> None:
    assert await kb.ingest([docs], tenant="t") == IngestReport(added=["en-a", "zh-a"])
    assert embedder.embedded == [
        "Returns: Plugs can be returned within 30 days.",
        "Returns: Keep the box.",
        "退货: 插座三十天内可以退货。",
        "退货: 请保留包装。",
    ]
    embedder.embedded.clear()
    assert await kb.ingest([docs], tenant="t") == IngestReport(unchanged=["en-a", "zh-a"])
    assert embedder.embedded == []
    assert await kb.count("t") == (2, 4)


async def test_a_changed_file_gets_a_new_version_and_embeds_only_new_sentences(
    kb: KnowledgeBase, embedder: WordEmbedder, docs: Path
) -> None:
    await kb.ingest([docs], tenant="t")
    before = await kb.versions(["en-a", "zh-a"], tenant="t")
    (old,) = (passage for passage in await kb.search("退货", tenant="t") if passage["document_id"] == "zh-a")
    embedder.embedded.clear()
    (docs / "b-zh.md").write_text(ZH.replace("三十天", "十四天"), encoding="utf-8")
    assert await kb.ingest([docs], tenant="t") == IngestReport(unchanged=["en-a"], changed=["zh-a"])
    assert embedder.embedded == ["退货: 插座十四天内可以退货。"]
    after = await kb.versions(["en-a", "zh-a"], tenant="t")
    assert after["en-a"] == before["en-a"]
    assert after["zh-a"] != before["zh-a"]
    assert await texts(kb, "退货") == {"插座十四天内可以退货。请保留包装。", EN.split("---\n")[2]}
    assert await kb.sentence_vectors([old]) == [None]
    assert await kb.count("t") == (2, 4)


async def test_a_removed_file_takes_its_documents_along_and_no_others(kb: KnowledgeBase, docs: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.md"
    elsewhere.write_text("Elsewhere.", encoding="utf-8")
    await kb.ingest([docs, elsewhere], tenant="t")
    await kb.ingest([docs], tenant="u")
    (docs / "b-zh.md").unlink()
    elsewhere.unlink()
    assert await kb.ingest([docs], tenant="t") == IngestReport(unchanged=["en-a"], removed=["zh-a"])
    assert await kb.versions(["zh-a"], tenant="t") == {}
    assert await kb.count("t") == (2, 3)
    assert await kb.count("u") == (2, 4)


async def test_rows_that_left_their_file_are_removed_unless_a_row_is_broken(kb: KnowledgeBase, tmp_path: Path) -> None:
    path = tmp_path / "faq.jsonl"
    a, b = '{"id": "a", "text": "One."}', '{"id": "b", "text": "二。"}'
    path.write_text(f"{a}\n{b}", encoding="utf-8")
    assert (await kb.ingest([path], tenant="t")).added == ["a", "b"]
    path.write_text(f"{a}\n{{", encoding="utf-8")
    assert await kb.ingest([path], tenant="t") == IngestReport(
        unchanged=["a"], failed=[(path, "line 2: not valid JSON; write one object a line")]
    )
    path.write_text(a, encoding="utf-8")
    assert await kb.ingest([path], tenant="t") == IngestReport(unchanged=["a"], removed=["b"])


async def test_a_folder_that_lost_everything_is_refused_and_nothing_is_removed(kb: KnowledgeBase, docs: Path) -> None:
    await kb.ingest([docs], tenant="t")
    for path in docs.iterdir():
        path.unlink()
    with pytest.raises(BadInput, match=r"holds no file that can be read"):
        await kb.ingest([docs], tenant="t")
    assert await kb.count("t") == (2, 4)


async def test_one_broken_file_stops_no_other(kb: KnowledgeBase, docs: Path) -> None:
    (docs / "c.pdf").write_bytes(b"%PDF-1.4 broken")
    (docs / "d.txt").write_bytes("退款说明。退款会在五个工作日内退回原支付方式。".encode("gbk"))
    (docs / "e.txt").write_text("换货说明。换货需要十天时间。", encoding="utf-16")
    (docs / "f.md").write_text("", encoding="utf-8")
    (docs / "g.png").write_bytes(b"\x89PNG")
    canvas = Canvas(str(docs / "h.pdf"))
    canvas.drawString(60, 700, "The battery weighs 60 kg.")
    canvas.save()
    report = await kb.ingest([docs], tenant="t")
    ids = {name: made_up_id(docs / name) for name in ("d.txt", "e.txt", "h.pdf")}
    assert report == IngestReport(
        added=["en-a", "zh-a", *ids.values()],
        failed=[
            (docs / "c.pdf", "the PDF is damaged; open it in a viewer, print it to a new PDF and ingest that"),
            (docs / "f.md", "the file is empty; write some text or remove it"),
        ],
        notes=[(docs, "1 files of other kinds were skipped: .png (1)"), (docs / "d.txt", "read as GB18030")],
    )
    assert (await kb.search("how heavy is the battery", tenant="t", k=1))[0]["document_id"] == ids["h.pdf"]
    assert (await kb.search("退款几天到账", tenant="t", k=1))[0]["document_id"] == ids["d.txt"]


async def test_a_file_that_became_unreadable_keeps_its_former_documents(kb: KnowledgeBase, docs: Path) -> None:
    await kb.ingest([docs], tenant="t")
    (docs / "b-zh.md").write_bytes(b"\0\0")
    report = await kb.ingest([docs], tenant="t")
    assert (report.unchanged, report.removed, [path for path, _ in report.failed]) == (["en-a"], [], [docs / "b-zh.md"])
    assert set(await kb.versions(["en-a", "zh-a"], tenant="t")) == {"en-a", "zh-a"}


async def test_the_second_of_two_documents_with_one_id_fails(kb: KnowledgeBase, docs: Path) -> None:
    (docs / "c.md").write_text("---\nid: zh-a\n---\n别的。", encoding="utf-8")
    (docs / "d.jsonl").write_text('{"id": "x", "text": "One."}\n{"id": "x", "text": "Two."}', encoding="utf-8")
    expected = [
        (docs / "c.md", f"the id 'zh-a' is also in {str(docs / 'b-zh.md')!r}; give each document its own id"),
        (docs / "d.jsonl", "the id 'x' is twice in this file; give each document its own id"),
    ]
    report = await kb.ingest([docs], tenant="t")
    assert (report.added, report.failed) == (["en-a", "zh-a", "x"], expected)
    again = await kb.ingest([docs], tenant="t")
    assert (again.unchanged, again.removed, again.failed) == (["en-a", "zh-a", "x"], [], expected)


async def test_an_id_of_another_existing_file_is_not_taken_over(kb: KnowledgeBase, docs: Path, tmp_path: Path) -> None:
    await kb.ingest([docs], tenant="t")
    moved = tmp_path / "moved" / "zh.md"
    moved.parent.mkdir()
    moved.write_text(ZH, encoding="utf-8")
    sentence = f"the id 'zh-a' is also in {str(docs / 'b-zh.md')!r}; give each document its own id"
    assert await kb.ingest([moved], tenant="t") == IngestReport(failed=[(moved, sentence)])
    (docs / "b-zh.md").unlink()
    assert await kb.ingest([moved], tenant="t") == IngestReport(unchanged=["zh-a"])
    assert await kb.ingest([docs], tenant="t") == IngestReport(unchanged=["en-a"])


async def test_a_document_that_moved_between_two_ingested_files_is_not_lost(kb: KnowledgeBase, docs: Path) -> None:
    await kb.ingest([docs], tenant="t")
    for name in ("0.md", "z.md"):
        source = next(path for path in docs.iterdir() if "zh-a" in path.read_text(encoding="utf-8"))
        source.rename(docs / name)
        assert await kb.ingest([docs], tenant="t") == IngestReport(unchanged=["en-a", "zh-a"])
        assert await kb.count("t") == (2, 4)


async def test_another_embedder_or_passage_size_makes_everything_anew_under_the_same_version(
    kb: KnowledgeBase, docs: Path, tmp_path: Path
) -> None:
    await kb.ingest([docs], tenant="t")
    versions = await kb.versions(["en-a", "zh-a"], tenant="t")
    path = tmp_path / "data" / "knowledge.sqlite"
    other = WordEmbedder("other")
    changed = KnowledgeBase(path, other)
    (first, *_) = await changed.search("退货", tenant="t")
    assert (first["document_id"], first["similarity"]) == ("zh-a", None)
    assert await changed.sentence_vectors([first]) == [None]
    assert (await changed.ingest([docs], tenant="t")).unchanged == ["en-a", "zh-a"]
    assert len(other.embedded) == 4
    (first, *_) = await changed.search("退货", tenant="t")
    assert first["similarity"] is not None
    smaller = KnowledgeBase(path, other, passage_tokens=12)
    assert (await smaller.ingest([docs], tenant="t")).unchanged == ["en-a", "zh-a"]
    assert len(other.embedded) == 4
    assert {"请保留包装。", "Keep the box."} <= await texts(smaller, "退货")
    assert await smaller.versions(["en-a", "zh-a"], tenant="t") == versions


async def test_texts_that_documents_repeat_are_embedded_once(kb: KnowledgeBase, embedder: WordEmbedder, tmp_path: Path) -> None:
    path = tmp_path / "faq.jsonl"
    path.write_text("\n".join(f'{{"id": "{n}", "title": "同", "text": "联系客服。"}}' for n in range(5)), encoding="utf-8")
    await kb.ingest([path], tenant="t")
    assert embedder.embedded == ["同: 联系客服。"]
    assert await kb.count("t") == (5, 5)


async def test_progress_is_told_for_each_document(kb: KnowledgeBase, docs: Path) -> None:
    (docs / "c.md").write_text("", encoding="utf-8")
    told: list[Progress] = []
    await kb.ingest([docs], tenant="t", progress=told.append)
    assert told == [
        Progress(0, 3, "a-en.md", "reading"),
        Progress(0, 3, "b-zh.md", "reading"),
        Progress(0, 3, "c.md", "reading"),
        Progress(1, 3, "c.md", "done"),
        Progress(1, 3, "en-a", "embedding"),
        Progress(1, 3, "zh-a", "embedding"),
        Progress(2, 3, "en-a", "done"),
        Progress(3, 3, "zh-a", "done"),
    ]


async def test_tenants_share_neither_documents_nor_the_rarity_of_words(kb: KnowledgeBase, docs: Path, tmp_path: Path) -> None:
    await kb.ingest([docs], tenant="t")
    before = await kb.search("returned plugs 退货", tenant="t")
    other = tmp_path / "other"
    other.mkdir()
    for n in range(20):
        (other / f"{n}.md").write_text(f"# 退货 {n}\n\nPlugs returned. 插座退货。", encoding="utf-8")
    await kb.ingest([other], tenant="u")
    assert await kb.search("returned plugs 退货", tenant="t") == before
    assert await kb.tenants() == {"t", "u"}
    assert await kb.count("u") == (20, 40)


async def test_what_is_forgotten_is_gone_from_the_results_and_from_the_files(
    kb: KnowledgeBase, docs: Path, tmp_path: Path
) -> None:
    secret = "xyzzyplugh"
    (docs / "c.md").write_text(f"---\nid: c\n---\nThe word is {secret}.", encoding="utf-8")
    await kb.ingest([docs], tenant="t")
    await kb.ingest([docs], tenant="u")
    assert any(secret.encode() in path.read_bytes() for path in (tmp_path / "data").iterdir())
    assert await kb.forget_document("c", tenant="t") == 1
    assert await kb.forget_document("c", tenant="t") == 0
    assert await kb.count("t") == (2, 4)
    assert await kb.forget_document("c") == 1
    assert secret not in str(await kb.search(secret, tenant="t")) + str(await kb.search(secret, tenant="u"))
    assert [path.name for path in (tmp_path / "data").iterdir() if secret.encode() in path.read_bytes()] == []


async def test_forgetting_a_tenant_leaves_the_others(kb: KnowledgeBase, docs: Path) -> None:
    await kb.ingest([docs], tenant="t")
    await kb.ingest([docs], tenant="u")
    before = await kb.search("退货", tenant="u")
    assert await kb.forget_tenant("t") == 2
    assert await kb.search("退货", tenant="t") == []
    assert await kb.tenants() == {"u"}
    assert await kb.search("退货", tenant="u") == before
    assert await kb.ingest([docs], tenant="t") == IngestReport(added=["en-a", "zh-a"])
    assert await kb.search("退货", tenant="t") == before
    assert await kb.forget_all() == 4
    assert await kb.tenants() == set()


async def test_a_search_sees_what_another_process_wrote(kb: KnowledgeBase, docs: Path, tmp_path: Path) -> None:
    await kb.ingest([docs], tenant="t")
    await kb.search("退货", tenant="t")
    (docs / "c.md").write_text("---\nid: c\n---\n电池重六十公斤。", encoding="utf-8")
    other = KnowledgeBase(tmp_path / "data" / "knowledge.sqlite", WordEmbedder())
    await other.ingest([docs], tenant="t")
    (first, *_) = await kb.search("电池重多少公斤", tenant="t")
    assert (first["document_id"], first["similarity"] is None) == ("c", False)
    await other.forget_document("c")
    assert "c" not in {passage["document_id"] for passage in await kb.search("电池重多少公斤", tenant="t")}


async def test_a_database_that_was_moved_away_is_forgotten_in_memory_too(kb: KnowledgeBase, docs: Path, tmp_path: Path) -> None:
    await kb.ingest([docs], tenant="t")
    before = await kb.search("插座三十天内可以退货。", tenant="t")
    for path in (tmp_path / "data").iterdir():
        path.unlink()
    assert await kb.search("退货", tenant="t") == []
    (docs / "b-zh.md").write_text(ZH.replace("三十", "十四"), encoding="utf-8")
    await kb.ingest([docs], tenant="t")
    after = await kb.search("插座三十天内可以退货。", tenant="t")
    assert [passage["id"] for passage in after] == [passage["id"] for passage in before]
    assert after[0]["similarity"] != before[0]["similarity"]


async def test_vectors_of_a_passage_match_its_sentences(kb: KnowledgeBase, embedder: WordEmbedder, docs: Path) -> None:
    await kb.ingest([docs], tenant="t")
    found = await kb.search("插座退货", tenant="t")
    (rows,) = await kb.sentence_vectors(found[:1])
    assert rows is not None
    expected = await embedder.passages(["退货: 插座三十天内可以退货。", "退货: 请保留包装。"])
    np.testing.assert_allclose(rows, expected, atol=1e-3)
    assert found[0]["similarity"] == pytest.approx(float((rows @ await embedder.query("插座退货")).max()), abs=1e-5)
    altered = {**found[0], "text": "插座。", "sentences": [(0, 3)]}
    assert await kb.sentence_vectors([altered]) == [None]  # type: ignore[list-item]


class Broken(WordEmbedder):
    """Fails at a text, or gives too few rows or no numbers."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    async def passages(self, texts: Sequence[str]) -> Matrix:
        rows = await super().passages(texts)
        return rows[1:] if self.fault == "rows" else rows * np.float32(np.nan)


@pytest.mark.parametrize("fault", ["rows", "numbers"])
async def test_unusable_vectors_are_refused_before_anything_is_written(tmp_path: Path, docs: Path, fault: str) -> None:
    kb = KnowledgeBase(tmp_path / "k.sqlite", Broken(fault))
    with pytest.raises(ModelError, match=r"^the embedding model gave no usable vectors for 4 sentences$"):
        await kb.ingest([docs], tenant="t")
    assert await kb.count("t") == (0, 0)


async def test_a_blank_tenant_is_refused(kb: KnowledgeBase, docs: Path) -> None:
    with pytest.raises(BadInput, match=r"^the tenant is empty; name whose documents these are$"):
        await kb.ingest([docs], tenant=" ")
