"""The engines are opened from what they are given."""

from pathlib import Path

from evals.vectors import VectorFile
from graph.services import open_services
from graph.settings import Settings
from tests.fakes import WordEmbedder


def test_an_embedder_that_has_no_vectors_yet_is_used_all_the_same(tmp_path: Path) -> None:
    empty = VectorFile(WordEmbedder(), tmp_path)
    assert len(empty) == 0
    assert open_services(Settings(data_dir=tmp_path), embeddings=empty).embedder.name == WordEmbedder().name
