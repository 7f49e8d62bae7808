"""Show the questions whose answer shortening lost: which sentence was dropped, and why.

python -m evals.compression_examples --data FILE... --vectors FOLDER [--fit FILE...] [--max-loss 0.02 | --keep R] [--most 10]
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Literal

from typing_extensions import TypedDict

from evals.bench_compress import Given, asked_of
from evals.compression_options import chosen, options_of
from evals.report import hand_over
from groat.compression.compressor import Compressor, Plan
from groat.compression.explain import Line, explain
from groat.compression.selection import subset, tokens_of
from groat.errors import BadInput
from groat.text import count_tokens


class Dropped(Line):
    """A sentence that an answer needs and that was left out."""

    why: Literal["ranked too low", "too long for the room left"]
    """Too low: what ranks before it fills the budget already."""


class Loss(TypedDict):
    """One question whose answer is gone."""

    file: str
    id: str
    lang: str
    kind: str
    question: str
    answer_groups: list[list[str]]
    kept: float
    """Share of the tokens kept, 0..1."""
    sentences: int
    """Of the whole context."""
    estimated_loss: float | None
    """Chance of losing the answer, as estimated at the largest measured share within what was kept; None below all of them."""
    dropped: list[Dropped]
    last_kept: Line
    """The kept sentence of the lowest rank."""


def losses(rows: Sequence[Given], *, max_loss: float | None, keep: float | None) -> list[Loss]:
    """Return the rows that lost their answer.

    Args:
        rows: to look at.
        max_loss: what is promised; or
        keep: the share of the tokens that may be kept.
    """
    return [loss for one in rows if (loss := _loss(one, max_loss=max_loss, keep=keep)) is not None]


def _loss(one: Given, *, max_loss: float | None, keep: float | None) -> Loss | None:
    row, before = one.row, tokens_of(one.row.passages)
    plan = Compressor(one.stop, min_tokens=0 if keep is not None else 160).plan(
        asked_of(row), row.passages, tier="expensive", max_loss=max_loss, before=before,
        max_tokens=None if keep is None else max(int(keep * before), 1),
        question_vector=one.question, sentence_vectors=one.matrices,
    )  # fmt: skip
    if isinstance(plan, str):
        return None
    shorter = [subset(passage, plan.kept[i]) for i, passage in enumerate(row.passages) if plan.kept[i]]
    if row.holds_answer(shorter):
        return None
    lines = explain(one.stop, plan, before)["lines"]
    needed = [flag for passage in row.needed() for flag in passage]
    kept = tokens_of(shorter) / max(before, 1)
    last = max((line for line in lines if line["kept"]), key=lambda line: line["rank"])
    return {
        "file": one.file,
        "id": row.id,
        "lang": row.language,
        "kind": row.kind,
        "question": row.question,
        "answer_groups": row.answer_groups,
        "kept": round(kept, 4),
        "sentences": len(lines),
        "estimated_loss": _estimated(one, plan, kept),
        "dropped": [
            _dropped(line, lines, plan.budget) for line, flag in zip(lines, needed, strict=True) if flag and not line["kept"]
        ],
        "last_kept": last,
    }


def _dropped(line: Line, lines: Sequence[Line], budget: int) -> Dropped:
    before = sum(count_tokens(one["text"]) for one in lines if one["rank"] < line["rank"])
    return {**line, "why": "too long for the room left" if before < budget else "ranked too low"}


def _estimated(one: Given, plan: Plan, kept: float) -> float | None:
    within = {share: chance for share, chance in one.stop.chances(plan.order).items() if share <= kept}
    return round(within[max(within)], 4) if within else None


def told(loss: Loss) -> str:
    """Return a loss for people."""
    chance = "" if loss["estimated_loss"] is None else f", chance of loss estimated at {loss['estimated_loss']:.1%}"
    lines = [
        f"{loss['file']} {loss['id']} ({loss['lang']}, {loss['kind']}): {loss['kept']:.0%} kept{chance}",
        f"  asked:   {loss['question']}",
        f"  answer:  {' and '.join(' / '.join(group) for group in loss['answer_groups'])}",
    ]
    for line in loss["dropped"]:
        lines.append(f"  dropped: {line['why']}: rank {line['rank']} of {loss['sentences']}, {', '.join(line['because'])}")
        lines.append(f"           {line['title']}: {line['text']}")
    last = loss["last_kept"]
    return "\n".join([*lines, f"  last kept: rank {last['rank']}, {', '.join(last['because'])}"])


def main(arguments: Sequence[str]) -> None:
    """Find the losses and print them.

    Raises:
        BadInput: a share is out of its range.
    """
    parser = options_of(__doc__)
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--max-loss", type=float, default=0.02, help="what is promised, 0 to 1")
    either.add_argument("--keep", type=float, help="share of the tokens instead, above 0 and at most 1")
    parser.add_argument("--most", type=int, default=10, help="so many losses at most, evenly spread over all")
    options = parser.parse_args(arguments)
    if options.most < 1 or not 0 < (1.0 if options.keep is None else options.keep) <= 1:
        raise BadInput(f"--most takes 1 or more, --keep a share above 0 and at most 1, not {options.most} and {options.keep}")
    rows, judged_by = asyncio.run(chosen(options))
    max_loss = options.max_loss if options.keep is None else None
    found = losses(rows, max_loss=max_loss, keep=options.keep)
    step = max(len(found) / options.most, 1)
    shown = [found[int(number * step)] for number in range(min(options.most, len(found)))]
    last = f"{len(shown)} shown of {len(found)} losses in {len(rows)} rows, {judged_by}"
    hand_over(shown, options.json_file, [*map(told, shown), last])


if __name__ == "__main__":
    main(sys.argv[1:])
