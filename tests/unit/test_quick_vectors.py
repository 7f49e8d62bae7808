"""The quicker way to the bundled embedder's vectors."""

import numpy as np

from evals.quick_vectors import QuickEmbedder
from groat.embedding.bundled import BundledEmbedder

TEXTS = ["How long does the warranty on a pump last?", "水泵的保修期有多长？", "A text\0with a zero byte."]


async def test_its_vectors_are_those_of_the_bundled_embedder_in_both_languages() -> None:
    quick, bundled = QuickEmbedder(), BundledEmbedder()
    assert quick.name == bundled.name
    for text in TEXTS:
        assert float(await quick.query(text) @ await bundled.query(text)) > 0.999
    cosines = np.sum(await quick.passages(TEXTS) * await bundled.passages(TEXTS), axis=1)
    assert (cosines > 0.999).all()
