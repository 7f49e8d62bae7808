"""The compressor inside LangChain."""

from pathlib import Path
from typing import Any

import pytest
import regex
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from groat.compression import Compressor, LearnedStop
from groat.compression.langchain import GroatCompressor
from groat.errors import BadInput
from tests.fakes import WordEmbedder

TEXTS = [
    "A password reset link is valid for 20 minutes. Parcels travel by train. Refunds go to the card that paid.",
    "重置密码的链接二十分钟内有效。包裹由火车运送。退款退回原卡。",
    "Nothing here is about that. The shop opens at nine. Bread is sold by weight.",
]
DOCUMENTS = [Document(page_content=text, metadata={"source": f"s{n}"}) for n, text in enumerate(TEXTS)]


def _compressor(max_tokens: int) -> GroatCompressor:
    return GroatCompressor(compressor=Compressor(LearnedStop.load(), min_tokens=0), max_loss=None, max_tokens=max_tokens)


@pytest.mark.parametrize(
    ("question", "source", "sentence"),
    [
        ("How long is a password reset link valid?", "s0", "A password reset link is valid for 20 minutes."),
        ("重置密码的链接多久有效？", "s1", "重置密码的链接二十分钟内有效。"),
    ],
)
def test_the_sentence_that_answers_comes_back_with_its_place(question: str, source: str, sentence: str) -> None:
    found = _compressor(18).compress_documents(DOCUMENTS, question)
    [document] = [one for one in found if one.metadata["source"] == source]
    note = document.metadata["groat"]
    assert sentence in document.page_content
    assert sentence in [TEXTS[note["document"]][start:end] for start, end in note["kept"]]
    assert note["tokens_after"] <= 18 < note["tokens_before"]


async def test_both_ways_of_calling_give_the_same_and_leave_the_documents_alone() -> None:
    before = [one.model_copy(deep=True) for one in DOCUMENTS]
    question = "How long is a reset link valid?"
    one = GroatCompressor(compressor=Compressor(LearnedStop.load(), min_tokens=0), embedder=WordEmbedder(), max_tokens=30)
    assert await one.acompress_documents(DOCUMENTS, question) == one.compress_documents(DOCUMENTS, question)
    assert before == DOCUMENTS


def test_no_documents_give_none_and_an_empty_question_is_refused() -> None:
    assert _compressor(5).compress_documents([], "How long?") == []
    with pytest.raises(BadInput):
        _compressor(5).compress_documents(DOCUMENTS, "  ")


class Shelf(BaseRetriever):
    """Finds the same documents for every question."""

    documents: list[Document]

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return self.documents


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("How long is a password reset link valid?", "A password reset link is valid for 20 minutes."),
        ("重置密码的链接多久有效？", "重置密码的链接二十分钟内有效。"),
    ],
)
async def test_langchains_own_retriever_takes_it_both_ways(question: str, sentence: str) -> None:
    retriever = ContextualCompressionRetriever(base_compressor=_compressor(18), base_retriever=Shelf(documents=DOCUMENTS))
    found = retriever.invoke(question)
    assert any(sentence in document.page_content for document in found)
    assert sum(len(document.page_content) for document in found) < sum(map(len, TEXTS)) / 2
    assert await retriever.ainvoke(question) == found
    assert ContextualCompressionRetriever(base_compressor=_compressor(18), base_retriever=Shelf(documents=[])).invoke("?") == []


HOW_TO = Path(__file__).parents[2] / "docs" / "langchain-compressor.md"


def test_the_how_to_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    snippets = regex.findall(r"```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), flags=regex.DOTALL)
    assert len(snippets) >= 3
    known: dict[str, Any] = {"your_retriever": Shelf(documents=DOCUMENTS)}
    for snippet in snippets:
        exec(compile(snippet, str(HOW_TO), "exec"), known)
    shown = capsys.readouterr().out
    assert "A reset link is valid for 20 minutes." in shown
    assert "in the order of longest-first, for which no loss was measured" in shown
