"""What the accept rule would have served on streams: the points that bound its errors, and the judge's right to overrule it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import cast

import numpy as np

from evals.adjudication import key_of
from evals.bench_cache import asked_of
from groat.cache.policy import CachePolicy
from groat.cache.template import shared_template
from groat.cache.verifier import Point, points_of
from groat.text import fold
from groat.types import Language
from training.verifier_rows import Numbers, Requests

SERVED_FROM = 8
ONE_PRODUCT = frozenset({"bq-zh", "banking77-en"})
"""One bank each, all questions about one product: they say little of the share of wrong hits among questions of all kinds."""
KEPT_RIGHT = 0.9
"""Share of right hits that the judge, overruling, must leave."""
VETOES = tuple(round(2.0 - step / 10, 1) for step in range(41))
VETO_FROM = 1.8
"""Score of the hits among which the judge's right to overrule is measured: about that of a promise of 1 to 2 %."""

Doubt = tuple[str, float, str, str]
"""Stream, score, the question asked, and the one whose answer would be served."""


def served(one: Requests, plain: Numbers) -> Iterator[tuple[int, float, bool, tuple[str, str]]]:
    """Yield for each request the row of what would be served first, its score, whether it is right, and the pair.

    All earlier questions count as kept: more strangers than a cache holds that answers some of them by hits. Equal questions,
    those filled into one frame of wording, and those that the policy keeps from likeness are left out: the rule never decides
    on them.
    """
    policy, lang = CachePolicy.load(None), cast(Language, one.lang)

    @cache
    def alike(text: str) -> bool:
        return policy.judge(asked_of(text, lang)).cache == "alike"

    for place in one.asked:
        rows = one.near[place][:SERVED_FROM]
        if not rows:
            continue
        row = max(rows, key=lambda row: plain[row])
        asked, kept = one.scored.pairs[row]
        if fold(asked) != fold(kept) and alike(asked) and alike(kept) and not shared_template(asked, kept):
            yield row, float(plain[row]), bool(one.scored.labels[row]), (asked, kept)


def points(played: Sequence[tuple[Requests, Numbers]]) -> list[Point]:
    """Return the points of streams with the scores of their rows, single products left out."""
    return points_of([
        (score, right) for one, plain in played if one.name not in ONE_PRODUCT for _, score, right, _ in served(one, plain)
    ])  # fmt: skip


def veto(played: Sequence[tuple[Requests, Numbers, Numbers]]) -> float:
    """Return the largest score with the judge's opinion below which one right hit in ten is lost at most.

    Args:
        played: streams that the judge never saw, with the scores of their rows without its opinion and with it.
    """
    found = [
        float(judged[row])
        for one, plain, judged in played
        if one.name not in ONE_PRODUCT
        for row, score, right, _ in served(one, plain)
        if right and score >= VETO_FROM
    ]
    return next((least for least in VETOES if np.mean(np.array(found) >= least) >= KEPT_RIGHT), VETOES[-1])


def doubts(played: Sequence[tuple[Requests, Numbers]], verdicts: Mapping[str, int]) -> list[Doubt]:
    """Return the wrong hits whose labels nobody read, the surest first."""
    found = [
        (one.name, round(score, 2), *pair)
        for one, plain in played
        for _, score, right, pair in served(one, plain)
        if not right and key_of(*pair) not in verdicts
    ]
    return sorted(found, key=lambda doubt: -doubt[1])
