"""Measure the accept rule on one's own questions, and bound its errors by them instead of by the shipped streams."""

import datetime
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from evals.bench_cache import Asks, asked_of
from groat.cache.accept import DECISIVE, AcceptRule
from groat.cache.answers import NEAREST
from groat.cache.policy import CachePolicy
from groat.cache.replay import Stream
from groat.cache.verifier import Mode, Point, Scope, VerifierArtifact, points_of, version_of
from groat.errors import BadInput
from groat.text import fold
from groat.types import Language


class _Kept:
    """An earlier question of the stream."""

    def __init__(self, place: int, question: str, language: Language) -> None:
        self.entry_id, self.question, self.language = str(place), question, language


async def calibrated(
    artifact: VerifierArtifact, rule: AcceptRule, streams: Sequence[Stream], embedder: Asks
) -> VerifierArtifact:
    """Return the artifact with the points of these streams in place of the shipped ones, for the languages they have.

    Every earlier question counts as kept: more strangers than a cache holds that answers some of them by hits. Equal
    questions are left out, since they need no rule.

    Args:
        artifact: whose trees score.
        rule: made of that artifact, with or without a judge: the points are for the way it decides.
        streams: in order of arrival; questions that share an ``answer_id`` are served by one answer.
        embedder: the one whose vectors the artifact knows.

    Raises:
        BadInput: the streams show no candidate at all.
    """
    outcomes: dict[str, list[tuple[float, bool]]] = {}
    for stream in streams:
        for name, score, right in await _outcomes(rule, stream, embedder, artifact.veto):
            outcomes.setdefault(name, []).append((score, right))
    if not outcomes:
        raise BadInput("no question of the streams has a neighbour that could serve it; calibrate on more questions")
    points: dict[str, list[Point]] = {**artifact.points, **{name: points_of(found) for name, found in outcomes.items()}}
    card = {**artifact.card, "calibrated_on": {stream.name: len(stream.questions) for stream in streams}}
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    made = replace(artifact, version="", date=today, points=points, card=card)
    return replace(made, version=version_of(made))


async def _outcomes(rule: AcceptRule, stream: Stream, embedder: Asks, veto: Collection[Scope]) -> list[tuple[str, float, bool]]:
    policy = CachePolicy.load(None)
    kept: list[_Kept] = []
    vectors: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    found: list[tuple[str, float, bool]] = []
    for place, question in enumerate(stream.questions):
        asked = asked_of(question, stream.language)
        if policy.judge(asked).cache != "alike":
            continue
        vector = await embedder.query(question)
        if kept:
            cosines = np.stack(vectors) @ vector
            nearest = [(kept[other], float(cosines[other])) for other in np.argsort(-cosines)[:NEAREST]]
            best = (await rule.judge(asked, nearest))[0]
            judged = stream.language not in veto and best.candidate.get("judged") is not None
            mode: Mode = "judged" if judged else "plain"
            overruled = DECISIVE & set(best.candidate["differences"])
            right = stream.answer_ids[int(best.entry.entry_id)] == stream.answer_ids[place]
            if not overruled and fold(best.entry.question) != fold(question):
                found.append((f"{stream.language}/{mode}", best.candidate["score"], right))
        kept.append(_Kept(place, question, stream.language))
        vectors.append(vector)
    return found
