"""Vetoes on a hit by likeness: other passages answer the question, or the answer does not cover it."""

from collections.abc import Sequence

import pytest

from groat.cache.vetoes import BEST
from groat.errors import StorageError
from groat.types import Asked, CachedAnswer, Lookup
from tests.fakes import KnownVectors, asked, identity
from tests.unit.test_cache_answers import KEPT, NEAR, PARAPHRASE, World

ZH, ZH_PARAPHRASE = "重置链接有效多久", "重置链接的有效期是多久"
OTHERS = [f"other-{number}" for number in range(BEST)]
in_both_languages = pytest.mark.parametrize(("kept", "paraphrase"), [(KEPT, PARAPHRASE), (ZH, ZH_PARAPHRASE)], ids=["en", "zh"])


class Search:
    """Finds the documents that it was told to find."""

    def __init__(self, *found: str, error: StorageError | None = None) -> None:
        self.found, self.error = found, error
        self.calls = 0

    async def __call__(self, asked: Asked) -> Sequence[str]:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return self.found


async def ask(world: World, question: str, search: Search | None) -> tuple[Lookup, CachedAnswer | None]:
    one = asked(question)
    return await world.cache.lookup(
        identity(one), one, embed=world.vectors.query, current_versions=world.current, documents_for=search
    )


@in_both_languages
async def test_an_answer_is_not_served_when_other_documents_answer_the_question(kept: str, paraphrase: str) -> None:
    world = World()
    await world.keep(asked(kept))
    lookup, answer = await ask(world, paraphrase, Search(*OTHERS, "en-reset"))
    assert (answer, lookup["outcome"], lookup["reason"]) == (None, "miss", "passages")
    assert lookup["candidate"] is not None
    assert lookup["candidate"]["differences"] == ["passages"]
    assert lookup["candidate"]["evidence"] == {"passages": 1.0}
    # What is not served this once stays: another wording may find its documents.
    assert (await ask(world, paraphrase, Search("en-reset")))[1] is not None


@in_both_languages
@pytest.mark.parametrize(
    "search",
    [Search(*OTHERS[1:], "en-reset"), Search("en-reset"), Search(), Search(error=StorageError("broken; mend it")), None],
    ids=["among the best", "the best", "nothing found", "broken", "no search"],
)
async def test_an_answer_is_served_when_nothing_points_elsewhere(kept: str, paraphrase: str, search: Search | None) -> None:
    world = World()
    await world.keep(asked(kept))
    lookup, answer = await ask(world, paraphrase, search)
    assert (lookup["outcome"], lookup["reason"], answer is not None) == ("hit", "similar", True)


async def test_documents_that_were_only_sent_along_count_for_an_answer_that_quotes_none() -> None:
    quoting, mute = World(), World()
    await quoting.keep(asked(KEPT))
    await mute.keep(asked(KEPT), sources=[])
    assert (await ask(quoting, PARAPHRASE, Search("en-two")))[0]["reason"] == "passages"
    assert (await ask(mute, PARAPHRASE, Search("en-two")))[0]["reason"] == "similar"
    assert (await ask(mute, PARAPHRASE, Search("other")))[0]["reason"] == "passages"


async def test_an_answer_without_documents_is_not_searched_for() -> None:
    world, search = World(), Search("other")
    await world.keep(asked(KEPT), sources=[], documents=[])
    assert (await ask(world, PARAPHRASE, search))[0]["reason"] == "similar"
    assert search.calls == 0


async def test_equal_questions_and_misses_cost_no_search() -> None:
    world, search = World(), Search("other")
    await world.keep(asked(KEPT))
    assert (await ask(world, KEPT, search))[0]["reason"] == "exact"
    assert (await ask(world, "Is there a student discount?", search))[0]["outcome"] == "miss"
    assert search.calls == 0


@pytest.mark.parametrize(
    ("kept", "question", "says"),
    [
        ("May I return it for free?", "May I return a Kite for free?", "It is free within 30 days."),
        ("可以免费退货吗", "经典版可以免费退货吗", "30天内免费。"),
    ],
)
async def test_an_answer_that_does_not_cover_the_question_is_not_served(kept: str, question: str, says: str) -> None:
    world = World(vectors=KnownVectors({kept: 1.0, question: 0.99}))
    await world.keep(asked(kept), answer=says)
    lookup, answer = await ask(world, question, Search("en-reset"))
    assert (answer, lookup["reason"]) == (None, "uncovered")
    assert lookup["candidate"] is not None
    assert lookup["candidate"]["differences"] == ["uncovered"]
    assert lookup["candidate"]["evidence"] == {"uncovered": 1.0}
    covered = World(vectors=KnownVectors({kept: 1.0, question: 0.99}))
    await covered.keep(asked(kept), answer=f"{says} The Kite too. 经典版也可以。")
    assert (await ask(covered, question, Search("en-reset")))[0]["reason"] == "similar"


async def test_the_next_candidate_is_served_when_the_best_one_is_refused() -> None:
    world, search = World(vectors=KnownVectors({**NEAR, "How long does the reset link stay valid?": 0.97})), Search("en-reset")
    await world.keep(asked(KEPT))
    await world.keep(
        asked("How long does the reset link stay valid?"),
        sources=[{"id": "new", "version": "v1", "title": "New"}],
        documents=[{"id": "new", "version": "v1"}],
    )
    lookup, answer = await ask(world, PARAPHRASE, search)
    assert answer is not None
    assert (lookup["reason"], answer["question"], search.calls) == ("similar", KEPT, 1)
