"""Fit the cascade's artifact on recorded answers.

python -m evals.fit_cascade --data FILE... --out groat/validation/cascade.json
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from evals.cascade_cases import cases
from evals.recorded import read_rows
from groat.costs.prices import PriceTable
from groat.validation.cascade_fit import fit


def main(arguments: Sequence[str]) -> None:
    """Fit and write the artifact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="router rows, .jsonl or .jsonl.gz")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    prices = PriceTable()
    found = [case for path in options.data for case in cases(read_rows(path), prices)[0]]
    artifact = fit([case.example for case in found if len(case.example.bought) > 1], date=datetime.now(UTC).date().isoformat())
    options.out.write_text(json.dumps(artifact, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(artifact["card"], indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
