"""What was kept of a context and why, for people."""

from collections.abc import Sequence
from html import escape

import numpy as np
from typing_extensions import TypedDict

from groat.compression.blocks import text_of
from groat.compression.compressor import Plan
from groat.compression.learned import LearnedStop
from groat.types import Passage

_MOST_REASONS = 3


class Line(TypedDict):
    """One sentence of the context."""

    document: str
    title: str
    start: int
    """Where it stands in the passage's text, in characters."""
    end: int
    text: str
    kept: bool
    rank: int
    """1 is the sentence that matters most."""
    score: float
    because: list[str]
    """The evidence that lifts it most above the other sentences, or sinks it most, strongest first: a name and a number."""


class Explained(TypedDict):
    """A context, sentence by sentence."""

    question: str
    reason: str
    tokens_before: int
    chances: dict[str, float]
    """For each share of the tokens how likely the answer would be lost there, as estimated, 0..1."""
    lines: list[Line]


def explain(stop: LearnedStop, plan: Plan, tokens_before: int) -> Explained:
    """Return the plan in words and numbers."""
    context, order = plan.context, plan.order
    lifted, names = stop.contributions(context)
    ranks = np.empty(len(order.best_first), dtype=np.intp)
    ranks[order.best_first] = np.arange(1, len(order.best_first) + 1)
    lines: list[Line] = []
    for place, (i, j) in enumerate(context.places):
        passage = context.passages[i]
        strongest = np.argsort(-np.abs(lifted[place]), kind="stable")[:_MOST_REASONS]
        lines.append(
            {
                "document": passage["document_id"],
                "title": passage["title"],
                "start": passage["sentences"][j][0],
                "end": passage["sentences"][j][1],
                "text": text_of(passage, j),
                "kept": j in plan.kept[i],
                "rank": int(ranks[place]),
                "score": round(float(order.scores[place]), 3),
                "because": [f"{names[one]} {lifted[place, one]:+.2f}" for one in strongest if abs(lifted[place, one]) >= 0.005],
            }
        )
    return {
        "question": context.question,
        "reason": plan.reason,
        "tokens_before": tokens_before,
        "chances": {f"{share:g}": round(chance, 4) for share, chance in stop.chances(order).items()},
        "lines": lines,
    }


def lines_of(passages: Sequence[Passage]) -> list[Line]:
    """Return all sentences as kept, none better than another, for a context that is sent as it is."""
    return [
        {
            "document": passage["document_id"], "title": passage["title"], "start": start, "end": end,
            "text": passage["text"][start:end], "kept": True, "rank": 1, "score": 0.0, "because": [],
        }
        for passage in passages
        for start, end in passage["sentences"]
    ]  # fmt: skip


def page(explained: Explained, passages: Sequence[Passage]) -> str:
    """Return one HTML page without scripts or links: every passage, the kept sentences marked, the evidence as their titles."""
    lines = iter(explained["lines"])
    sections = []
    for passage in passages:
        at, parts = 0, []
        for start, end in passage["sentences"]:
            line = next(lines)
            told = escape(f"rank {line['rank']}, score {line['score']}: {', '.join(line['because'])}", quote=True)
            tag = "mark" if line["kept"] else "span"
            parts.append(escape(passage["text"][at:start]))
            parts.append(f'<{tag} title="{told}">{escape(passage["text"][start:end])}</{tag}>')
            at = end
        parts.append(escape(passage["text"][at:]))
        title = escape(passage["title"] or passage["document_id"])
        sections.append(f"<section><h2>{title}</h2><p>{''.join(parts)}</p></section>")
    return _PAGE.format(
        question=escape(explained["question"]), reason=escape(explained["reason"]), sections="\n".join(sections)
    )


_PAGE = """<!doctype html>
<html>
<head>
<meta charset="utf-8">
<title>{question}</title>
<style>
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em; color: #222; }}
p {{ white-space: pre-wrap; overflow-wrap: anywhere; color: #666; }}
mark {{ background: #ffe9a8; color: #000; }}
h2 {{ font-size: 1em; margin-bottom: 0; }}
</style>
</head>
<body>
<h1>{question}</h1>
<p>{reason}</p>
{sections}
</body>
</html>
"""
