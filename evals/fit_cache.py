"""Fit the thresholds of the answer cache on streams of questions.

python -m evals.fit_cache --stream FILE... [--only-measure FILE...] --out groat/cache/calibration.json
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from evals.vectors import VectorFile
from groat.cache.calibrate import fit, read_stream
from groat.cache.replay import Stream
from groat.embedding import Matrix
from groat.embedding.bundled import BundledEmbedder


def main(arguments: Sequence[str]) -> None:
    """Fit and write the calibration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stream", type=Path, nargs="+", required=True, help="rows {query, answer_id, lang}, in arrival order")
    parser.add_argument("--only-measure", type=Path, nargs="*", default=[], help="streams that are reported and not fitted on")
    parser.add_argument("--rows", type=int, help="take only the first rows of each stream")
    parser.add_argument("--max-wrong-en", type=float, default=0.05, help="largest share of wrong hits, as labelled")
    parser.add_argument("--max-wrong-zh", type=float, default=0.15, help="largest share of wrong hits, as labelled")
    parser.add_argument("--vectors", type=Path, default=Path(tempfile.gettempdir()) / "groat-vectors", help="kept vectors")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    embedder = VectorFile(BundledEmbedder(), options.vectors)

    def vectors(texts: Sequence[str]) -> Matrix:
        async def all_of_them() -> list[Matrix]:
            return [await embedder.query(text) for text in texts]

        return np.asarray(asyncio.run(all_of_them()), dtype=np.float32)

    streams = [_first(read_stream(path), options.rows) for path in [*options.stream, *options.only_measure]]
    calibration = fit(
        streams,
        vectors,
        embedder=embedder.name,
        max_wrong={"en": options.max_wrong_en, "zh": options.max_wrong_zh},
        date=datetime.now(UTC).date().isoformat(),
        only_measured=[path.name.removesuffix(".jsonl") for path in options.only_measure],
    )
    embedder.save()
    options.out.write_text(calibration.to_json(), encoding="utf-8")
    for language, point in calibration.languages.items():
        sys.stdout.write(f"{language}: threshold {point.threshold}, bound {point.bound:.4f}, held out {point.held_out}\n")


def _first(stream: Stream, rows: int | None) -> Stream:
    return replace(stream, questions=stream.questions[:rows], answer_ids=stream.answer_ids[:rows])


if __name__ == "__main__":
    main(sys.argv[1:])
