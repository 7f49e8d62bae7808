"""Plants the faults of a case, lets the question run through the real graph, and returns the record of that run."""

import random
from dataclasses import dataclass

from evals.blame_minds import Fact, Mind
from evals.blame_plan import Fault, Row
from evals.blame_world import TENANT, Bases, World, other_value, reworded
from evals.helpcentre import Question
from graph.blame_judging import ReferenceJudge
from groat.blame.reference import Reference
from groat.blame.snapshot import Snapshot
from groat.knowledge import KnowledgeBase
from groat.types import Tier

_HITS: frozenset[Fault] = frozenset({"stale", "wrong_hit"})


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A case that shows its faults."""

    row: Row
    run: Snapshot
    reference: Reference


class Planter:
    """Plants cases in one collection of documents.

    A case is planted when the question is answered rightly without its faults and badly with them; a placebo is answered
    rightly. What else may be wrong with a question is no planted fault, and such a question is left out.

    Args:
        world: where they are planted; it holds the faults of the newest case only.
        bases: the documents.
        seed: draws what is left to chance.
    """

    def __init__(self, world: World, bases: Bases, *, seed: int) -> None:
        """Plant nothing yet."""
        self.world = world
        self.bases = bases
        self._seed = seed
        self._sound: dict[str, bool] = {}

    async def plant(self, row: Row) -> Planted | None:
        """Return the run of a case; None when it cannot be planted."""
        if not all([await self._is_sound(one) for one in (row.question, row.other) if one is not None]):
            return None
        planting = _Planting(row, self.world, self.bases, random.Random(f"{self._seed}/{row.id}"))
        run = await planting.run()
        shows = await _is_right(row.question, run) == (not row.faults) and run.is_hit == planting.is_hit
        if row.faults == ("compression",):
            # Where validation asked for the full context, what was dropped came back, and something else is to blame.
            shows = shows and run.shortened is not None and run.shortened["level"] != "full"
        return Planted(row=row, run=run, reference=reference_of(row.question)) if shows else None

    async def _is_sound(self, question: Question) -> bool:
        """Tell whether either model answers rightly when nothing is wrong."""
        if (known := self._sound.get(question["id"])) is None:
            known = True
            for dear in (False, True):
                name = f"sound-{question['id']}"
                row = Row(
                    id=name, question=question, faults=(), expected=(), other=None, variant=1
                )  # fmt: skip
                planting = _Planting(row, self.world, self.bases, random.Random(name), tier="expensive" if dear else "cheap")
                known = known and await _is_right(question, await planting.run())
            self._sound[question["id"]] = known
        return known


async def _is_right(question: Question, run: Snapshot) -> bool:
    judged = await ReferenceJudge(reference_of(question), error=0.0).right(run.asked, run.answer, run.passages)
    return bool(judged) and run.verified


def reference_of(question: Question) -> Reference:
    """Return what is known of the right answer."""
    return {"answer": question["answer"], "groups": reworded(question), "documents": question["documents"]}


class _Planting:
    def __init__(self, row: Row, world: World, bases: Bases, rng: random.Random, *, tier: Tier = "cheap") -> None:
        self.row = row
        self.is_hit = bool(_HITS & set(row.faults)) or (not row.faults and row.variant % 2 == 0)
        self.world = world
        self._bases = bases
        self._rng = rng
        self._tier = tier

    async def run(self) -> Snapshot:
        """Plant what is kept first, then what goes wrong today, and ask."""
        world, faults, question = self.world, self.row.faults, self.row.question
        facts = {one["question"]: _fact(one) for one in (question, self.row.other) if one is not None}
        base = await self._bases.open()
        await world.begin(base, Mind(facts=facts, honest=self.row.variant % 3 == 2, seed=self._rng.randrange(2**32)))
        world.router.tiers[question["question"]] = self._tier
        world.router.p_cheap_ok = self._rng.uniform(0.905, 0.99)
        if "stale" in faults:
            await self._keep_what_was_true(base)
        elif "wrong_hit" in faults:
            assert self.row.other is not None  # a plan without it is refused
            await world.ask(self.row.other["question"])
            world.rule.taken.add((self.row.question["question"], self.row.other["question"]))
        elif self.is_hit:
            await world.ask(question["question"])
        world.mind.asked.clear()
        for fault in faults:
            await self._plant(fault)
        return await world.ask(question["question"])

    async def _keep_what_was_true(self, base: KnowledgeBase) -> None:
        """Keep an answer on a document that has changed since, unseen by whoever tells versions."""
        question, world = self.row.question, self.world
        (document,) = question["documents"]
        world.knowledge.base = await self._changed(question)
        before, true = world.mind.facts[question["question"]], _fact(question)
        if self.row.other is not None:
            world.mind.facts[self.row.other["question"]] = before
            world.rule.taken.add((question["question"], self.row.other["question"]))
        await world.ask((self.row.other or question)["question"])
        world.knowledge.stuck = await world.knowledge.base.versions([document], tenant=TENANT)
        world.knowledge.base = base
        world.mind.facts = dict.fromkeys(world.mind.facts, true)

    async def _changed(self, question: Question) -> KnowledgeBase:
        """Return a state of the documents in which the answer is another one, which the models then read."""
        (document,) = question["documents"]
        changes = {group[0]: other_value(group[0], self._rng) for group in question["answer_groups"]}
        fact = self.world.mind.facts[question["question"]]
        self.world.mind.facts[question["question"]] = Fact(
            groups=fact.groups, documents=fact.documents, changed=[[changes[group[0]]] for group in question["answer_groups"]]
        )
        return await self._bases.changed(document, changes, self.row.id)

    async def _plant(self, fault: Fault) -> None:
        world, text = self.world, self.row.question["question"]
        match fault:
            case "router":
                world.mind.abilities["cheap", text] = "unable"
            case "model_cheap":
                world.mind.abilities["cheap", text] = "slips"
            case "model_expensive":
                world.mind.abilities["expensive", text] = "slips" if self.row.variant % 2 else "unable"
                if self.row.variant % 4 < 2:
                    world.router.tiers[text] = "expensive"
                else:
                    # A wrong cheap answer was rejected before, and rightly so.
                    world.mind.abilities["cheap", text] = "unable"
                    world.acceptance.strict = True
            case "compression":
                world.compressor.dropped[text] = [string for group in reworded(self.row.question) for string in group]
            case "retrieval":
                world.knowledge.hidden[text] = self.row.question["documents"]
            case "validation":
                world.acceptance.strict = True
                world.mind.abilities["expensive", text] = "unable"
            case "knowledge":
                await self._plant_knowledge()
            case "stale" | "wrong_hit":
                pass  # what is kept was planted before

    async def _plant_knowledge(self) -> None:
        question = self.row.question
        figures = any(char.isdigit() for group in question["answer_groups"] for char in group[0])
        if figures and self.row.variant % 3:
            self.world.knowledge.base = await self._changed(question)
        else:
            (document,) = question["documents"]
            self.world.knowledge.base = await self._bases.without(document, self.row.id)


def _fact(question: Question) -> Fact:
    return Fact(groups=reworded(question), documents=frozenset(question["documents"]))
