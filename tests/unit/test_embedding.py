"""Vectors: computed once for each question, of unit length, whoever makes them."""

import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings

from graph.services import open_embedder
from graph.settings import Settings
from groat.embedding import LangChainEmbedder, RecentQueries, Vector
from groat.errors import ModelError, SettingsError
from tests.fakes import WordEmbedder


class SlowEmbedder(WordEmbedder):
    """Waits until a test lets it go on; fails as often as the test says."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.failures = failures

    async def query(self, text: str) -> Vector:
        await self.go.wait()
        if self.failures:
            self.failures -= 1
            raise ModelError("the embedding model failed", failure="server")
        return await super().query(text)


async def test_a_question_asked_by_many_at_once_is_computed_once() -> None:
    slow = SlowEmbedder()
    recent = RecentQueries(slow)
    asking = [asyncio.create_task(recent.query("How?")) for _ in range(5)]
    await asyncio.sleep(0)
    slow.go.set()
    vectors = await asyncio.gather(*asking)
    assert slow.queried == ["How?"]
    assert recent.computed == 1
    assert all(vector is vectors[0] for vector in vectors)


async def test_a_question_asked_again_is_remembered() -> None:
    words = WordEmbedder()
    recent = RecentQueries(words)
    for text in ("a", "b", "a", "b"):
        await recent.query(text)
    assert words.queried == ["a", "b"]


async def test_the_question_used_longest_ago_is_forgotten_first() -> None:
    words = WordEmbedder()
    recent = RecentQueries(words, size=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        await recent.query(text)
    assert words.queried == ["a", "b", "c", "b"]


async def test_a_failure_reaches_everyone_and_is_not_remembered() -> None:
    slow = SlowEmbedder(failures=1)
    recent = RecentQueries(slow)
    asking = [asyncio.create_task(recent.query("How?")) for _ in range(3)]
    await asyncio.sleep(0)
    slow.go.set()
    failures = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(failure) for failure in failures] == [ModelError] * 3
    assert np.linalg.norm(await recent.query("How?")) == pytest.approx(1)
    assert recent.computed == 1


async def test_one_callers_cancellation_does_not_take_the_vector_from_the_others() -> None:
    slow = SlowEmbedder()
    recent = RecentQueries(slow)
    first, second = (asyncio.create_task(recent.query("How?")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    slow.go.set()
    assert np.linalg.norm(await second) == pytest.approx(1)
    assert first.cancelled()
    assert slow.queried == ["How?"]


def test_it_serves_one_event_loop_after_another() -> None:
    words = WordEmbedder()
    recent = RecentQueries(words)
    for text in ("a", "a", "b"):
        asyncio.run(recent.query(text))
    assert words.queried == ["a", "b"]


async def test_passages_pass_through_with_the_name() -> None:
    recent = RecentQueries(WordEmbedder("w"))
    assert recent.name == "w"
    assert (await recent.passages(["a", "b"])).shape == (2, 256)


class _Given(Embeddings):
    """LangChain embeddings that give one vector, or fail."""

    def __init__(self, vector: list[float] | None) -> None:
        self._vector = vector

    def embed_query(self, text: str) -> list[float]:
        if self._vector is None:
            raise ConnectionError("sk-secret")
        return self._vector

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


async def test_vectors_of_langchain_are_scaled_to_unit_length() -> None:
    embedder = LangChainEmbedder(_Given([3.0, 4.0]), "given")
    assert (await embedder.query("a")).tolist() == pytest.approx([0.6, 0.8])
    assert (await embedder.passages(["a", "b"])).shape == (2, 2)
    assert (await embedder.passages([])).size == 0
    assert embedder.name == "given"


@pytest.mark.parametrize("vector", [[0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0]])
async def test_a_vector_without_direction_is_an_error(vector: list[float]) -> None:
    with pytest.raises(ModelError, match="zeros or not a number"):
        await LangChainEmbedder(_Given(vector), "given").query("a")


async def test_a_failing_embedding_model_is_one_sentence_without_secrets() -> None:
    embedder = LangChainEmbedder(_Given(None), "given")
    sentence = "the embedding model 'given' failed with ConnectionError; check its key, address and name"
    with pytest.raises(ModelError) as caught:
        await embedder.query("a")
    assert str(caught.value) == sentence
    with pytest.raises(ModelError):
        await embedder.passages(["a"])


def test_a_class_in_the_folder_where_one_works_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    code = ["from langchain_core.embeddings import DeterministicFakeEmbedding as Fake", "def Mine(): return Fake(size=4)"]
    (tmp_path / "embeddings_of_mine.py").write_text("\n".join(code), encoding="utf-8")
    assert open_embedder(Settings(data_dir=tmp_path, embeddings="embeddings_of_mine:Mine")).name == "embeddings_of_mine:Mine/"
    for absent in ("embeddings_of_nobody:Mine", "embeddings_of_mine:Yours"):
        with pytest.raises(
            SettingsError, match=r"install their package, or correct GROAT_EMBEDDINGS .*, written as module:Class"
        ):
            open_embedder(Settings(data_dir=tmp_path, embeddings=absent))
