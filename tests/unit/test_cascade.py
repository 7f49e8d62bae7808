"""The cascade on made-up questions: sums that a small model gets wrong when they are long."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from groat.errors import ArtifactError
from groat.validation.cascade import ANY, CascadePolicy
from groat.validation.cascade_evidence import Bought, Offer, Task, agreements, current, evidence, same
from groat.validation.cascade_fit import Example, fit

STRONG = Offer(model="big", input_usd=1e-5, output_usd=3e-5)
CHEAP = Offer(model="small", input_usd=2e-7, output_usd=6e-7)


def _example(number: int, rng: random.Random) -> Example:
    hard = rng.random() < 0.3
    right = str(number)
    answers = [right if rng.random() > (0.6 if hard else 0.02) else str(number + rng.randint(1, 9)) for _ in range(3)]
    tokens = [rng.randint(250, 400) if hard else rng.randint(40, 90) for _ in range(3)]
    task = Task.of(f"How many apples are {number} apples?" + " They are red." * (9 if hard else 1), language="en")
    bought = tuple(
        Bought(model=f"small-{place}", answer=(answer,), out_tokens=out)
        for place, (answer, out) in enumerate(zip(answers, tokens, strict=True))
    )
    return Example(
        task=task,
        question=f"{number:016x}",
        bought=bought,
        costs=tuple(CHEAP.cost(task, out) for out in tokens),
        qualities=tuple(float(answer == right) for answer in answers),
        strong=STRONG,
        strong_out_tokens=100,
        strong_quality=1.0,
        strong_cost=STRONG.cost(task, 100),
    )


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    rng = random.Random(3)
    return [_example(number, rng) for number in range(100, 500)]


@pytest.fixture(scope="module")
def artifact(examples: list[Example]) -> dict[str, object]:
    return fit(examples, date="2026-01-01")


@pytest.fixture(scope="module")
def policy(artifact: dict[str, object]) -> CascadePolicy:
    return CascadePolicy.of(json.loads(json.dumps(artifact)))


def _follow(policy: CascadePolicy, one: Example, quality: float) -> tuple[float, float]:
    """Return quality and dollars."""
    threshold = policy.threshold(one.task, strong=one.strong.model, quality=quality)
    spent = 0.0
    for count in range(len(one.bought) + 1):
        found = policy.assess(one.task, one.bought[:count], strong=one.strong)
        action = policy.decide(found, threshold=threshold, offers=len(one.bought))
        if action == "accept":
            return one.qualities[found.place], spent
        if action == "strong":
            break
        spent += one.costs[count]
    return one.strong_quality, spent + one.strong_cost


def test_the_policy_keeps_its_promise_and_saves_on_questions_it_did_not_see(policy: CascadePolicy) -> None:
    rng = random.Random(8)
    fresh = [_example(number, rng) for number in range(600, 1000)]
    results = np.array([_follow(policy, one, 0.98) for one in fresh])
    saved = 1 - results[:, 1].sum() / sum(one.strong_cost for one in fresh)
    assert results[:, 0].mean() >= 0.97
    assert saved >= 0.6


def test_a_stricter_promise_never_accepts_more(policy: CascadePolicy, examples: list[Example]) -> None:
    strict, loose = (
        [policy.threshold(one.task, strong="big", quality=quality) for one in examples[:1]] for quality in (0.995, 0.9)
    )
    assert strict[0] is None or loose[0] is None or strict[0] >= loose[0]


def test_agreement_makes_an_answer_more_likely_to_be_good(policy: CascadePolicy, examples: list[Example]) -> None:
    task = examples[0].task
    answers = [Bought(model="a", answer=("7",), out_tokens=60), Bought(model="b", answer=("7.0",), out_tokens=60)]
    differs = [answers[0], Bought(model="b", answer=("8",), out_tokens=60)]
    agreed, parted = (policy.assess(task, found, strong=STRONG).p_as_good for found in (answers, differs))
    assert agreed > 0.9 > 0.7 > parted


def test_a_promise_that_nothing_keeps_asks_the_strong_model_at_once(policy: CascadePolicy, examples: list[Example]) -> None:
    found = policy.assess(examples[0].task, [], strong=STRONG)
    assert policy.decide(found, threshold=None, offers=3) == "strong"
    assert policy.decide(found, threshold=0.5, offers=0) == "strong"


def test_an_unknown_strong_model_is_judged_with_everything_else(policy: CascadePolicy, examples: list[Example]) -> None:
    other = Offer(model="another", input_usd=1e-5, output_usd=3e-5)
    assert policy.assess(examples[0].task, [], strong=other).group == ANY
    assert policy.assess(examples[0].task, [], strong=STRONG).group == "plain/en/big"


def test_nothing_is_promised_for_questions_or_models_that_were_never_measured(policy: CascadePolicy) -> None:
    sums, code = (
        Task.of("How many apples?", language="en"),
        Task.of("def f(x):\n    return x\nassert f(1) == ??", language="en"),
    )
    assert policy.threshold(sums, strong="big", quality=0.9) is not None
    assert policy.threshold(sums, strong="another", quality=0.9) is None
    assert policy.threshold(code, strong="big", quality=0.9) is None


def test_a_better_answer_is_never_known_before_it_is_bought(examples: list[Example], policy: CascadePolicy) -> None:
    one = examples[0]
    first = policy.assess(one.task, one.bought[:1], strong=STRONG)
    shuffled = [one.bought[0], *reversed(one.bought[1:])]
    assert policy.assess(one.task, shuffled[:1], strong=STRONG) == first


def test_the_fit_is_the_same_twice(examples: list[Example], artifact: dict[str, object]) -> None:
    assert fit(examples, date="2026-01-01") == artifact


def test_too_few_rows_are_not_fitted(examples: list[Example]) -> None:
    with pytest.raises(ValueError, match="149 questions with recorded answers are too few"):
        fit(examples[:149], date="2026-01-01")


def test_questions_that_were_fitted_on_are_known(policy: CascadePolicy, examples: list[Example]) -> None:
    assert policy.has_seen(examples[0].question)
    assert not policy.has_seen("f" * 16)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"evidence": "cascade/1", "groups": {}, "card": {}, "seen": []}'])
def test_a_damaged_artifact_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cascade.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match="fit it again"):
        CascadePolicy.load(path)


def test_an_artifact_for_other_evidence_is_refused(artifact: dict[str, object]) -> None:
    with pytest.raises(ArtifactError, match="fitted on evidence 'other'"):
        CascadePolicy.of({**artifact, "evidence": "other"})


def test_the_shipped_artifact_can_be_read() -> None:
    shipped = CascadePolicy.load()
    task = Task.of("1+1?", language="en")
    assert ANY in shipped.groups
    assert shipped.assess(task, [], strong=STRONG).bought == 0


def test_the_weightiest_answer_is_given_and_the_first_of_equals() -> None:
    task = Task.of("1+1?", language="en")
    answers = [Bought(model=name, answer=(said,), out_tokens=9) for name, said in (("a", "3"), ("b", "2"), ("c", "2.0"))]
    agreed = agreements(answers, task)
    assert current(3, agreed, [1.0, 0.8, 0.8]) == 1
    assert current(3, agreed, [2.0, 0.8, 0.8]) == 0
    assert current(2, agreed, [1.0, 1.0, 1.0]) == 0
    assert [len(evidence(task, answers[:count], agreed)) for count in range(4)] == [4, 11, 14, 18]


def test_blanks_agree_by_share_and_never_with_another_number_of_blanks() -> None:
    task = Task.of("1. A or B?\n2. C or D?", language="zh", blanks=2)
    answers = [Bought(model="a", answer=parts, out_tokens=9) for parts in (("A", "C"), ("A", "D"), ("A",), (None, "C"))]
    assert [same(answers[0], other, task) for other in answers] == [1.0, 0.5, 0.0, 0.5]


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("def f(x):\n    return x\nassert f(1) == ??", "code"),
        ("Which city?\nA. Rome\nB. Oslo\nC. Bonn", "options"),
        ("下列正确的是（ ）\nA．甲\nB．乙\nC．丙", "options"),
        (r"Find $\frac{1}{2} + x$.", "formula"),
        ("A pen costs $5 and a book $10. What do both cost?", "plain"),
        ("怎么修改密码?", "plain"),
    ],
)
def test_what_a_question_asks_for_is_read_from_it(prompt: str, kind: str) -> None:
    assert Task.of(prompt, language="en").kind == kind
