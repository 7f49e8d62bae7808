import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evals.bench_cascade import Setting, area, report
from evals.cascade_cases import Case, Policies, by_language, cases, fitted
from evals.cascade_resplits import resplits
from evals.cascade_walk import Walker, rows
from evals.recorded import Recorded, read_rows
from groat.costs.prices import PriceTable
from groat.errors import BadInput
from groat.validation.cascade import CascadePolicy
from serve.cli.bench import bench_app

BIG, SMALL, MIDDLE = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18", "claude-3-haiku-20240307"


def _row(number: int, rng: random.Random, *, lang: str = "en", **more: object) -> dict[str, object]:
    hard = rng.random() < 0.3
    models = {}
    for name in (MIDDLE, BIG, SMALL):
        right = name == BIG or rng.random() > (0.5 if hard else 0.02)
        said = number if right else number + rng.randint(1, 9)
        models[name] = {"ok": float(right), "out_tokens": 300 if hard else 60, "answer": f"{said}.0"}
    return {
        "id": str(number), "lang": lang, "prompt": f"How many are {number} apples?", "weak_model": MIDDLE, "strong_model": BIG,
        "weak_ok": 1, "strong_ok": 1, "strong_out_tokens": 100, "models": models, **more,
    }  # fmt: skip


def _file(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(1)
    return _file(tmp_path_factory.mktemp("rows") / "first.jsonl", [_row(number, rng) for number in range(1000, 1190)])


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(2)
    rows = [_row(number, rng, lang="zh" if number % 4 == 0 else "en") for number in range(2000, 2060)]
    return _file(tmp_path_factory.mktemp("rows") / "second.jsonl", rows)


@pytest.fixture(scope="module")
def crossed(first: Path) -> tuple[list[Case], Policies]:
    found, _, _ = cases(read_rows(first), PriceTable())
    policies, folds = fitted(found, found, date="2026-01-01")
    assert folds
    return found, policies


def test_models_stand_in_the_order_of_their_prices_and_the_strong_one_last(first: Path) -> None:
    found, left_out, unpriced = cases(read_rows(first)[:1], PriceTable())
    example = found[0].example
    assert example.models == (SMALL, MIDDLE, BIG)
    assert example.bought[-1].answer == ("1000.0",)
    assert (left_out, unpriced) == (0, [])
    # gpt-4o: 2.50 and 10 dollars per million tokens; the prompt and 30 tokens around it.
    assert example.costs[-1] == pytest.approx((example.task.input_tokens * 2.5 + 100 * 10) / 1e6)


def test_a_row_without_a_price_is_left_out_and_the_model_named(tmp_path: Path) -> None:
    path = _file(tmp_path / "rows.jsonl", [_row(7, random.Random(1), strong_model="nobody-knows-it")])
    assert cases(read_rows(path), PriceTable()) == ([], 1, ["nobody-knows-it"])


def test_no_row_is_judged_by_a_policy_that_saw_its_question(crossed: tuple[list[Case], Policies]) -> None:
    found, policies = crossed
    assert [policies(case).has_seen(case.example.question) for case in found] == [False] * len(found)


def test_another_file_is_judged_by_one_policy_fitted_on_all_rows(first: Path, second: Path) -> None:
    prices = PriceTable()
    found, judged = (cases(read_rows(path), prices)[0] for path in (first, second))
    policies, folds = fitted(found, judged, date="2026-01-01")
    assert not folds
    assert policies(judged[0]).has_seen(found[0].example.question)


def test_the_quality_of_an_answer_changes_nothing_that_is_bought(first: Path) -> None:
    def worse(row: Recorded) -> Recorded:
        return Recorded(**{**vars(row), "others": tuple(type(one)(**{**vars(one), "quality": 0.0}) for one in row.others)})

    rows = read_rows(first)
    shipped = CascadePolicy.load()
    runs = [
        Walker(cases(given, PriceTable())[0], lambda case: shipped).at(1.0) for given in (rows, [worse(row) for row in rows])
    ]
    assert runs[0].cost.tolist() == runs[1].cost.tolist()
    assert runs[0].quality.sum() > runs[1].quality.sum()


def test_the_report_holds_the_plain_rules_beside_the_policy(crossed: tuple[list[Case], Policies]) -> None:
    found, policies = crossed
    setting = Setting(name="x", policy="cross-fitted", quality=0.97, confidence=0.5, left_out=0, unpriced=[])
    result = report(by_language(found)["en"], policies, setting)
    assert (result["n"], result["without_answers"], result["seen_by_artifact"]) == (190, 0, 0)
    assert result["refused"] == {}
    assert result["baselines"]["all_expensive"] == {"quality": 1.0, "saved": 0.0, "strong_share": 1.0}
    rules = {"all_expensive", "all_cheap", "random_at_equal_spend", "longest_at_equal_spend", "oracle", "two_agree"}
    assert set(result["baselines"]) == rules
    assert result["baselines"]["longest_at_equal_spend"]["saved"] >= result["saved"]
    assert result["quality_vs_strong"] >= 0.95
    assert result["saved"] > 0.4
    assert result["quality_ci"][0] <= result["quality_vs_strong"] <= result["quality_ci"][1]
    assert result["baselines"]["random_at_equal_spend"]["saved"] == pytest.approx(result["saved"], abs=2e-4)


def test_rows_unlike_all_that_were_measured_go_to_the_strong_model_and_the_report_says_why(
    crossed: tuple[list[Case], Policies], second: Path
) -> None:
    chinese = by_language(cases(read_rows(second), PriceTable())[0])["zh"]
    setting = Setting(name="x", policy="fitted", quality=0.97, confidence=0.5, left_out=0, unpriced=[])
    result = report(chinese, lambda case: crossed[1](crossed[0][0]), setting)
    assert (result["quality_vs_strong"], result["saved"], result["strong_share"]) == (1.0, 0.0, 1.0)
    assert result["refused"] == {f"too few questions like it were measured: plain/zh/{BIG}": 15}


def test_the_command_reads_several_files_and_tells_languages_apart(first: Path, second: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    arguments = ["cascade", "--data", str(second), str(first), "--fit", str(first), "--quality", "0.97", "--json", str(out)]
    result = CliRunner().invoke(bench_app, arguments)
    assert (result.exit_code, result.output) == (0, "")
    found = json.loads(out.read_text(encoding="utf-8"))
    assert [(one["name"], one["lang"], one["n"], one["policy"]) for one in found] == [
        ("second.jsonl", "en", 45, "cross-fitted"),
        ("second.jsonl", "zh", 15, "cross-fitted"),
        ("first.jsonl", "en", 190, "cross-fitted"),
    ]


def test_a_broken_row_stops_the_command_unless_it_may_be_left_out(first: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text("[]\n" + first.read_text(encoding="utf-8"), encoding="utf-8")
    stopped = CliRunner().invoke(bench_app, ["cascade", "--data", str(broken)])
    assert isinstance(stopped.exception, BadInput)
    went_on = CliRunner().invoke(bench_app, ["cascade", "--data", str(broken), "--skip-bad"])
    assert went_on.exit_code == 0
    assert "line 1: a row must be a JSON object" in went_on.output


def test_samples_of_one_model_are_told_apart_and_keep_their_order(tmp_path: Path) -> None:
    row = {
        "prompt": "选哪个？\nA．甲\nB．乙\nC．丙", "lang": "zh", "weak_model": SMALL, "weak_ok": 0, "weak_out_tokens": 9,
        "weak_samples": [["A"], ["B"], ["B"]], "weak_samples_ok": [0, 1, 1], "strong_model": BIG, "strong_ok": 1,
        "strong_out_tokens": 9, "strong_answer": ["B"],
    }  # fmt: skip
    found, _, _ = cases(read_rows(_file(tmp_path / "rows.jsonl", [row])), PriceTable())
    assert found[0].example.models == (SMALL, f"{SMALL}#2", f"{SMALL}#3", BIG)
    assert [one.answer for one in found[0].example.bought] == [("A",), ("B",), ("B",), ("B",)]


def test_the_area_is_one_half_for_spending_at_random_and_one_for_knowing_all() -> None:
    cheap, strong = rows([(0.0, 1.0, 0.0, 1.0)] * 4), rows([(1.0, 9.0, 1.0, 0.0)] * 4)
    assert area([], cheap, strong) == 0.5
    assert area([(0.0, 1.0)], cheap, strong) == 1.0
    assert area([(0.5, 1.0), (0.6, 0.2), (1.7, 5.0)], cheap, strong) == 0.75
    assert area([], strong, cheap) is None


def test_a_careful_promise_is_seldom_broken_on_the_other_half(first: Path) -> None:
    found, _, _ = cases(read_rows(first), PriceTable())
    table = {(one["loss"], one["confidence"]): one for one in resplits([case.example for case in found], 40)}
    assert set(table) == {(loss, sure) for loss in (0.02, 0.05) for sure in (0.5, 0.95, 0.975)}
    assert max(one["broken"] for (_, sure), one in table.items() if sure == 0.975) <= 0.1
    assert all(one["saved"] <= one["best_saved"] + 0.05 for one in table.values())
    assert table[0.05, 0.5]["saved"] >= table[0.02, 0.975]["saved"]


def test_too_few_rows_to_fit_and_impossible_promises_are_refused(second: Path) -> None:
    for more in (["--fit", str(second)], ["--quality", "1.2"], ["--confidence", "0"], ["--resplits", "-1"]):
        assert isinstance(CliRunner().invoke(bench_app, ["cascade", "--data", str(second), *more]).exception, BadInput)
