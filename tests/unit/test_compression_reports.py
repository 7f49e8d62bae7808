"""What is shown of compression besides its tables: the picture, the losses, where the time goes."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from evals import compression_examples, compression_picture, compression_times
from evals.compression_figures import One, Report, reports_of
from evals.compression_rows import Row
from groat.errors import BadInput

NOISE = {
    "en": "Parcel {n} travels by train to town {n}. ",
    "zh": "包裹{n}由火车运送到{n}号城。",
}
ASKED = {"en": "How does parcel 7 travel?", "zh": "包裹7怎么运送？"}
# In other words than the question, and long.
HIDDEN = {"en": f"some say on a donkey{', slow but sure' * 30}.", "zh": f"有人说骑驴{'，慢而稳' * 30}。"}


def _line(language: str) -> str:
    noise = "".join(NOISE[language].format(n=number) for number in range(60))
    texts = [noise, HIDDEN[language]]
    return json.dumps(
        {
            "id": f"hidden-{language}",
            "source": "made",
            "lang": language,
            "question": ASKED[language],
            "docs": [{"id": f"d{n}", "title": "", "text": text, "gold": n == 1} for n, text in enumerate(texts)],
            "answer_groups": [[{"en": "donkey", "zh": "骑驴"}[language]]],
            "gold_sentences": [{"doc": "d1", "text": HIDDEN[language]}],
        },
        ensure_ascii=False,
    )


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(_line(language) for language in ("en", "zh")), encoding="utf-8")
    return path


def _options(rows: Path, *more: object) -> list[str]:
    return [str(one) for one in ("--data", rows, "--words", "--vectors", rows.parent, *more)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_loss_names_the_dropped_sentence_its_rank_and_what_sank_it(
    rows: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    compression_examples.main(_options(rows, "--keep", "0.1", "--json", "-"))
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    [loss] = [one for one in found if one["lang"] == language]
    [dropped] = loss["dropped"]
    assert dropped["text"] == HIDDEN[language]
    assert dropped["why"] == "ranked too low"
    assert dropped["rank"] > 1
    assert dropped["because"]
    assert 0 < loss["kept"] <= 0.1
    compression_examples.main(_options(rows, "--keep", "0.1", "--most", "1"))
    shown = capsys.readouterr().out
    assert HIDDEN["en"] in shown
    assert "1 shown of 2 losses in 2 rows" in shown


@pytest.mark.parametrize(("budget", "why"), [(5, "ranked too low"), (60, "too long for the room left")])
def test_what_would_have_fitted_before_it_was_reached_was_too_long(budget: int, why: str) -> None:
    lines: list[Any] = [{"rank": 1, "text": "parcel 7 travels by train to town 7."}, {"rank": 2, "text": HIDDEN["en"]}]
    assert compression_examples._dropped(lines[1], lines, budget)["why"] == why


@pytest.mark.parametrize("wrong", [("--keep", "0"), ("--keep", "1.1"), ("--most", "0")])
def test_a_share_or_number_out_of_range_is_refused(rows: Path, wrong: tuple[str, str]) -> None:
    with pytest.raises(BadInput, match="--keep a share"):
        compression_examples.main(_options(rows, *wrong))
    with pytest.raises(BadInput, match="is no file"):
        compression_examples.main(_options(rows.parent / "none.jsonl"))


def test_every_part_is_timed_in_both_languages(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compression_times.main(_options(rows, "--json", "-"))
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert [(one["lang"], one["part"]) for one in found] == [
        (language, part) for language in ("en", "zh") for part in compression_times.PARTS
    ]
    assert all(one["ms_p50"] >= 0 and one["contexts"] == 1 and one["tokens"] > 500 for one in found)


def _reports(language: str) -> list[Report]:
    row = Row(
        id="1", source="made", language="zh" if language == "zh" else "en", question="?", passages=[], answer_groups=[],
        gold=[], gold_documents=frozenset(),
    )  # fmt: skip
    found: list[Report] = []
    for method, setting, kept in (
        ("groat", "keep 0.1", 0.1), ("groat", "keep 0.3", 0.3), ("bm25", "keep 0.1", 0.1), ("groat", "max_loss 0.02", 0.4),
        ("langchain", "recursive k=10", 0.35),
    ):  # fmt: skip
        results = [One(row=row, lost=lost, kept=kept, gold_recall=None, ms=1.0, empty=False) for lost in (True, False, False)]
        found += reports_of(["f"] * 3, results, method=method, setting=setting)
    return found


def test_the_picture_has_a_line_of_panels_for_each_language_and_a_point_for_each_anchor(tmp_path: Path) -> None:
    report, svg = tmp_path / "report.json", tmp_path / "picture.svg"
    report.write_text(json.dumps([*_reports("en"), *_reports("zh")]), encoding="utf-8")
    compression_picture.main([str(report), str(svg)])
    text = svg.read_text(encoding="utf-8")
    assert [one.tag.rpartition("}")[2] for one in ElementTree.fromstring(text)].count("g") == 4
    for expected in ("English, 3 rows", "Chinese, 3 rows", "LangChain, recursive", "k=10", "40% kept", "BM25"):
        assert expected in text
    assert "Chinese" not in compression_picture.picture(_reports("en"))
    with pytest.raises(SystemExit, match=r"REPORT\.json PICTURE\.svg"):
        compression_picture.main([])
