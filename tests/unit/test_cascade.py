"""The cascade on made-up questions: sums that a small model gets wrong when they are long."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from groat.errors import ArtifactError
from groat.validation.cascade import CascadePolicy
from groat.validation.cascade_evidence import FACTS, SHAPE, WORDS, Bought, Offer, Task, same, shape
from groat.validation.cascade_fit import MIN_ROWS, Example, fit, measured
from groat.validation.cascade_model import earlier_sample
from groat.validation.cascade_operating import RATES
from groat.validation.cascade_table import states

OFFERS = {
    "small-0": Offer(model="small-0", input_usd=2e-7, output_usd=6e-7),
    "small-1": Offer(model="small-1", input_usd=3e-7, output_usd=9e-7),
    "big": Offer(model="big", input_usd=1e-5, output_usd=3e-5),
}


def _example(number: int, rng: random.Random, *, dear: bool = False) -> Example:
    hard = rng.random() < 0.3
    right = str(number)
    chances = {"small-0": 0.4 if hard else 0.98, "small-1": 0.5 if hard else 0.97, "big": 0.97}
    offers = {**OFFERS, "big": Offer(model="big", input_usd=1e-7, output_usd=1e-7)} if dear else OFFERS
    task = Task.of("How many apples are in the box?" + " They are red." * (9 if hard else 1), language="en")
    bought = tuple(
        Bought(
            model=name,
            answer=(right if rng.random() < chance else str(number + rng.randint(1, 99)),),
            out_tokens=100 if name == "big" else rng.randint(250, 400) if hard else rng.randint(40, 90),
        )
        for name, chance in chances.items()
    )
    return Example(
        task=task,
        question=f"{number:016x}",
        bought=bought,
        costs=tuple(offers[one.model].cost(task, one.out_tokens) for one in bought),
        qualities=tuple(float(one.answer == (right,)) for one in bought),
        offers=offers,
    )


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    rng = random.Random(3)
    return [_example(number, rng) for number in range(100, 400)]


@pytest.fixture(scope="module")
def artifact(examples: list[Example]) -> dict[str, object]:
    return fit(examples, date="2026-01-01")


@pytest.fixture(scope="module")
def policy(artifact: dict[str, object]) -> CascadePolicy:
    return CascadePolicy.of(json.loads(json.dumps(artifact)))


def _follow(policy: CascadePolicy, one: Example, rate: float | None) -> tuple[float, float, list[str]]:
    """Return quality, dollars, and who was asked."""
    bought: list[Bought] = []
    while True:
        found = policy.assess(one.task, bought, offers=one.offers, reference="big")
        wanted = policy.next_call(found, rate=rate, reference="big")
        if wanted is None:
            places = [one.models.index(each.model) for each in bought]
            spent = sum(one.costs[place] for place in places)
            return one.qualities[one.models.index(found.given)], spent, [each.model for each in bought]
        bought.append(one.bought[one.models.index(wanted)])


def test_the_policy_keeps_its_promise_and_saves_on_questions_it_did_not_see(policy: CascadePolicy) -> None:
    rng = random.Random(8)
    fresh = [_example(number, rng) for number in range(600, 900)]
    rate = policy.rate(fresh[0].task, reference="big", quality=0.98)
    results = [_follow(policy, one, rate) for one in fresh]
    strong = np.mean([one.qualities[-1] for one in fresh])
    saved = 1 - sum(cost for _, cost, _ in results) / sum(one.costs[-1] for one in fresh)
    assert np.mean([quality for quality, _, _ in results]) / strong >= 0.97
    assert saved >= 0.6


def test_a_stricter_promise_never_has_a_higher_rate(policy: CascadePolicy, examples: list[Example]) -> None:
    rates = [policy.rate(examples[0].task, reference="big", quality=quality) for quality in (0.9, 0.95, 0.98)]
    assert all(rate is not None for rate in rates)
    assert rates == sorted(rates, reverse=True)  # type: ignore[type-var]  # none of them is None


def test_agreement_makes_an_answer_more_likely_to_be_right(policy: CascadePolicy) -> None:
    task = Task.of("How many apples are in the box?" + " They are red." * 9, language="en")
    answers = [Bought(model=name, answer=(said,), out_tokens=300) for name, said in (("small-0", "250"), ("small-1", "250.0"))]
    differs = [answers[0], Bought(model="small-1", answer=("251",), out_tokens=300)]
    agreed, parted = (policy.assess(task, each, offers=OFFERS, reference="big") for each in (answers, differs))
    assert agreed.p_right > 0.8 > 0.7 > parted.p_right


def test_two_that_agree_are_given_even_after_a_dearer_model_said_something_else(policy: CascadePolicy) -> None:
    task = Task.of("How many apples are in the box? They are red.", language="en")
    answers = [
        Bought(model=name, answer=(said,), out_tokens=60)
        for name, said in (("small-0", "250"), ("small-1", "250"), ("big", "251"))
    ]
    assert policy.assess(task, answers, offers=OFFERS, reference="big").given in {"small-0", "small-1"}


def test_nothing_is_bought_twice_nor_after_the_last_model(policy: CascadePolicy, examples: list[Example]) -> None:
    for rate in (RATES[0], RATES[30], RATES[-1]):
        for one in examples[:40]:
            asked = _follow(policy, one, rate)[2]
            assert asked
            assert len(asked) == len(set(asked)) <= 3


def test_a_model_that_cannot_be_had_is_never_asked(policy: CascadePolicy, examples: list[Example]) -> None:
    without = {name: offer for name, offer in OFFERS.items() if name != "small-0"}
    for one in examples[:40]:
        found = policy.assess(one.task, [], offers=without, reference="big")
        assert policy.next_call(found, rate=0.1, reference="big") in {"small-1", "big"}


def test_the_strong_model_is_not_asked_where_hardly_anything_may_be_spent(
    policy: CascadePolicy, examples: list[Example]
) -> None:
    asked = [_follow(policy, one, RATES[0])[2] for one in examples[:60]]
    assert all(each[0] == "small-0" and "big" not in each for each in asked)


def test_a_strong_model_that_costs_less_than_the_others_is_asked_at_once() -> None:
    rng = random.Random(3)
    policy = CascadePolicy.of(fit([_example(number, rng, dear=True) for number in range(100, 260)], date="2026-01-01"))
    one = _example(1, random.Random(4), dear=True)
    assert _follow(policy, one, RATES[12])[2] == ["big"]


def test_without_a_rate_the_strong_model_is_asked_and_its_answer_given(policy: CascadePolicy, examples: list[Example]) -> None:
    quality, cost, asked = _follow(policy, examples[0], None)
    assert (quality, cost, asked) == (examples[0].qualities[-1], examples[0].costs[-1], ["big"])


def test_nothing_is_promised_for_questions_or_models_that_were_never_measured(policy: CascadePolicy) -> None:
    sums, code = (
        Task.of("How many apples?", language="en"),
        Task.of("def f(x):\n    return x\nassert f(1) == ??", language="en"),
    )
    assert policy.rate(sums, reference="big", quality=0.9) is not None
    assert policy.rate(sums, reference="another", quality=0.9) is None
    assert policy.rate(code, reference="big", quality=0.9) is None
    unknown = policy.assess(code, [], offers=OFFERS, reference="big")
    assert policy.next_call(unknown, rate=0.1, reference="big") == "big"


def test_why_only_the_strong_model_may_be_asked_is_said(policy: CascadePolicy) -> None:
    sums, code = Task.of("How many apples?", language="en"), Task.of("def f(x):\n    return x", language="zh")
    assert policy.reason(sums, reference="big", quality=0.9) == ""
    assert policy.reason(code, reference="big", quality=0.9) == "too few questions like it were measured: code/zh/big"
    beyond = policy.reason(sums, reference="big", quality=1.5)
    assert beyond.startswith("no measured rate keeps 150.0% of the quality")


def test_agreement_is_believed_as_far_as_it_was_right_in_each_set_of_answers(examples: list[Example]) -> None:
    (found,) = measured(examples)
    both = found.board.weighed[0, 1]
    given = found.board.quality[np.arange(len(examples)), both.place.astype(int)]
    agreed = np.array([same(one.bought[0], one.bought[1], one.task) > 0.999 for one in examples])
    for rows in (agreed, ~agreed):
        assert both.p_right[rows].mean() == pytest.approx(given[rows].mean(), abs=0.08)


def test_the_words_of_a_question_are_hashed_alike_whatever_their_case_and_in_both_languages() -> None:
    one, other = (Task.of(text, language="en").words for text in ("Which INTEGER is prime?", "which integer is prime?"))
    assert one == other
    assert len(one) == WORDS
    assert np.linalg.norm(one) == pytest.approx(5.0)
    said = ("光合作用的场所是哪里？", "光合作用的原料是什么？", "明天下雨吗")
    chinese = [np.array(Task.of(text, language="zh").words) for text in said]
    assert chinese[0] @ chinese[1] > chinese[0] @ chinese[2]
    assert not any(Task.of("", language="zh").words)


def test_a_better_answer_is_never_known_before_it_is_bought(examples: list[Example], policy: CascadePolicy) -> None:
    one = examples[0]
    first = policy.assess(one.task, one.bought[:1], offers=one.offers, reference="big")
    others = [one.bought[0], *(Bought(model=each.model, answer=("0",), out_tokens=1) for each in one.bought[1:])]
    again = policy.assess(one.task, others[:1], offers=one.offers, reference="big")
    assert (first.p_right, first.costs.tolist()) == (again.p_right, again.costs.tolist())


def test_the_same_answers_in_another_order_say_the_same(examples: list[Example], policy: CascadePolicy) -> None:
    one = examples[5]
    forth, back = (policy.assess(one.task, each, offers=one.offers, reference="big") for each in (one.bought, one.bought[::-1]))
    assert (forth.given, forth.p_right) == (back.given, back.p_right)


def test_no_estimate_that_a_rate_is_chosen_on_has_seen_its_question(examples: list[Example]) -> None:
    # Grades that nothing explains: an estimator that saw a question would know its grade, and the policy would look too good.
    rng = random.Random(2)
    noise = [
        Example(**{**vars(one), "qualities": tuple(float(rng.random() < 0.5) for _ in one.bought)}) for one in examples[:160]
    ]
    (found,) = measured(noise)
    best = max(outcome.quality.mean() for outcome in found.outcomes.values())
    assert best < 0.5 + 3 * 0.5 / np.sqrt(160)


def test_the_fit_is_the_same_twice(examples: list[Example]) -> None:
    assert fit(examples[:MIN_ROWS], date="2026-01-01") == fit(examples[:MIN_ROWS], date="2026-01-01")


def test_too_few_rows_are_not_fitted(examples: list[Example]) -> None:
    with pytest.raises(ValueError, match="149 questions with recorded answers are too few"):
        fit(examples[:149], date="2026-01-01")


def test_questions_that_were_fitted_on_are_known(policy: CascadePolicy, examples: list[Example]) -> None:
    assert policy.has_seen(examples[0].question)
    assert not policy.has_seen("f" * 16)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"evidence": "cascade/3", "groups": {}, "joined": {}, "card": {}, "seen": []}']
)
def test_a_damaged_artifact_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cascade.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match="fit it again"):
        CascadePolicy.load(path)


def test_an_artifact_for_other_evidence_is_refused(artifact: dict[str, object]) -> None:
    with pytest.raises(ArtifactError, match="fitted on evidence 'other'"):
        CascadePolicy.of({**artifact, "evidence": "other"})


def test_an_artifact_whose_parts_do_not_fit_is_refused(artifact: dict[str, object]) -> None:
    broken = json.loads(json.dumps(artifact))
    broken["groups"]["plain/en/big"]["models"].pop()
    with pytest.raises(ArtifactError, match="fit it again"):
        CascadePolicy.of(broken)


def test_the_shipped_artifact_can_be_read_and_knows_both_languages() -> None:
    shipped = CascadePolicy.load()
    assert {name.split("/")[1] for name in shipped.groups} == {"en", "zh"}
    found = shipped.assess(Task.of("1+1?", language="en"), [], offers=OFFERS, reference="gpt-nobody")
    assert (found.bought, found.group) == (0, "")


def test_kinds_with_few_rows_are_judged_with_the_largest_group_of_their_language(examples: list[Example]) -> None:
    rng = random.Random(6)
    few = [_example(number, rng) for number in range(900, 900 + 12)]
    formulas = [
        Example(**{**vars(one), "task": Task.of(f"What is $x$ in $x = {number}$?", language="en")})
        for number, one in enumerate(few)
    ]
    policy = CascadePolicy.of(fit([*examples[:MIN_ROWS], *formulas], date="2026-01-01"))
    assert policy.joined == {"formula/en/big": "plain/en/big"}
    assert policy.rate(formulas[0].task, reference="big", quality=0.9) is not None


def test_every_set_of_answers_is_a_state_the_largest_first() -> None:
    assert states(3, 2) == [(0, 1), (0, 2), (1, 2), (0,), (1,), (2,), ()]


def test_a_further_sample_comes_after_the_one_before_it() -> None:
    assert [earlier_sample(name) for name in ("m", "m#2", "m#3", "a#b", "m#1")] == ["", "m", "m#2", "", ""]


def test_an_answer_is_described_by_its_kind_and_by_the_numbers_of_the_question() -> None:
    task = Task.of("Tom has 12 pens and buys 3,000 more.", language="en")
    assert (len(task.facts), len(shape(task, ("3012",)))) == (FACTS, SHAPE)
    assert shape(task, ("12",))[2:6] == (1.0, 0.0, 1.0, 0.0)
    assert shape(task, ("-2.5",))[2:6] == (1.0, 1.0, 0.0, 1.0)
    assert shape(task, (None,))[1] == 1.0
    assert shape(task, ("[1, 2]",))[7] == shape(task, ("True",))[8] == 1.0
    assert np.isfinite(shape(task, ("1e999",))).all()


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
        ("How many integers below 50 are prime?", "formula"),
        ("从五人中选两人，有多少种选法？", "formula"),
        ("A pen costs $5 and a book $10. What do both cost?", "plain"),
        ("怎么修改密码?", "plain"),
    ],
)
def test_what_a_question_asks_for_is_read_from_it(prompt: str, kind: str) -> None:
    assert Task.of(prompt, language="en").kind == kind
