from pathlib import Path

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from groat.errors import StorageError
from groat.knowledge import GroatRetriever, KnowledgeBase, RetrieverKnowledge
from groat.knowledge.langchain import _REMEMBERED_DOCUMENTS
from tests.fakes import WordEmbedder


class Shelf(BaseRetriever):
    """Gives everything that is on it, or fails."""

    documents: list[Document] = Field(default_factory=list)
    broken: bool = False

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        if self.broken:
            raise KeyError("password=secret")
        return self.documents


async def test_the_retriever_gives_passages_as_documents_in_both_ways(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\nid: zh-a\ntitle: 退货\n---\n## 期限\n\n三十天内可以退货。", encoding="utf-8")
    kb = KnowledgeBase(tmp_path / "k.sqlite", WordEmbedder())
    await kb.ingest([tmp_path], tenant="t")
    (passage,) = await kb.search("几天内可以退货", tenant="t")
    expected = Document(
        id="zh-a#0",
        page_content="三十天内可以退货。",
        metadata={
            "id": "zh-a#0",
            "document_id": "zh-a",
            "version": passage["version"],
            "title": "退货",
            "heading": "期限",
            "score": passage["score"],
            "similarity": passage["similarity"],
        },
    )
    retriever = GroatRetriever(knowledge=kb, tenant="t")
    assert await retriever.ainvoke("几天内可以退货") == [expected]
    assert retriever.invoke("几天内可以退货") == [expected]
    assert GroatRetriever(knowledge=kb, tenant="other").invoke("几天内可以退货") == []


async def ids_of(*documents: Document) -> list[tuple[str, str, str]]:
    found = await RetrieverKnowledge(Shelf(documents=list(documents))).search("x", tenant="default")
    return [(passage["id"], passage["document_id"], passage["version"]) for passage in found]


async def test_ids_come_from_the_document_then_its_metadata_then_its_content() -> None:
    found = await ids_of(
        Document(id="p1", page_content="One.", metadata={"document_id": "d", "version": 7}),
        Document(id="p2", page_content="One."),
        Document(page_content="One.", metadata={"id": "p3"}),
        Document(page_content="One.", metadata={"document_id": "p4", "source": "x.pdf"}),
        Document(page_content="One.", metadata={"id": ["no", "id"]}),
        Document(page_content="One."),
        Document(page_content=" \n"),
    )
    own = found[-1][0]
    assert found == [("p1", "d", "7"), ("p2", "p2", own), ("p3", "p3", own), ("p4", "p4", own), (own, own, own)]


async def test_a_changed_document_is_noticed_when_it_is_retrieved_again() -> None:
    shelf = Shelf(documents=[Document(id="zh-a", page_content="三十天内可以退货。")])
    knowledge = RetrieverKnowledge(shelf)
    assert await knowledge.versions(["zh-a"], tenant="default") == {}
    (before,) = await knowledge.search("退货", tenant="default")
    shelf.documents = [Document(id="zh-a", page_content="十四天内可以退货。")]
    assert await knowledge.versions(["zh-a"], tenant="default") == {"zh-a": before["version"]}
    (after,) = await knowledge.search("退货", tenant="default")
    assert after["version"] != before["version"]
    assert await knowledge.versions(["zh-a"], tenant="default") == {"zh-a": after["version"]}


async def test_remembered_versions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groat.knowledge.langchain._REMEMBERED_DOCUMENTS", 2)
    knowledge = RetrieverKnowledge(Shelf(documents=[Document(id=name, page_content="One. Two.") for name in "abc"]))
    await knowledge.search("x", tenant="default")
    assert set(await knowledge.versions(list("abc"), tenant="default")) == {"b", "c"}
    assert await knowledge.count("default") == (2, 4)
    assert _REMEMBERED_DOCUMENTS == 100_000


async def test_a_failing_retriever_is_named_without_its_message() -> None:
    with pytest.raises(StorageError) as caught:
        await RetrieverKnowledge(Shelf(broken=True)).search("x", tenant="default")
    assert str(caught.value) == "the retriever Shelf failed with KeyError; look at its own log"
