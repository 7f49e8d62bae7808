"""How likely the answer is among what would be left out."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from groat.compression.context import Context
from groat.compression.evidence import rarity
from groat.compression.stopping import Order

SHARES = (0.03, 0.05, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of the tokens that may be kept, beside all of them."""

NAMES = (
    "share", "log_share", "left_mass", "log_left_mass", "best_left", "best_left_gap", "kept_sentences", "spread", "best",
    "third_gap", "asked_lost", "asked_length", "tokens", "passages", "passages_left", "cross", "chinese",
)  # fmt: skip
"""Columns of ``left_out``, in order."""


def left_out(order: Order) -> NDArray[np.float64]:
    """Return what the sentences beyond a share amount to: one row for each of ``SHARES``, one column for each of ``NAMES``."""
    context = order.context
    scores = order.scores[order.best_first]
    tokens = context.tokens[order.best_first]
    upto = np.cumsum(tokens) / max(int(tokens.sum()), 1)
    chances = 1 / (1 + np.exp(-np.clip(scores, -30, 30)))
    chances = chances / max(float(chances.sum()), 1e-9)
    spread = float(-(chances * np.log(np.maximum(chances, 1e-12))).sum())
    asked_lost = _asked_lost(order)
    owner = context.owner[order.best_first]
    rows = []
    for share in SHARES:
        kept = max(int(np.searchsorted(upto, share, side="right")), 1)
        mass = float(chances[kept:].sum())
        best_left = float(scores[kept]) if kept < len(scores) else float(scores[-1])
        rows.append(
            [
                share, np.log(share), mass, np.log(mass + 1e-4), best_left, best_left - scores[0], np.log1p(kept), spread,
                scores[0], scores[min(2, len(scores) - 1)] - scores[0], asked_lost[kept - 1], np.log1p(len(context.asked)),
                np.log1p(int(tokens.sum())), np.log1p(len(context.passages)),
                1 - len(set(owner[:kept])) / max(len(context.passages), 1), float(is_cross(context)),
                float(context.language == "zh"),
            ]
        )  # fmt: skip
    return np.nan_to_num(np.array(rows, dtype=np.float64))


def is_cross(context: Context) -> bool:
    """Tell whether most passages are in another language than the question."""
    languages = Counter(passage["language"] for passage in context.passages)
    return bool(languages) and languages[context.language] * 2 < sum(languages.values())


def _asked_lost(order: Order) -> NDArray[np.float64]:
    """Return for each number of sentences kept the weight of the question's words that stand only in what is left out."""
    context = order.context
    weights = rarity(context.bags)
    held = [word for word in context.asked if word in weights]
    if not held:
        return np.zeros(len(context.texts))
    inside = np.array([[word in context.bags[place] for word in held] for place in order.best_first])
    seen = np.maximum.accumulate(inside, axis=0)
    amount = np.array([weights[word] for word in held])
    return np.asarray(((~seen) * amount).sum(axis=1) / amount.sum(), dtype=np.float64)
