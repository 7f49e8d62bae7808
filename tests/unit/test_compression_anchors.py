"""LangChain's compressors beside groat's on the same rows, and rows that are measured by their gold sentences."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals.bench_compress import Given, at_anchors, at_shares, given
from evals.compression_anchors import SETTINGS, Anchors, splitter_of
from evals.compression_figures import paired_interval
from evals.compression_rows import Row, read_rows
from groat.errors import BadInput, MissingExtra
from serve.cli.bench_compress import compress_command
from tests.fakes import WordEmbedder

pytestmark = pytest.mark.filterwarnings("ignore:`langchain-community` is being sunset:DeprecationWarning")

FACTS = {"en": "A reset link is valid for 20 minutes.", "zh": "重置链接二十分钟内有效。"}


def _noise(language: str, start: int, end: int) -> str:
    # No sentence twice: groat would send it once.
    lines = {"en": "Parcel {n} travels by train to town {n}. ", "zh": "包裹{n}由火车运送到{n}号城。"}
    return "".join(lines[language].format(n=number) for number in range(start, end))


def _raw(language: str, **changed: Any) -> dict[str, Any]:
    texts = [_noise(language, 0, 40), f"{_noise(language, 40, 60)}{FACTS[language]} {_noise(language, 60, 90)}"]
    return {
        "source": "made",
        "lang": language,
        "question": {"en": "How long is a reset link valid?", "zh": "重置链接多久有效？"}[language],
        "docs": [{"id": f"d{n}", "title": "", "text": text, "gold": n == 1} for n, text in enumerate(texts)],
        "answer_groups": [[{"en": "20 minutes", "zh": "二十分钟"}[language]]],
        "gold_sentences": [{"doc": "d1", "text": FACTS[language]}],
        **changed,
    }


def _rows(tmp_path: Path, *raw: dict[str, Any], by_gold: bool = False) -> list[Row]:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in raw), encoding="utf-8")
    return list(read_rows(path, by_gold=by_gold))


async def _given(rows: list[Row]) -> list[Given]:
    found, _ = await given({"rows.jsonl": rows}, [], WordEmbedder(), "2026-11-26")
    return found


async def test_every_setting_of_langchain_is_held_against_groat_at_no_more_tokens(tmp_path: Path) -> None:
    rows = await _given(_rows(tmp_path, _raw("en"), _raw("zh")))
    reports = await at_anchors(rows, Anchors(WordEmbedder()))
    assert len(reports) == 2 * len(SETTINGS)
    for one in reports:
        assert one["groat"] is not None
        assert one["groat"]["kept"] <= one["kept"] or one["empty"]
        assert one["groat"]["ahead"] == pytest.approx(one["groat"]["retention"] - one["retention"])
        assert one["groat"]["ahead_ci"][0] <= one["groat"]["ahead"] <= one["groat"]["ahead_ci"][1]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_chunks_are_those_of_the_documents_and_the_closest_come_back(tmp_path: Path, language: str) -> None:
    [row] = _rows(tmp_path, _raw(language))
    shorten = await Anchors(WordEmbedder()).prepare(row)
    for setting in SETTINGS:
        found = shorten(setting)
        texts = {passage["id"]: passage["text"] for passage in row.passages}
        assert all(chunk["text"] in texts[chunk["id"]] for chunk in found)
        if setting.k is not None:
            assert 0 < len(found) <= setting.k
            assert row.holds_answer(found)


@pytest.mark.parametrize(("language", "chunks"), [("en", 1), ("zh", 1)])
def test_the_documented_splitter_cuts_english_alone(language: str, chunks: int) -> None:
    text = _noise(language, 0, 90)
    found = splitter_of("documented", "en").split_text(text)
    assert (len(found) > chunks) == (language == "en")
    assert len(splitter_of("recursive", language).split_text(text)) > chunks  # type: ignore[arg-type]


async def test_simpler_ways_at_the_same_share_are_compared_row_by_row(tmp_path: Path) -> None:
    reports = at_shares(await _given(_rows(tmp_path, _raw("en"), _raw("zh"))), [0.1], "made")
    told = {(one["lang"], one["method"]): one for one in reports}
    for language in ("en", "zh"):
        assert told[language, "groat"]["groat"] is None
        first = told[language, "truncation"]
        assert (first["retention"], first["groat"] and first["groat"]["ahead"]) == (0.0, 1.0)


def test_the_paired_interval_is_wide_for_few_rows_and_holds_the_difference() -> None:
    low, high = paired_interval(10, 2, 100)
    assert low < 0.08 < high
    assert [low, high] == pytest.approx([0.0082, 0.1487], abs=1e-4)
    assert paired_interval(0, 0, 10)[0] < 0 < paired_interval(0, 0, 10)[1]
    assert paired_interval(3, 0, 3)[1] <= 1


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_yes_or_no_is_measured_by_its_gold_sentences_and_apart(tmp_path: Path, language: str) -> None:
    yes = _raw(language, string_metric=False, answer_groups=[["yes"]])
    assert _rows(tmp_path, yes) == []
    rows = _rows(tmp_path, yes, _raw(language), by_gold=True)
    assert [row.by_strings for row in rows] == [False, True]
    assert sum(flag for passage in rows[0].needed() for flag in passage) == 1
    reports = [one for one in at_shares(await _given(rows), [0.1], "made") if one["method"] in {"gold", "truncation"}]
    assert {(one["method"], one["measured_by"], one["n"], one["retention"], one["gold_recall"]) for one in reports} == {
        ("gold", "answer", 1, 1.0, 1.0),
        ("gold", "gold", 1, 1.0, 1.0),
        ("truncation", "answer", 1, 0.0, 0.0),
        ("truncation", "gold", 1, 0.0, 0.0),
    }


def test_without_langchains_packages_the_command_to_install_them_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evals.compression_anchors.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="pip install langchain-classic langchain-community"):
        Anchors(WordEmbedder())
    with pytest.raises(BadInput, match="--words"):
        compress_command([Path("rows.jsonl")], words=True, anchors=True)
