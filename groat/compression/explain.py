"""What was kept of a context and why, for people."""

from collections.abc import Sequence
from html import escape

import numpy as np
from typing_extensions import TypedDict

from groat.compression.blocks import text_of
from groat.compression.compressor import Plan
from groat.compression.learned import LearnedStop
from groat.compression.selection import subset, tokens_of
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
    tokens_after: int
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
        "tokens_after": tokens_of(
            [subset(passage, plan.kept[i]) for i, passage in enumerate(context.passages) if plan.kept[i]]
        ),
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
            rank = f"<sup>{line['rank']}</sup>" if line["because"] and line["kept"] else ""
            parts.append(f'<{tag} title="{told}">{escape(passage["text"][start:end])}{rank}</{tag}>')
            at = end
        parts.append(escape(passage["text"][at:]))
        title, name = escape(passage["title"] or passage["document_id"]), escape(passage["document_id"])
        sections.append(f"<section><h2>{title} <small>{name}</small></h2><p>{''.join(parts)}</p></section>")
    kept = sum(line["kept"] for line in explained["lines"])
    return _PAGE.format(
        question=escape(explained["question"]),
        reason=escape(explained["reason"]),
        sentences=f"{kept} of {len(explained['lines'])}",
        tokens=f"{explained['tokens_after']:,} of {explained['tokens_before']:,}",
        sections="\n".join(sections),
    )


_PAGE = """<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{question}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em; }}
section {{ border-top: 1px solid #8884; }}
section p {{ white-space: pre-wrap; overflow-wrap: anywhere; color: #777; }}
mark {{ background: #ffe9a8; color: #000; }}
sup {{ font-size: 0.65em; line-height: 0; padding-left: 0.15em; color: #7a5c00; }}
h1 {{ font-size: 1.5em; overflow-wrap: anywhere; }}
h2 {{ font-size: 1em; margin-bottom: 0; overflow-wrap: anywhere; }}
small {{ font-weight: normal; color: #777; }}
</style>
</head>
<body>
<h1>{question}</h1>
<p>Sent: {sentences} sentences, {tokens} tokens ({reason}). <mark>Marked</mark> sentences are sent, the small number is a
sentence's rank; hold the pointer over one to see what lifted or sank it.</p>
{sections}
</body>
</html>
"""
