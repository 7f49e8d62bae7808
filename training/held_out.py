"""Write the pairs of questions that nothing was trained on, as files for ``groat judge eval``.

python -m training.held_out --data DATA --out FOLDER [--adjudicated]

One file for each source of labelled pairs, for each source that was left out whole, for the help centre's own paraphrases and
near misses, and our own traps; and ``questions.txt``, the keys of all held-out questions, for `groat bench cache-bound --only`.
With --adjudicated, labels that were read and found wrong are turned around (see
``adjudicated.json``): only errors of the judge were read, so the figures on these files are too high, as those on the labels
as they came are too low.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from evals.adjudication import key_of, key_of_text, read_verdicts
from evals.cache_pairs import pairs as helpcentre_pairs
from evals.helpcentre import load_questions
from evals.pair_rows import read_pairs as read_own_pairs
from groat.errors import GroatError
from training.pools import CLUSTERS
from training.rows import Row
from training.sources import PAIRS, UNSEEN, Split, read_pairs, read_stream, split

OWN = Path(__file__).resolve().parent.parent / "evals" / "datasets" / "judge" / "pairs-own.jsonl"
_READ = Path(__file__).with_name("adjudicated.json")


def main(arguments: Sequence[str]) -> None:
    """Write the files and tell how many rows each has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with cache/")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--adjudicated", action="store_true", help="correct the labels that were read and found wrong")
    told = parser.parse_args(arguments)
    verdicts = adjudicated() if told.adjudicated else {}
    told.out.mkdir(parents=True, exist_ok=True)
    for name, rows in held_out(told.data).items():
        turned = sum(_corrected(row, verdicts) != row.label for row in rows)
        with (told.out / f"pairs-{name}.jsonl").open("w", encoding="utf-8") as file:
            for row in rows:
                shown = {"a": row.a, "b": row.b, "same": int(_corrected(row, verdicts)), "lang": row.lang, "kind": row.kind}
                file.write(json.dumps(shown, ensure_ascii=False) + "\n")
        sys.stdout.write(f"pairs-{name}.jsonl: {len(rows):,} rows, {turned} labels turned\n")
    keys = sorted(key_of_text(text) for text in _split(told.data).held)
    (told.out / "questions.txt").write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
    sys.stdout.write(f"questions.txt: {len(keys):,} questions\n")


def held_out(data: Path) -> dict[str, list[Row]]:
    """Return source -> rows that no weights were trained on.

    Raises:
        BadInput: a source is not there or damaged.
    """
    pairs, chosen = {name: read_pairs(data / "cache", name) for name in PAIRS}, _split(data)
    held = {name: [row for row in rows if chosen.holds(row.a, row.b)] for name, rows in pairs.items()}
    held |= {name: read_pairs(data / "cache", name) for name in UNSEEN}
    return {**held, "helpcentre": list(_helpcentre()), "own": list(held_out_own())}


def _split(data: Path) -> Split:
    pairs = {name: read_pairs(data / "cache", name) for name in PAIRS}
    return split(pairs, [row for name in CLUSTERS for row in read_stream(data / "cache", name)])


def _helpcentre() -> Iterable[Row]:
    """Yield the paraphrases and near misses of the help centre: its questions were never rows of the head ``same``."""
    for number, (first, second, expected) in enumerate(helpcentre_pairs(load_questions())):
        if expected != "never" and first["lang"] == second["lang"]:
            a, b, label = first["question"], second["question"], float(expected == "paraphrase")
            yield Row(a, b, label, "same", first["lang"], "helpcentre", expected, f"helpcentre:{number}", open_licence=True)


def held_out_own() -> Iterable[Row]:
    """Yield our own traps and paraphrases."""
    for number, pair in enumerate(read_own_pairs(OWN)):
        kind = pair.kind or "pair"
        yield Row(pair.a, pair.b, float(pair.same), "same", pair.lang, "own", kind, f"own:{number}", open_licence=True)


def adjudicated() -> Mapping[str, int]:
    """Return key of a pair -> whether one answer serves both, as read; pairs that could not be decided are not there.

    Raises:
        BadInput: the file is damaged.
    """
    return read_verdicts(_READ)


def _corrected(row: Row, verdicts: Mapping[str, int]) -> float:
    return float(verdicts.get(key_of(row.a, row.b), row.label))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except GroatError as error:
        sys.exit(str(error))
