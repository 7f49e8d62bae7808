"""Rows from groups of questions that were written for this project, one wording at a time, and not generated.

Templates give no paraphrase that tells a situation and no near miss of a kind that nobody thought of; these groups do. A line
of a file is a group: wordings of one question in both languages, and near misses of it that need another answer, each with its
kind.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

from groat.errors import GroatError
from training.rows import Row

FOLDER = Path(__file__).with_name("written")
_OWN, _ACROSS = 10, 12
"""Near misses of a group: in each language beside its wordings, across the languages."""


def written_rows(seed: int, folder: Path = FOLDER) -> Iterator[Row]:
    """Yield about fifty rows a group, half of them equal: every pair of wordings, and a choice of pairs with a near miss.

    Args:
        seed: decides which pairs with near misses are taken, and the order.
        folder: of files ``*.jsonl``.

    Raises:
        GroatError: a line is no such group.
    """
    rng = random.Random(seed)
    rows = [row for name, number, group in written_groups(folder) for row in _rows(group, f"written:{name}:{number}", rng)]
    rng.shuffle(rows)
    yield from rows


def written_groups(folder: Path = FOLDER) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Yield the file's name, the number of the line and the group.

    Raises:
        GroatError: a line is no such group.
    """
    for file in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                group = json.loads(line)
                texts = [*group["en"], *group["zh"], *(text for lang in ("en", "zh") for _, text in group[f"near_{lang}"])]
            except (ValueError, KeyError, TypeError) as error:
                raise GroatError(f"{file}, line {number} is no group of questions: {error}") from error
            if not all(isinstance(text, str) and text.strip() for text in texts):
                raise GroatError(f"{file}, line {number} holds something that is no question")
            yield file.stem, number, group


def _rows(group: Mapping[str, Any], name: str, rng: random.Random) -> Iterator[Row]:
    def row(pair: Sequence[str], label: float, lang: str, kind: str) -> Row:
        a, b = rng.sample(list(pair), 2)
        return Row(a, b, label, "same", lang, "written", kind, name, open_licence=True)

    for lang in ("en", "zh"):
        for pair in combinations(group[lang], 2):
            yield row(pair, 1.0, lang, "paraphrase")
        near = [(kind, (text, other)) for (kind, text), other in product(group[f"near_{lang}"], group[lang])]
        for kind, pair in rng.sample(near, min(_OWN, len(near))):
            yield row(pair, 0.0, lang, kind)
    for pair in product(group["en"], group["zh"]):
        yield row(pair, 1.0, "zh-en", "translation")
    crossed = [
        (kind, (text, other))
        for lang, back in (("en", "zh"), ("zh", "en"))
        for (kind, text), other in product(group[f"near_{lang}"], group[back])
    ]
    for kind, pair in rng.sample(crossed, min(_ACROSS, len(crossed))):
        yield row(pair, 0.0, "zh-en", kind)
