"""What answers are scored by: plain functions in LangSmith's form, keyword-only, for experiments here and there.

Each takes what it needs of ``inputs`` (a question's row), ``outputs`` (what ``evals.experiments.answer_with`` returns) and
``reference_outputs`` (what is known of the right answer), and returns ``{"key", "score", "comment"}``. A score of None means
that the evaluator does not apply; it counts nowhere.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from typing_extensions import TypedDict

from graph.blame_judging import abstains, answers_rightly
from groat.blame.reference import read_reference, says_enough
from groat.costs.amounts import exact_sum
from groat.text import without_citations
from groat.types import Asked, Attempt
from groat.validation import check_answer
from groat.validation.completeness import language_share
from groat.validation.structure import check_structure


class Score(TypedDict):
    """One evaluator's opinion of one answer."""

    key: str
    score: float | None
    comment: str


Fields = Mapping[str, Any]
Evaluator = Callable[..., Score]


def right(*, outputs: Fields, reference_outputs: Fields) -> Score:
    """Score 1 for a right answer: by strings that must be there, values (numbers, options, dates), containment, or meaning."""
    reference = read_reference(reference_outputs)
    if not says_enough(reference):
        return _score("right", None, "nothing is known of the right answer")
    found = answers_rightly(reference, outputs["asked"], outputs["answer"])
    return _score("right", float(found), "" if found else "it lacks what a right answer holds")


def grounded(*, outputs: Fields) -> Score:
    """Score how well what was sent to the model supports the answer's least supported sentence, 0..1."""
    asked: Asked = outputs["asked"]
    attempt: Attempt | None = outputs["attempt"]
    if not outputs["context"] or attempt is None or not outputs["answer"] or abstains(asked, outputs["answer"]):
        return _score("grounded", None, "nothing was claimed from documents")
    checks = check_answer(asked, attempt, outputs["context"], kind="knowledge")
    support = next((check for check in checks if check["name"] == "support"), None)
    if support is None:
        return _score("grounded", None, "; ".join(check["reason"] for check in checks if not check["passed"]))
    return _score("grounded", support["score"], support["reason"])


def language(*, outputs: Fields) -> Score:
    """Score the share of the answer that is in the language it should be in, 0..1."""
    asked: Asked = outputs["asked"]
    prose = without_citations(outputs["answer"])
    share = language_share(prose, asked["answer_language"]) if prose.strip() else None
    return _score("language", share, f"should be {asked['answer_language']}")


def form(*, inputs: Fields, outputs: Fields) -> Score:
    """Score 1 for an answer that fits the JSON Schema it was asked for."""
    schema = inputs.get("response_schema")
    if not schema:
        return _score("form", None, "no form was asked for")
    check = check_structure(outputs["answer"], schema)
    return _score("form", float(check["passed"]), check["reason"])


def refusal(*, outputs: Fields, reference_outputs: Fields) -> Score:
    """Score 1 when it is said that the documents do not answer exactly where they do not."""
    should = not read_reference(reference_outputs).get("answerable", True)
    does = abstains(outputs["asked"], outputs["answer"])
    said = "refused wrongly" if does and not should else "answered what nothing answers" if should and not does else ""
    return _score("refusal", float(should == does), said)


def cost(*, outputs: Fields) -> Score:
    """Score what the answer cost, in dollars at list prices; None when a price is unknown."""
    amount = outputs["cost_usd"]
    return _score("cost_usd", None if amount is None else float(amount), "" if amount is not None else "a price is unknown")


def latency(*, outputs: Fields) -> Score:
    """Score the time to the whole answer, in milliseconds."""
    return _score("latency_ms", outputs["latency_ms"], "")


def path(*, outputs: Fields) -> Score:
    """Score 1 for an answer without the expensive model; the comment is the way through the graph."""
    boxes = outputs["path"]
    return _score("cheap_path", float("answer_expensive" not in boxes), " > ".join(boxes))


def hit(*, outputs: Fields) -> Score:
    """Score 1 for an answer from the cache."""
    return _score("hit", float(outputs["hit"]), "")


EVALUATORS: Final[tuple[Evaluator, ...]] = (right, grounded, language, form, refusal, cost, latency, path, hit)
QUALITY: Final = ("right", "grounded", "language", "form", "refusal")
"""Keys of those of which more is better, 0..1."""


def total_cost(*, outputs: list[dict[str, Any]]) -> Score:
    """Summary: score the sum of all costs, in dollars; None when one of them is unknown."""
    amounts = [one["cost_usd"] for one in outputs]
    if None in amounts:
        return _score("total_cost_usd", None, f"{amounts.count(None)} of {len(amounts)} answers have an unknown price")
    return _score("total_cost_usd", float(exact_sum(Decimal(amount) for amount in amounts)), "")


def _score(key: str, score: float | None, comment: str) -> Score:
    return {"key": key, "score": None if score is None else round(score, 6), "comment": comment}
