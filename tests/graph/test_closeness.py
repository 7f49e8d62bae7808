"""Sentences in other words than the documents', in the box ``validate``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from graph.context import Context
from groat.embedding import Matrix
from groat.errors import StorageError
from groat.validation import MEASURED_EMBEDDER, doubtful
from nodes.validate import Validate
from tests.fakes import attempt
from tests.graph.conftest import MakeWorld, World

REWORDED = "A reset link of the password works for 20 minutes until it expires, nothing more. [en-reset]"


@dataclass
class Close:
    """Embeds texts so that every one is as close to every sentence as a test wants."""

    inner: Any
    cosine: float
    name: str = MEASURED_EMBEDDER

    async def query(self, text: str) -> Any:
        return await self.inner.query(text)

    async def passages(self, texts: Sequence[str]) -> Matrix:
        return np.full((len(texts), 1), self.cosine, dtype=np.float32)


@dataclass
class Known:
    """A knowledge base whose sentences have vectors of one dimension, or fails."""

    inner: Any
    fails: bool = False

    async def sentence_vectors(self, passages: Any) -> list[Matrix | None]:
        if self.fails:
            raise StorageError("locked")
        return [np.ones((1, 1), dtype=np.float32)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def _box(world: World, cosine: float, *, fails: bool = False) -> Any:
    s = world.services
    return Validate(
        books=s.books,
        budgets=s.budgets,
        knowledge=Known(s.knowledge, fails),
        embedder=Close(s.embedder, cosine),
        answerer=s.answerer,
        acceptance=None,
        advisers=(),
    )


@pytest.mark.parametrize(
    ("cosine", "fails", "failing"), [(0.95, False, []), (0.5, False, ["support"]), (0.95, True, ["support"])]
)
async def test_vectors_speak_for_a_sentence_and_their_loss_costs_only_their_word(
    make_world: MakeWorld, cosine: float, fails: bool, failing: list[str]
) -> None:
    world = make_world([REWORDED])
    output: Any = await world.ask(tier="cheap", use_cache=False)
    given = output["shortened"]["passages"]
    assert doubtful(output["asked"], attempt(REWORDED), given) != []
    state = {**output, "passages": given, "attempts": output["attempts"][:1], "verdicts": []}
    knobs = Context(tenant="acme", tier="cheap", use_cache=False)
    checks, charges = await _box(world, cosine, fails=fails)._checked(state, knobs)
    assert [check["name"] for check in checks if not check["passed"]] == failing
    assert [charge["kind"] for charge in charges] == ([] if fails else ["embedding"])
