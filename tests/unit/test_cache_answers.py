"""The answer cache as its callers see it, with a calibration made for the purpose."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pytest

from groat.cache import AnswerCache, Calibration, MemoryStore, NewAnswer, conversation_key
from groat.cache.calibration import LanguageCalibration, Measured
from groat.embedding import Vector
from groat.errors import BadInput, ModelError, StorageError
from groat.types import Asked, CachedAnswer, Identity, Lookup
from tests.fakes import FixedClock, KnownVectors, asked, identity

NOTHING = Measured(0, 0, 0, 0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
POINT = LanguageCalibration(0.9, 0.02, 0.01, reached=True, fitted=NOTHING, held_out=NOTHING, by_source={})
CALIBRATION = Calibration("v", "known/8", 1, "hash", 1, "2026-11-24", ["s"], {"en": POINT, "zh": POINT})
ANSWER: NewAnswer = {
    "answer": "It is valid for 20 minutes.",
    "sources": [{"id": "en-reset", "version": "v1", "title": "Reset"}],
    "documents": [{"id": "en-reset", "version": "v1"}, {"id": "en-two", "version": "v5"}],
    "tier": "cheap",
    "baseline_cost_usd": "0.0042",
}
KEPT = "How long is the reset link valid?"
PARAPHRASE = "For how long may I use the reset link?"
NEAR = {KEPT: 1.0, PARAPHRASE: 0.95, "重置链接有效多久": 1.0, "重置链接的有效期是多久": 0.95}


@dataclass
class World:
    """A cache with everything it asks of the outside."""

    store: MemoryStore = field(default_factory=MemoryStore)
    clock: FixedClock = field(default_factory=FixedClock)
    vectors: KnownVectors = field(default_factory=lambda: KnownVectors(NEAR))
    versions: dict[str, str] = field(default_factory=lambda: {"en-reset": "v1", "en-two": "v5", "new": "v1"})
    calibration: Calibration | None = CALIBRATION
    max_entries: int = 100

    def __post_init__(self) -> None:
        self.cache = AnswerCache(self.store, self.calibration, max_entries=self.max_entries, clock=self.clock)

    async def current(self, documents: Collection[str]) -> Mapping[str, str]:
        return {document: self.versions[document] for document in documents if document in self.versions}

    async def keep(
        self, question: Asked, *, under: Identity | None = None, ttl_s: float | None = None, **changes: object
    ) -> bool:
        answer: NewAnswer = {**ANSWER, **changes}  # type: ignore[typeddict-item]  # tests change single fields
        return await self.cache.remember(under or identity(question), question, answer, embed=self.vectors.query, ttl_s=ttl_s)

    async def ask(self, question: Asked, *, under: Identity | None = None) -> tuple[Lookup, CachedAnswer | None]:
        return await self.cache.lookup(
            under or identity(question), question, embed=self.vectors.query, current_versions=self.current
        )


@pytest.fixture
def world() -> World:
    return World()


async def test_an_equal_question_hits_without_a_vector(world: World) -> None:
    assert await world.keep(asked(KEPT)) is True
    world.vectors.asked.clear()
    lookup, answer = await world.ask(asked(f"  {KEPT.upper()}  "))
    assert answer is not None
    assert answer == {**ANSWER, "entry_id": answer["entry_id"], "question": KEPT}
    assert lookup == {
        "outcome": "hit",
        "tier": "exact",
        "reason": "exact",
        "candidate": {"entry_id": answer["entry_id"], "question": KEPT, "similarity": 1.0, "differences": []},
        "threshold": None,
        "calibration": "v",
        "served": {"question": KEPT, "kept_at": world.clock.now, "tier": "cheap", "documents": ANSWER["documents"]},
    }
    assert world.vectors.asked == []


@pytest.mark.parametrize(("kept", "paraphrase"), [(KEPT, PARAPHRASE), ("重置链接有效多久", "重置链接的有效期是多久")])
async def test_a_paraphrase_hits_by_likeness(world: World, kept: str, paraphrase: str) -> None:
    await world.keep(asked(kept))
    lookup, answer = await world.ask(asked(paraphrase))
    assert answer is not None
    assert lookup == {
        "outcome": "hit",
        "tier": "semantic",
        "reason": "similar",
        "candidate": {"entry_id": answer["entry_id"], "question": kept, "similarity": 0.95, "differences": []},
        "threshold": 0.9,
        "calibration": "v",
        "served": {"question": kept, "kept_at": world.clock.now, "tier": "cheap", "documents": ANSWER["documents"]},
    }


@pytest.mark.parametrize("question", [KEPT, PARAPHRASE])
@pytest.mark.parametrize(
    "other",
    [{"tenant": "globex"}, {"answer_language": "zh"}, {"prompt_version": "p2"}, {"model_policy": "expensive"}],
    ids=lambda changed: next(iter(changed)),
)
async def test_another_identity_misses(world: World, question: str, other: dict[str, str]) -> None:
    await world.keep(asked(KEPT))
    elsewhere: Identity = {**identity(asked(question)), **other}  # type: ignore[typeddict-item]  # keys come from above
    lookup, answer = await world.ask(asked(question), under=elsewhere)
    assert (answer, lookup["outcome"], lookup["reason"]) == (None, "miss", "empty")


async def test_a_question_below_the_threshold_misses_and_says_so(world: World) -> None:
    await world.keep(asked(KEPT))
    lookup, answer = await world.ask(asked("Is there a student discount?"))
    assert answer is None
    assert (lookup["outcome"], lookup["reason"], lookup["threshold"]) == ("miss", "below_threshold", 0.9)
    assert lookup["candidate"] is not None
    assert (lookup["candidate"]["question"], lookup["candidate"]["similarity"]) == (KEPT, 0.0)


async def test_an_alike_question_that_differs_misses_and_says_how() -> None:
    world = World(vectors=KnownVectors({"智能排程怎么打开": 1.0, "智能排程怎么关掉": 0.99}))
    await world.keep(asked("智能排程怎么打开"))
    lookup, answer = await world.ask(asked("智能排程怎么关掉"))
    assert answer is None
    assert (lookup["reason"], lookup["candidate"] and lookup["candidate"]["differences"]) == (
        "differs",
        ["opposite", "swapped"],
    )


async def test_a_second_candidate_serves_when_the_best_one_differs() -> None:
    world = World(vectors=KnownVectors({"怎么打开智能排程": 0.95, "智能排程怎么关掉": 0.99, "智能排程怎么打开": 1.0}))
    await world.keep(asked("智能排程怎么关掉"))
    await world.keep(asked("怎么打开智能排程"), answer="这样打开。")
    _, answer = await world.ask(asked("智能排程怎么打开"))
    assert answer is not None
    assert answer["answer"] == "这样打开。"


async def test_a_question_in_another_language_is_not_served_by_likeness() -> None:
    world = World(vectors=KnownVectors({KEPT: 1.0, "重置链接有效多久": 0.99}))
    english = identity(asked(KEPT))
    await world.keep(asked(KEPT), under=english)
    lookup, answer = await world.ask(asked("重置链接有效多久"), under=english)
    assert answer is None
    assert lookup["candidate"] is not None
    assert "language" in lookup["candidate"]["differences"]


async def test_a_follow_up_hits_only_within_the_same_conversation(world: World) -> None:
    plug = asked("And for the battery?", history=["Can I return a plug?", "Yes."])
    meter = asked("And for the battery?", history=["How long is the warranty of a meter?", "3 years."])
    alone = asked("And for the battery?")
    under = {text: identity(q, conversation=conversation_key(q["history"])) for text, q in [("plug", plug), ("meter", meter)]}
    assert await world.keep(plug, under=under["plug"]) is True
    assert world.vectors.asked == []
    assert (await world.ask(plug, under=under["plug"]))[0]["reason"] == "exact"
    assert (await world.ask(meter, under=under["meter"]))[0]["reason"] == "follow_up"
    assert (await world.ask(alone))[0]["reason"] == "empty"


async def test_a_follow_up_in_other_words_misses_even_in_its_conversation(world: World) -> None:
    turns = ["How long is the warranty of a meter?", "3 years."]
    under = identity(asked(KEPT), conversation=conversation_key(asked(KEPT, history=turns)["history"]))
    await world.keep(asked(KEPT, history=turns), under=under)
    lookup, answer = await world.ask(asked(PARAPHRASE, history=turns), under=under)
    assert (answer, lookup["reason"]) == (None, "follow_up")


@pytest.mark.parametrize("question", [KEPT, PARAPHRASE])
@pytest.mark.parametrize("change", [{"en-two": "v6"}, {"en-two": None}], ids=["changed", "removed"])
async def test_an_answer_whose_documents_changed_is_deleted_not_served(
    world: World, question: str, change: dict[str, str | None]
) -> None:
    await world.keep(asked(KEPT))
    world.versions = {k: v for k, v in {**world.versions, **change}.items() if v is not None}
    lookup, answer = await world.ask(asked(question))
    assert (answer, lookup["outcome"], lookup["reason"]) == (None, "miss", "stale")
    assert await world.cache.count() == 0


async def test_a_fresh_paraphrase_is_served_when_the_equal_question_is_stale(world: World) -> None:
    await world.keep(asked(KEPT))
    await world.keep(asked(PARAPHRASE), documents=[{"id": "new", "version": "v1"}])
    world.versions["en-two"] = "v6"
    lookup, answer = await world.ask(asked(KEPT))
    assert answer is not None
    assert (lookup["tier"], answer["question"]) == ("semantic", PARAPHRASE)


async def test_an_answer_without_documents_is_served_without_asking_for_versions(world: World) -> None:
    async def fail(_: Collection[str]) -> Mapping[str, str]:
        raise AssertionError("no document was named")

    await world.keep(asked("hello there"), documents=[], sources=[])
    question = asked("Hello there!")
    _, answer = await world.cache.lookup(identity(question), question, embed=world.vectors.query, current_versions=fail)
    assert answer is not None


async def test_life_is_absolute_and_a_hit_does_not_extend_it(world: World) -> None:
    await world.keep(asked(KEPT), ttl_s=10.0)
    world.clock.now += 9.0
    assert (await world.ask(asked(KEPT)))[0]["outcome"] == "hit"
    world.clock.now += 1.0
    assert (await world.ask(asked(KEPT)))[0]["reason"] == "empty"
    assert (await world.ask(asked(PARAPHRASE)))[0]["reason"] == "empty"


async def test_the_cache_stays_bounded_and_keeps_what_is_used() -> None:
    world = World(max_entries=2)
    for number, text in enumerate(["What is a kiosk?", "What is a lantern?"]):
        world.clock.now += number
        await world.keep(asked(text))
    world.clock.now += 1
    await world.ask(asked("What is a kiosk?"))
    world.clock.now += 1
    await world.keep(asked("What is a harbour?"))
    assert await world.cache.count() == 2
    assert (await world.ask(asked("What is a kiosk?")))[1] is not None
    assert (await world.ask(asked("What is a lantern?")))[1] is None


async def test_remembering_again_replaces(world: World) -> None:
    await world.keep(asked(KEPT))
    await world.keep(asked(KEPT), answer="30 minutes.")
    assert await world.cache.count() == 1
    _, answer = await world.ask(asked(KEPT))
    assert answer is not None
    assert answer["answer"] == "30 minutes."


@pytest.mark.parametrize("text", ["Where is my new battery order?", "今天白天电价多少"])
async def test_personal_and_momentary_questions_are_neither_kept_nor_looked_up(world: World, text: str) -> None:
    assert await world.keep(asked(text)) is False
    lookup, answer = await world.ask(asked(text))
    assert (answer, lookup["outcome"]) == (None, "off")
    assert lookup["reason"] in {"personal", "time_bound"}
    assert (await world.cache.count(), world.vectors.asked) == (0, [])


async def test_empty_answers_and_lives_are_refused(world: World) -> None:
    assert await world.keep(asked(KEPT), answer=" \n") is False
    assert await world.keep(asked(KEPT), ttl_s=0.0) is False
    assert await world.cache.count() == 0


async def test_without_a_calibration_only_equal_questions_hit() -> None:
    world = World(calibration=None)
    await world.keep(asked(KEPT))
    assert (await world.ask(asked(KEPT)))[0]["reason"] == "exact"
    assert (await world.ask(asked(PARAPHRASE)))[0] == {
        "outcome": "miss", "tier": None, "reason": "no_calibration", "candidate": None, "threshold": None, "calibration": ""
    }  # fmt: skip
    assert world.vectors.asked == []


async def test_templated_questions_hit_only_exactly(world: World) -> None:
    await world.keep(asked('Translate into French: "Good morning"'))
    assert (await world.ask(asked('Translate into French: "Good morning"')))[0]["reason"] == "exact"
    assert (await world.ask(asked('Translate into French: "Good evening"')))[0]["reason"] == "templated"


class BrokenStore(MemoryStore):
    async def exact(self, identity: str, exact_text: str, *, now: float) -> None:
        raise StorageError("the disk is gone; bring it back")

    async def put(self, entry: object, *, max_entries: int) -> None:
        raise StorageError("the disk is gone; bring it back")

    async def forget(self, *, documents: Collection[str] | None = None, tenant: str | None = None) -> int:
        raise StorageError("the disk is gone; bring it back")


async def test_a_failing_store_makes_an_error_not_an_exception() -> None:
    world = World(store=BrokenStore())
    assert await world.keep(asked(KEPT)) is False
    lookup, answer = await world.ask(asked(KEPT))
    assert (answer, lookup["outcome"], lookup["reason"]) == (None, "error", "the disk is gone; bring it back")
    assert world.cache.last_failure == "the disk is gone; bring it back"
    with pytest.raises(StorageError, match="bring it back"):
        await world.cache.forget(everything=True)


async def test_a_failing_embedder_makes_an_error_but_leaves_exact_hits(world: World) -> None:
    async def fail(_: str) -> Vector:
        raise ModelError("the embedding model is down", failure="server")

    await world.keep(asked(KEPT))
    for text, outcome in [(PARAPHRASE, "error"), (KEPT, "hit")]:
        question = asked(text)
        lookup, _ = await world.cache.lookup(identity(question), question, embed=fail, current_versions=world.current)
        assert lookup["outcome"] == outcome
    assert await world.cache.remember(identity(asked(KEPT)), asked(KEPT), ANSWER, embed=fail) is False


class NoTouchStore(MemoryStore):
    async def mark_used(self, entry_id: str, *, now: float) -> None:
        raise StorageError("the answer cache is read-only")


async def test_a_hit_that_cannot_be_noted_is_still_served() -> None:
    world = World(store=NoTouchStore())
    await world.keep(asked(KEPT))
    lookup, answer = await world.ask(asked(KEPT))
    assert (lookup["outcome"], answer is not None) == ("hit", True)
    assert world.cache.last_failure == "the answer cache is read-only"


async def test_forgetting_and_invalidating_remove_what_they_name(world: World) -> None:
    await world.keep(asked(KEPT))
    await world.keep(asked("hello", tenant="globex"))
    assert await world.cache.invalidate(["en-two", "unknown"], tenant="acme") == 1
    assert await world.cache.invalidate([], tenant="acme") == 0
    assert await world.cache.forget(document_id="en-two", tenant="acme") == 0
    assert await world.cache.forget(document_id="en-two") == 1
    await world.keep(asked(KEPT))
    assert await world.cache.forget(tenant="globex") == 0
    assert await world.cache.forget(everything=True) == 1


@pytest.mark.parametrize("named", [{}, {"everything": True, "tenant": "acme"}])
async def test_forgetting_needs_to_know_what(world: World, named: dict[str, bool | str]) -> None:
    with pytest.raises(BadInput, match="name a document"):
        await world.cache.forget(**named)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("kept", "question"),
    [
        ("How long is the link valid?", "Hi, please tell me how long is the link valid?"),
        ("如何修改密码", "請問如何修改密碼？謝謝"),
    ],
    ids=["en", "zh"],
)
async def test_politeness_and_the_kind_of_characters_cost_no_vector(world: World, kept: str, question: str) -> None:
    await world.keep(asked(kept))
    world.vectors.asked.clear()
    lookup, answer = await world.ask(asked(question))
    assert answer is not None
    assert (lookup["tier"], lookup["reason"], world.vectors.asked) == ("exact", "normalised", [])
