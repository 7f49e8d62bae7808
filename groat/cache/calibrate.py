"""Fit the thresholds of the cache on streams of questions, and measure them on streams they were not fitted on."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from groat.cache.calibration import FEATURE_VERSION, Calibration, LanguageCalibration, Measured, version_of
from groat.cache.policy import alike_reason, cacheable
from groat.cache.replay import Outcome, Replay, Stream, upper_bound
from groat.embedding import Matrix
from groat.errors import BadInput
from groat.types import Asked, Language

GRID = tuple(round(0.90 + step * 0.0025, 4) for step in range(40))
"""Thresholds that are tried, 0.90 to 0.9975."""

HELD_OUT = 0.3
"""Share of the question groups that is kept apart to measure on."""

LEAST_HITS = 30
"""Fewer hits than this on the fitting part say nothing about a share of wrong ones."""


def read_stream(path: Path) -> Stream:
    """Read a file of ``{"query", "answer_id", "lang"}`` rows, in arrival order; the name is the file's.

    Raises:
        BadInput: a row is broken, or rows of two languages stand in one file.
    """
    questions, answer_ids, languages = [], [], set()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            questions.append(str(row["query"]))
            answer_ids.append(str(row["answer_id"]))
            languages.add(row["lang"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f'{path}, line {number}: needs JSON with "query", "answer_id" and "lang"') from error
    for language in get_args(Language):
        if languages == {language}:
            return Stream(path.name.removesuffix(".jsonl"), language, questions, answer_ids)
    raise BadInput(f'{path}: every row must have the same "lang", "zh" or "en", not {sorted(map(str, languages))}')


def fit(
    streams: Sequence[Stream],
    vectors: Callable[[Sequence[str]], Matrix],
    *,
    embedder: str,
    max_wrong: Mapping[Language, float],
    date: str,
    only_measured: Sequence[str] = (),
    grid: Sequence[float] = GRID,
) -> Calibration:
    """Choose, per language, the lowest threshold whose share of wrong hits is small enough with 95 % confidence.

    Each stream is split by answer, so that no paraphrase of a fitted question is measured on; each part is replayed from an
    empty cache. The bound is the one-sided Clopper-Pearson bound of wrong hits among hits, after the guard, over the fitting
    parts of the language together. Where no threshold reaches ``max_wrong``, the one with the lowest bound is taken and
    ``reached`` is False: thin data and label noise are then the reason, and the numbers say so.

    Args:
        streams: the questions; questions that the policy refuses are left out.
        vectors: returns the unit vectors of questions.
        embedder: name of the embedder behind ``vectors``.
        max_wrong: largest accepted share of wrong hits among hits, 0..1, per language; languages that it lacks are left out.
        date: the day, ISO 8601.
        only_measured: names of streams that are measured and not fitted on, such as those with unreliable labels.
        grid: the thresholds to try, ascending.

    Raises:
        BadInput: no language has a stream to fit on.
    """
    parts = {stream.name: _parts(stream) for stream in streams}
    languages: dict[Language, LanguageCalibration] = {}
    for language in sorted({stream.language for stream in streams} & max_wrong.keys()):
        named = {s.name: parts[s.name] for s in streams if s.language == language}
        fitted = {name: part for name, part in named.items() if name not in only_measured}
        if fitted:
            replays = {name: _prepared(part[0], vectors, grid[0]) for name, part in fitted.items()}
            held_out = {name: _prepared(part[1], vectors, grid[0]) for name, part in named.items()}
            languages[language] = _choose(replays, held_out, max_wrong[language], grid)
    if not languages:
        raise BadInput("there is no stream to fit on; name at least one that is not only measured")
    calibration = Calibration(
        version="",
        embedder=embedder,
        feature_version=FEATURE_VERSION,
        data_hash=_data_hash(streams),
        rows=sum(len(stream.questions) for stream in streams),
        date=date,
        fitted_on=sorted(s.name for s in streams if s.name not in only_measured),
        languages=languages,
    )
    return Calibration(**{**vars(calibration), "version": version_of(calibration)})


def _choose(
    fitted: Mapping[str, Replay], held_out: Mapping[str, Replay], max_wrong: float, grid: Sequence[float]
) -> LanguageCalibration:
    tried = [(threshold, _together(replay.at(threshold) for replay in fitted.values())) for threshold in grid]
    bounds = [(upper_bound(o.wrong_hits, o.hits) if o.hits >= LEAST_HITS else 1.0, threshold, o) for threshold, o in tried]
    # The lowest bound in place of the highest threshold: with hardly any hits left, a threshold is cautious but unproven.
    within = [one for one in bounds if one[0] <= max_wrong]
    bound, threshold, outcome = min(within, key=lambda one: one[1]) if within else min(bounds, key=lambda one: one[:2])
    by_source: dict[str, Measured] = {name: replay.at(threshold).measured() for name, replay in held_out.items()}
    return LanguageCalibration(
        threshold=threshold,
        max_wrong=max_wrong,
        bound=bound,
        reached=bound <= max_wrong,
        fitted=outcome.measured(),
        held_out=_together(held_out[name].at(threshold) for name in fitted).measured(),
        by_source=by_source,
    )


def _together(outcomes: Iterator[Outcome]) -> Outcome:
    return sum(outcomes, Outcome())


def _prepared(stream: Stream, vectors: Callable[[Sequence[str]], Matrix], floor: float) -> Replay:
    return Replay(stream, vectors(stream.questions), floor=floor)


def _parts(stream: Stream) -> tuple[Stream, Stream]:
    """Return the fitting part and the held-out part, in arrival order, without what the policy keeps out."""
    halves: tuple[list[int], list[int]] = ([], [])
    for place, question in enumerate(stream.questions):
        if _may_match(question, stream.language):
            digest = hashlib.sha256(stream.answer_ids[place].encode()).digest()
            halves[int.from_bytes(digest[:4], "big") / 2**32 < HELD_OUT].append(place)
    fitting, held_out = (
        Stream(
            stream.name, stream.language, [stream.questions[i] for i in half], [stream.answer_ids[i] for i in half]
        )
        for half in halves
    )  # fmt: skip
    return fitting, held_out


def _may_match(question: str, language: Language) -> bool:
    asked: Asked = {
        "text": question, "language": language, "answer_language": language, "search_text": question, "history": [],
        "tenant": "calibration",
    }  # fmt: skip
    return cacheable(asked)[0] and not alike_reason(asked)


def _data_hash(streams: Sequence[Stream]) -> str:
    rows = [[s.name, s.language, s.questions, s.answer_ids] for s in sorted(streams, key=lambda stream: stream.name)]
    return hashlib.sha256(json.dumps(rows, ensure_ascii=True).encode("ascii")).hexdigest()
