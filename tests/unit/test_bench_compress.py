"""``groat bench compress`` and ``groat compress`` on a few made rows, without vectors."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evals.compression_rows import grouped, read_rows
from groat.compression import LearnedStop
from groat.errors import BadInput
from serve.cli.main import app

NOISE = {
    "en": "Parcels travel by train. Refunds go to the card that paid. The shop opens at nine. Bread is sold by weight. ",
    "zh": "包裹由火车运送。退款退回原卡。商店九点开门。面包按重量出售。",
}


def _row(number: int, language: str) -> dict[str, Any]:
    # In every fifth row the answer stands far from the question's words.
    word = f"street{number}" if language == "en" else f"路{number}号"
    answer = f"Graz{number}"
    near = f"The {word} is in {answer}." if language == "en" else f"{word}在{answer}。"
    if number % 5 == 0:
        near = f"Nobody knows {word}. " if language == "en" else f"没有人知道{word}。"
    far = NOISE[language] + (f"It is in {answer}." if language == "en" else f"就在{answer}。") if number % 5 == 0 else ""
    texts = [NOISE[language] * 2 + near + NOISE[language] + far, NOISE[language] * 3, NOISE[language] * 2]
    return {
        "id": f"{number}",
        "source": f"made-{language}",
        "lang": language,
        "question": f"Where is {word}?" if language == "en" else f"{word}在哪里？",
        "docs": [{"id": f"d{n}", "title": "", "text": text, "gold": n == 0} for n, text in enumerate(texts)],
        "answer_groups": [[answer]],
        "gold_sentences": [{"doc": "d0", "text": near}] if number % 5 else [],
    }


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    found = []
    for language in ("en", "zh"):
        path = tmp_path / f"{language}.jsonl"
        rows = [json.dumps(_row(number, language), ensure_ascii=False) for number in range(1, 31)]
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        found.append(path)
    return found


def _run(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_every_way_is_reported_for_each_file_and_language(files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    _run("bench", "compress", "--data", *files, "--keep", "0.3", "--max-loss", "0.05", "--words", "--json", out)
    reports = json.loads(out.read_text(encoding="utf-8"))
    at_share = {(one["name"], one["method"]): one for one in reports if one["setting"] == "keep 0.3"}
    assert {method for _, method in at_share} == {"groat", "truncation", "tfidf", "bm25", "fused", "gold"}
    for name in ("en.jsonl", "zh.jsonl"):
        assert at_share[name, "gold"]["retention"] == 1.0
        assert all(one["n"] == 30 and one["empty"] == 0 and 0 < one["kept"] <= 0.3 for (file, _), one in at_share.items()
                   if file == name)  # fmt: skip
        assert at_share[name, "groat"]["retention"] >= 0.75
    [promised] = [one for one in reports if one["setting"] == "max_loss 0.05" and one["name"] == "zh.jsonl"]
    assert promised["lost_ci"][0] <= promised["lost"] <= promised["lost_ci"][1]
    assert promised["retention"] == pytest.approx(1 - promised["lost"])


def test_rows_are_judged_by_a_rule_that_has_not_seen_them(files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    _run("bench", "compress", "--data", *files, "--fit", *files, "--keep", "0.3", "--words", "--json", out)
    reports = json.loads(out.read_text(encoding="utf-8"))
    assert {one["judged_by"] for one in reports if one["method"] == "groat"} == {"fitted on other rows"}
    assert "answers kept" in _run("bench", "compress", "--data", files[0], "--rows", "5", "--words").stdout


def test_a_rule_of_ones_own_is_written_and_can_be_read(files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "rule.json"
    shown = _run("compress", "fit", "--data", *files, "--out", out, "--words").stdout
    stop = LearnedStop.load(out)
    assert {"words/foreign/en", "words/foreign/zh"} == stop.limits.keys()
    assert stop.version in shown
    with pytest.raises(BadInput, match="too few"):
        _run("compress", "fit", "--data", files[0], "--rows", "6", "--out", out, "--words")


@pytest.mark.parametrize(
    ("question", "sentence"),
    [("How long is a reset link valid?", "valid for 20 minutes"), ("重置链接多久有效？", "二十分钟内有效")],
)
def test_the_kept_sentences_are_shown_with_reasons(question: str, sentence: str, tmp_path: Path) -> None:
    document, html = tmp_path / "a.md", tmp_path / "a.html"
    text = f"{NOISE['en'] * 4}\nA reset link is valid for 20 minutes.\n重置链接二十分钟内有效。\n{NOISE['zh'] * 4}"
    document.write_text(f"# Links\n\n{text}\n", encoding="utf-8")
    arguments = ("compress", "explain", question, document, "--max-tokens", "40", "--words")
    shown = _run(*arguments, "--html", html).stdout.replace("\n", "")
    [line] = [one for one in json.loads(_run(*arguments, "--json", "-").stdout)["lines"] if sentence in one["text"]]
    assert line["kept"]
    assert line["because"]
    assert f"{line['rank']:>3} " in shown
    assert f"{line['text']}<sup>" in html.read_text(encoding="utf-8")


def test_what_cannot_be_read_or_asked_is_refused(tmp_path: Path, files: list[Path]) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text(json.dumps(_row(1, "en")) + '\n\n{"source": "x"}\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"line 3: not a compression row"):
        list(read_rows(broken))
    told: list[str] = []
    assert len(list(read_rows(broken, told.append))) == 1
    assert len(told) == 1
    with pytest.raises(BadInput, match="is no file"):
        list(read_rows(tmp_path / "none.jsonl"))
    with pytest.raises(BadInput, match="--keep"):
        _run("bench", "compress", "--data", files[0], "--keep", "1.5", "--words")


def test_rows_that_share_a_gold_document_or_an_id_are_one_group(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    first, second, third = _row(1, "en"), _row(2, "en"), _row(3, "en")
    second["docs"][0]["text"] = first["docs"][0]["text"]
    second["answer_groups"] = first["answer_groups"]
    third["id"] = "made-en-1"
    path.write_text("\n".join(json.dumps(one) for one in (first, second, third, _row(4, "en"))), encoding="utf-8")
    groups = grouped(list(read_rows(path)))
    assert groups[0] == groups[1] == groups[2] != groups[3]
