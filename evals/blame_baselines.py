"""What the verdicts of replays are held against: the trace read by rules, and a stand-in for a model that reads the trace."""

import random
from collections.abc import Sequence
from typing import Final, get_args

from graph.blame_reading import passages_read
from groat.blame.reference import Reference, stands_in
from groat.blame.snapshot import Origin, Snapshot

PUBLISHED: Final = 0.53
"""How often the best method of a public benchmark of failure attribution (Who&When, Zhang and others 2025) names the agent that
made the decisive error; 14 % of the cases when the step must be named."""


def by_rules(run: Snapshot, reference: Reference) -> str:
    """Return what an experienced reader names who has the record and the right answer, and runs nothing again.

    The record is read in the order of the boxes, and the first box that looks guilty is named. The marked answer is taken to be
    bad: whoever reads a trace has no judge at hand.
    """
    if run.is_hit:
        return "wrong_hit" if run.lookup["tier"] == "semantic" else "stale"
    if not stands_in(reference, run.passages):
        return "retrieval"
    if not stands_in(reference, passages_read(run)):
        return "compression"
    if any(not verdict["ok"] for verdict in run.verdicts):
        return "validation"
    if run.tier == "expensive":
        return "model_expensive"
    route = run.route
    near = route is not None and route["p_cheap_ok"] is not None and route["p_cheap_ok"] - (route["threshold"] or 0) < 0.05
    return "router" if near else "model_cheap"


def stand_in(expected: Sequence[str], rng: random.Random) -> str:
    """Return what a model that reads traces names: the truth as often as was published, else another origin at random."""
    if rng.random() < PUBLISHED:
        return expected[0]
    others: list[str] = [origin for origin in get_args(Origin) if origin not in expected]
    return rng.choice(others)
