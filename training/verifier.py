"""Fit the accept rule of the answer cache: which kept question may serve, and at which score a promise is kept.

python -m training.verifier --data DATA [--weights all] [--kept FOLDER] [--out groat/cache/verifier.json]

Everything stands on rows that the judge never saw: its held-out pairs, written groups and neighbours. The trees are
cross-fitted in five folds by question, so that the points of the bound stand on scores of trees that never saw the question.
"""

import argparse
import datetime
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from evals.adjudication import key_of
from groat.cache.accept import FLOOR
from groat.cache.evidence import EVIDENCE_VERSION, NAMES
from groat.cache.replay import interval
from groat.cache.template import shared_template
from groat.cache.verifier import Mode, Point, Scope, Trees, Verifier, VerifierArtifact, points_of, version_of
from groat.embedding.bundled import BundledEmbedder
from groat.errors import GroatError
from groat.judge import Judge
from groat.text import fold
from training import verifier_points
from training.held_out import adjudicated, held_out
from training.pools import CLUSTERS, HELD_GROUPS
from training.sources import PAIRS, STREAMS, portion, read_pairs, read_stream, split
from training.verifier_points import Doubt
from training.verifier_rows import Numbers, Requests, Scored, Scorer
from training.written import written_rows

_SHIPPED = Path(__file__).resolve().parent.parent / "groat" / "cache" / "verifier.json"
_FOLDS = 5
_SEED = 7
_WEIGHTS = {"pairs": 0.7, "written": 0.5, "qqp-en": 6.0, "lcqmc-zh": 3.0, "banking77-en": 0.5, "clinc150-en": 0.5}
"""Of one row: made pairs are many, and hard on purpose; what a cache meets stands in the streams."""
_WHOLE = {"qqp-en": 1.0, "lcqmc-zh": 0.6}
"""Of one row of a stream that is played whole, for the trees without the judge."""
_DOUBTED = frozenset({"bq-zh"})
"""Nearly every near pair is a duplicate that nobody linked. Measured, not fitted on."""


def main(arguments: Sequence[str]) -> None:
    """Fit, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with cache/")
    parser.add_argument("--weights", default="all", help="of the judge: all, open, or a folder")
    parser.add_argument("--kept", type=Path, help="folder that keeps what was scored, for another fit")
    parser.add_argument("--doubts", type=Path, help="write the surest wrong hits whose labels nobody read, to be read")
    parser.add_argument("--out", type=Path, default=_SHIPPED)
    told = parser.parse_args(arguments)
    judge = Judge.open(told.weights if told.weights in ("all", "open") else Path(told.weights))
    scorer = Scorer(judge, told.kept)
    pairs = {name: read_pairs(told.data / "cache", name) for name in PAIRS}
    streams = {name: read_stream(told.data / "cache", name) for name in STREAMS}
    chosen = split(pairs, [row for name in CLUSTERS for row in streams[name]])
    fitted_on = {
        "pairs": scorer.scored("pairs", [row for rows in pairs.values() for row in rows if chosen.holds(row.a, row.b)]),
        "written": scorer.scored("written", [row for row in written_rows(3) if portion(row.group) < HELD_GROUPS]),
    }
    played = [scorer.requests(name, rows, chosen) for name, rows in streams.items()]
    whole = [scorer.whole(name, streams[name]) for name in _WHOLE]
    artifact, doubted = fit(fitted_on, played, whole, judge.version)
    if told.doubts:
        told.doubts.write_text(json.dumps(doubted, ensure_ascii=False, indent=1), encoding="utf-8")
    unseen = {name: scorer.scored(name, rows) for name, rows in held_out(told.data).items() if name not in PAIRS}
    artifact = replace(artifact, card={**artifact.card, "unseen": {n: measured(artifact, s) for n, s in unseen.items()}})
    artifact = replace(artifact, version=version_of(replace(artifact, version="")))
    told.out.write_text(artifact.to_json(), encoding="utf-8")
    sys.stdout.write(f"{told.out}: version {artifact.version}\n")


def fit(
    fitted_on: Mapping[str, Scored], played: Sequence[Requests], whole: Sequence[Requests], judge: str
) -> tuple[VerifierArtifact, list[Doubt]]:
    """Return the artifact: trees on all rows, points on streams scored by trees that did not see the question.

    Beside it the wrong hits of the streams whose labels nobody read, the surest first.

    Args:
        fitted_on: labelled pairs with the judge's opinion.
        played: requests of streams that the judge never saw, with its opinion.
        whole: streams with all their requests, without it: in place of those in ``played`` wherever it does not speak.
        judge: version of its weights.
    """
    verdicts = adjudicated()
    played, whole = ([replace(one, scored=_corrected(one.scored, verdicts)) for one in part] for part in (played, whole))
    names = {one.name for one in whole}
    judged = [(name, part, _WEIGHTS[name]) for name, part in fitted_on.items()]
    judged += [(one.name, one.scored, _WEIGHTS[one.name]) for one in played if one.name not in _DOUBTED]
    plain = [each for each in judged if each[0] not in names] + [(one.name, one.scored, _WHOLE[one.name]) for one in whole]
    models: dict[Mode, tuple[list[_Boosted], _Boosted]] = {"judged": _trees("judged", judged), "plain": _trees("plain", plain)}
    unaided = [*whole, *(one for one in played if one.name not in names)]
    scores = [(one, _crossed(models["plain"][0], one.scored)) for one in unaided]
    both = [(one, _crossed(models["plain"][0], one.scored), _crossed(models["judged"][0], one.scored)) for one in played]
    langs = sorted({one.lang for one in unaided})
    points: dict[str, list[Point]] = {f"{lang}/plain": verifier_points.points(_of(lang, scores)) for lang in langs}
    across = _across(fitted_on["written"], {mode: crossed for mode, (crossed, _) in models.items()})
    points |= {f"across/{mode}": across[mode] for mode in models}
    card: dict[str, object] = {
        "rows": {name: len(part.labels) for name, part in fitted_on.items()}
        | {one.name: len(one.scored.labels) for one in [*played, *whole]},
        "requests": {one.name: len(one.asked) for one in [*played, *whole]},
        "auc": _aucs(
            [*((name, part) for name, part in fitted_on.items()), *((one.name, one.scored) for one in played)],
            {mode: crossed for mode, (crossed, _) in models.items()},
        ),
    }
    vetoes = {cast(Scope, lang): verifier_points.veto(_of(lang, both)) for lang in langs}
    made = VerifierArtifact(
        version="", date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(), evidence_version=EVIDENCE_VERSION,
        embedder=BundledEmbedder.name, judge=judge, trees={mode: last.trees() for mode, (_, last) in models.items()},
        points=points, card=card, veto=vetoes,
    )  # fmt: skip
    return made, verifier_points.doubts(scores, verdicts)


Part = tuple[str, Scored, float]
"""Name, rows, and the weight of each."""


def _trees(mode: Mode, parts: Sequence[Part]) -> "tuple[list[_Boosted], _Boosted]":
    """Return trees for each fold that did not see it, and those on all rows."""
    values = np.concatenate([part.values for _, part, _ in parts])
    labels = np.concatenate([part.labels for _, part, _ in parts])
    weights = np.concatenate([np.full(len(part.labels), weight) for _, part, weight in parts])
    folds = np.concatenate([_folds(part.pairs) for _, part, _ in parts])
    crossed = [_Boosted(mode, values[folds != out], labels[folds != out], weights[folds != out]) for out in range(_FOLDS)]
    return crossed, _Boosted(mode, values, labels, weights)


Played = TypeVar("Played", bound=tuple[Any, ...])


def _of(lang: str, parts: Sequence[Played]) -> list[Played]:
    return [part for part in parts if part[0].lang == lang]


class _Boosted:
    """Boosted trees on the evidence, with or without the judge's opinion."""

    def __init__(self, mode: Mode, values: Numbers, labels: NDArray[np.bool_], weights: Numbers) -> None:
        self._mode = mode
        rising = [int(name in ("logit", "cosine")) for name in NAMES]
        self._model = HistGradientBoostingClassifier(
            max_iter=160, learning_rate=0.06, max_leaf_nodes=8, min_samples_leaf=40, l2_regularization=10.0,
            monotonic_cst=rising, early_stopping=False, random_state=_SEED,
        )  # fmt: skip
        # More threads wait for each other longer than they work on so few rows.
        with threadpool_limits(1, user_api="openmp"):
            self._model.fit(_seen(mode, values), labels, sample_weight=weights)

    def scores(self, values: Numbers) -> Numbers:
        """Return log odds, shape (n,)."""
        with threadpool_limits(1, user_api="openmp"):
            return np.asarray(self._model.decision_function(_seen(self._mode, values)), dtype=np.float64)

    def trees(self) -> Trees:
        """Return the trees as plain numbers."""
        nodes = [stage[0].nodes for stage in self._model._predictors]
        size = max(map(len, nodes))
        rows: dict[str, list[list[float]]] = {name: [] for name in ("feature", "threshold", "left", "right", "value")}
        for tree in nodes:
            leaf = tree["is_leaf"].astype(bool)
            own = np.arange(len(tree))
            filler = size - len(tree)
            for name, column in (
                ("feature", np.where(leaf, 0, tree["feature_idx"]).tolist()),
                ("threshold", np.where(leaf, 0.0, tree["num_threshold"]).tolist()),
                ("left", np.where(leaf, own, tree["left"]).tolist()),
                ("right", np.where(leaf, own, tree["right"]).tolist()),
                ("value", np.where(leaf, np.round(tree["value"], 6), 0.0).tolist()),
            ):
                rows[name].append(column + [0] * filler)
        depth = max(int(tree["depth"].max()) for tree in nodes)
        base = float(np.ravel(self._model._baseline_prediction)[0])
        return Trees(base=base, depth=max(1, depth), **rows)  # type: ignore[arg-type]  # indices are whole numbers


def _seen(mode: Mode, values: Numbers) -> Numbers:
    if mode == "judged":
        return values
    blind = values.copy()
    blind[:, NAMES.index("logit")] = 0.0
    return blind


def _folds(pairs: Sequence[tuple[str, str]]) -> NDArray[np.int64]:
    """Return the fold of each pair, the same for pairs that share their first text in order of the alphabet."""
    return np.array([int(portion(min(fold(a), fold(b))) * _FOLDS) for a, b in pairs], dtype=np.int64)


def _crossed(models: Sequence[_Boosted], part: Scored) -> Numbers:
    """Return scores of trees that did not see the pair."""
    folds = _folds(part.pairs)
    found = np.zeros(len(part.pairs))
    for number, model in enumerate(models):
        if (folds == number).any():
            found[folds == number] = model.scores(part.values[folds == number])
    return found


def _corrected(part: Scored, verdicts: Mapping[str, int]) -> Scored:
    """Return the rows with the labels that were read and found wrong turned around."""
    labels = [bool(verdicts.get(key_of(*pair), label)) for pair, label in zip(part.pairs, part.labels, strict=True)]
    return replace(part, labels=np.array(labels, dtype=bool))


def _across(written: Scored, crossed: Mapping[Mode, Sequence[_Boosted]]) -> dict[Mode, list[Point]]:
    """Return points across the languages: no stream has both, so on pairs, where a third would be wrong."""
    places = [place for place, lang in enumerate(written.langs) if lang == "across"]
    points: dict[Mode, list[Point]] = {}
    for mode, models in crossed.items():
        scores = _crossed(models, written)
        points[mode] = points_of([(float(scores[place]), bool(written.labels[place])) for place in places])
    return points


def _aucs(parts: Sequence[tuple[str, Scored]], crossed: Mapping[Mode, Sequence[_Boosted]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, part in parts:
        found[name] = {
            "n": len(part.labels),
            "cosine": _auc(part.labels, part.values[:, NAMES.index("cosine")]),
            "judge": _auc(part.labels, part.values[:, NAMES.index("logit")]),
        } | {str(mode): _auc(part.labels, _crossed(models, part)) for mode, models in crossed.items()}
    return found


def _auc(labels: NDArray[np.bool_], scores: Numbers) -> float | None:
    return round(float(roc_auc_score(labels, scores)), 4) if 0 < labels.sum() < len(labels) else None


def measured(artifact: VerifierArtifact, part: Scored) -> dict[str, object]:
    """Return by language what the rule serves of pairs that nothing was fitted on, at promises of 1, 2 and 5 %."""
    verifier = Verifier(artifact)
    near = part.values[:, NAMES.index("cosine")] >= FLOOR
    servable = near & ~np.array([shared_template(*pair) for pair in part.pairs])
    found: dict[str, object] = {}
    for lang in sorted(set(part.langs)):
        rows = np.array([place for place, one in enumerate(part.langs) if one == lang])
        labels, scores = part.labels[rows], verifier.scores("judged", part.values[rows])
        line: dict[str, object] = {"n": len(rows), "auc": _auc(labels, scores)}
        plain, overruled = verifier.scores("plain", part.values[rows]), artifact.veto.get(lang)  # type: ignore[call-overload]
        for promise in (0.01, 0.02, 0.05):
            least = verifier.least_score(lang, verifier.modes(lang)[0], promise)  # type: ignore[arg-type]  # en, zh or across
            deciding = scores if overruled is None else np.where(scores >= overruled, plain, -np.inf)
            taken = (deciding >= (least[0] if least else np.inf)) & servable[rows]
            line[f"at_{promise:g}"] = {
                "same": _share(taken & labels, labels), "others": _share(taken & ~labels, ~labels),
            }  # fmt: skip
        found[lang] = line
    return found


def _share(taken: NDArray[np.bool_], of: NDArray[np.bool_]) -> list[float]:
    count, whole = int(taken.sum()), int(of.sum())
    return [round(count / whole, 4) if whole else 0.0, *interval(count, whole)]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except GroatError as error:
        sys.exit(str(error))
