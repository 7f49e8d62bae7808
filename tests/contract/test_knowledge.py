"""The laws of ``Knowledge``, on the knowledge base and on a LangChain retriever that stands in for it."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from groat.errors import BadInput
from groat.knowledge import GroatRetriever, Knowledge, KnowledgeBase, RetrieverKnowledge
from groat.text import count_tokens, sentence_spans
from tests.fakes import WordEmbedder

DOCUMENTS = {
    "en-reset": (
        "Reset a password",
        "# Reset a password\n\nThe reset link is valid for 20 minutes.\n\n## Phone\n\nCall us.",
    ),
    "en-return": ("Return a plug", "Unused plugs can be returned within 30 days of delivery. Opened ones cannot."),
    "zh-reset": ("重置密码", "重置链接的有效期是 20 分钟。请及时打开邮件。"),
    "zh-return": ("退货", "未使用的插座可以在收货后三十天内退货。拆封的不能退。"),
}
QUESTIONS = {"How long is the reset link valid?": "en-reset", "插座收货后几天内可以退货？": "zh-return"}

Make = Callable[[Path], Awaitable[Knowledge]]


class WordRetriever(BaseRetriever):
    """Finds documents by the words they share with the question."""

    documents: list[Document]

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        from groat.text import words

        asked = set(words(query))
        return sorted(self.documents, key=lambda document: -len(asked & set(words(document.page_content))))


async def knowledge_base(folder: Path) -> Knowledge:
    docs = folder / "docs"
    docs.mkdir()
    for name, (title, text) in DOCUMENTS.items():
        (docs / f"{name}.md").write_text(f"---\nid: {name}\ntitle: {title}\n---\n{text}", encoding="utf-8")
    kb = KnowledgeBase(folder / "data" / "knowledge.sqlite", WordEmbedder())
    await kb.ingest([docs], tenant="default")
    return kb


async def retriever_knowledge(folder: Path) -> Knowledge:
    documents = [Document(id=name, page_content=text, metadata={"title": title}) for name, (title, text) in DOCUMENTS.items()]
    return RetrieverKnowledge(WordRetriever(documents=documents))


async def retriever_of_the_knowledge_base(folder: Path) -> Knowledge:
    return RetrieverKnowledge(GroatRetriever(knowledge=await knowledge_base(folder), tenant="default", k=20))


@pytest.fixture(params=[knowledge_base, retriever_knowledge, retriever_of_the_knowledge_base], ids=lambda make: make.__name__)
async def knowledge(request: pytest.FixtureRequest, tmp_path: Path) -> Knowledge:
    make: Make = request.param
    return await make(tmp_path)


@pytest.mark.parametrize(("question", "document"), QUESTIONS.items(), ids=["en", "zh"])
async def test_the_document_that_answers_comes_first(knowledge: Knowledge, question: str, document: str) -> None:
    found = await knowledge.search(question, tenant="default")
    assert found[0]["document_id"] == document


@pytest.mark.parametrize("question", QUESTIONS, ids=["en", "zh"])
async def test_passages_are_distinct_best_first_and_cut_into_the_sentences_of_their_text(
    knowledge: Knowledge, question: str
) -> None:
    found = await knowledge.search(question, tenant="default")
    assert len({passage["id"] for passage in found}) == len(found) > 1
    scores = [passage["score"] for passage in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
    assert all(passage["similarity"] is None or -1.001 <= passage["similarity"] <= 1.001 for passage in found)
    assert [passage["sentences"] for passage in found] == [sentence_spans(passage["text"]) for passage in found]
    assert [passage["language"] for passage in found] == [passage["document_id"][:2] for passage in found]


async def test_at_most_k_passages_are_found(knowledge: Knowledge) -> None:
    every = await knowledge.search("reset link", tenant="default", k=20)
    assert await knowledge.search("reset link", tenant="default", k=2) == every[:2]


async def test_the_tokens_are_bounded_but_one_passage_is_always_found(knowledge: Knowledge) -> None:
    every = await knowledge.search("reset link", tenant="default", k=20)
    two = sum(count_tokens(passage["text"]) for passage in every[:2])
    assert await knowledge.search("reset link", tenant="default", max_tokens=two) == every[:2]
    assert await knowledge.search("reset link", tenant="default", max_tokens=1) == every[:1]


@pytest.mark.parametrize("other", ["other", "Default", "default "])
async def test_another_tenant_finds_knows_and_counts_nothing(knowledge: Knowledge, other: str) -> None:
    found = await knowledge.search("reset link", tenant="default")
    assert await knowledge.search("reset link", tenant=other) == []
    assert await knowledge.versions([passage["document_id"] for passage in found], tenant=other) == {}
    assert await knowledge.count(other) == (0, 0)
    assert await knowledge.tenants() == {"default"}


async def test_the_version_of_what_was_found_is_the_current_one(knowledge: Knowledge) -> None:
    found = await knowledge.search("重置链接", tenant="default")
    expected = {passage["document_id"]: passage["version"] for passage in found}
    assert await knowledge.versions([*expected, "never seen"], tenant="default") == expected
    assert await knowledge.versions([], tenant="default") == {}


async def test_sentence_vectors_have_one_row_per_sentence_or_are_absent(knowledge: Knowledge) -> None:
    found = await knowledge.search("重置链接", tenant="default")
    vectors = await knowledge.sentence_vectors(found)
    assert len(vectors) == len(found)
    for passage, rows in zip(found, vectors, strict=True):
        if rows is not None:
            assert len(rows) == len(passage["sentences"])
            np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    assert await knowledge.sentence_vectors([]) == []


async def test_documents_and_sentences_are_counted(knowledge: Knowledge) -> None:
    await knowledge.search("reset", tenant="default", k=20)
    documents, sentences = await knowledge.count("default")
    assert documents == 4
    assert sentences >= 8 - 1


@pytest.mark.parametrize("question", ["", " \n", "　"], ids=["empty", "blank", "wide space"])
async def test_a_blank_question_finds_nothing(knowledge: Knowledge, question: str) -> None:
    assert await knowledge.search(question, tenant="default") == []


@pytest.mark.parametrize(
    "question", ['"', "AND OR NOT NEAR(", "title:*", "'; DROP TABLE documents; --", "？！", "🙂", "a" * 5000]
)
async def test_no_question_breaks_the_search(knowledge: Knowledge, question: str) -> None:
    assert len(await knowledge.search(question, tenant="default", k=1)) == 1


async def test_bad_arguments_are_refused(knowledge: Knowledge) -> None:
    with pytest.raises(BadInput, match=r"^k is 0 and max_tokens 2000; both must be at least 1$"):
        await knowledge.search("reset", tenant="default", k=0)
    with pytest.raises(BadInput, match=r"^k is 8 and max_tokens 0; both must be at least 1$"):
        await knowledge.search("reset", tenant="default", max_tokens=0)
    with pytest.raises(BadInput, match=r"^the tenant is empty"):
        await knowledge.search("reset", tenant=" ")


async def test_a_sound_source_passes_its_check(knowledge: Knowledge) -> None:
    await knowledge.check()
