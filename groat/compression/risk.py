"""How likely the answer is among what would be left out."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from groat.compression.context import Context
from groat.compression.stopping import Order
from groat.compression.surface import parts_in, steps_in

SHARES = (0.03, 0.05, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of the tokens that may be kept, beside all of them."""

NAMES = (
    "share", "log_share", "left_mass", "log_left_mass", "best_left", "best_left_gap", "kept_sentences", "spread", "best",
    "third_gap", "asked_lost", "asked_length", "tokens", "passages_left", "cross", "chinese", "steps", "parts",
)  # fmt: skip
"""Columns of ``left_out``, in order."""


def left_out(order: Order) -> NDArray[np.float64]:
    """Return what the sentences beyond a share amount to: one row for each of ``SHARES``, one column for each of ``NAMES``."""
    context = order.context
    belief = order.belief[order.best_first]
    count = len(belief)
    if not count:
        return np.zeros((len(SHARES), len(NAMES)))
    tokens = context.tokens[order.best_first]
    upto = np.cumsum(tokens) / max(int(tokens.sum()), 1)
    chances = np.exp(belief - belief.max())
    chances = chances / chances.sum()
    spread = float(-(chances * np.log(np.maximum(chances, 1e-12))).sum())
    likeliest = np.sort(belief)[::-1]
    best, third = float(likeliest[0]), float(likeliest[min(2, count - 1)])
    best_after = np.append(np.maximum.accumulate(belief[::-1])[::-1], likeliest[-1])
    mass_after = np.append(np.cumsum(chances[::-1])[::-1], 0.0)
    asked_lost = _asked_lost(order)
    owner = context.owner[order.best_first]
    steps, parts = steps_in(context.question), parts_in(context.question)
    rows = []
    for share in SHARES:
        kept = max(int(np.searchsorted(upto, share, side="right")), 1)
        mass, best_left = float(mass_after[kept]), float(best_after[kept])
        rows.append(
            [
                share, np.log(share), mass, np.log(mass + 1e-4), best_left, best_left - best, np.log1p(kept), spread, best,
                third - best, asked_lost[kept - 1], np.log1p(len(context.asked)), np.log1p(int(tokens.sum())),
                1 - len(set(owner[:kept].tolist())) / max(len(context.passages), 1), float(is_cross(context)),
                float(context.language == "zh"), steps, parts,
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
    weights = context.rarity
    held = [word for word in context.asked if word in weights]
    if not held:
        return np.zeros(len(context.texts))
    inside = np.column_stack([context.counts(word) > 0 for word in held])[order.best_first]
    seen = np.maximum.accumulate(inside, axis=0)
    amount = np.array([weights[word] for word in held])
    return np.asarray(((~seen) * amount).sum(axis=1) / amount.sum(), dtype=np.float64)
