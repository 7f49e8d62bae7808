"""Records of compression: what is kept of a question that was tried again in full, and that it can be learned from."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evals.compression_rows import recorded_rows
from groat.compression.records import CompressionRecords, Outcome, supporting, training_row
from groat.errors import BadInput, StorageError
from serve.cli.main import app
from tests.fakes import asked, passage
from tests.fresh import forget_application

DAY = 86_400.0


def _outcome(run: str = "r1", **changed: Any) -> Outcome:
    made = Outcome(
        run=run, at=1_000 * DAY, tenant="acme", language="en", tier="cheap", rule="v1", tokens_before=2_000, tokens_after=500,
        mended=True, cost_usd="0.002",
    )  # fmt: skip
    return replace(made, **changed)


@pytest.fixture(autouse=True)
def _an_application_of_its_own() -> Iterator[None]:
    forget_application()
    yield
    forget_application()


@pytest.fixture
def records(tmp_path: Path) -> CompressionRecords:
    return CompressionRecords(tmp_path / "compression.sqlite", keep_days=30, most=3)


async def test_the_end_of_a_question_replaces_its_beginning(records: CompressionRecords, tmp_path: Path) -> None:
    begun = _outcome(mended=None, cost_usd=None)
    await records.add(begun)
    assert await records.begun("r1") == begun
    await records.add(_outcome(row="{}"))
    assert await records.outcomes() == [_outcome(row="{}")]
    assert await records.begun("other") is None
    assert (tmp_path / "compression.sqlite").stat().st_mode & 0o077 == 0


async def test_tenants_are_kept_apart_and_forgotten_apart_and_what_is_old_or_too_much_goes(records: CompressionRecords) -> None:
    await records.add(_outcome("old", at=900 * DAY))
    for number in range(5):
        await records.add(_outcome(f"r{number}", at=1_000 * DAY + number))
    await records.add(_outcome("b", tenant="other"))
    assert [one.run for one in await records.outcomes(tenant="acme")] == ["r2", "r3", "r4"]
    assert await records.forget("acme") == 3
    assert [one.run for one in await records.outcomes()] == ["b"]
    assert await records.forget(None) == 1


@pytest.mark.parametrize("damage", ["newer", "bytes"])
async def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "compression.sqlite"
    if damage == "newer":
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
    else:
        path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="update groat" if damage == "newer" else "records of compression .* are damaged"):
        await CompressionRecords(path).outcomes()


TEXTS = {
    "en": ("Parcels travel by train. The shop opens at nine. A reset link is valid for 20 minutes. Bread is sold by weight.",
           "The reset link stays valid for 20 minutes. [d0]", "A reset link is valid for 20 minutes."),
    "zh": ("包裹由火车运送。商店九点开门。重置密码的链接二十分钟内有效。面包按重量出售。",
           "重置密码的链接在二十分钟内有效。[d0]", "重置密码的链接二十分钟内有效。"),
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_mended_question_becomes_a_row_whose_gold_is_what_stands_for_the_answer(language: str) -> None:
    text, answer, sentence = TEXTS[language]
    question = {"en": "How long is a reset link valid?", "zh": "重置密码的链接多久有效？"}[language]
    passages = [passage("Nothing of it is here."), passage(text, document="d1")]
    written = training_row(asked(question), passages, answer, run="r1")
    assert written is not None
    [row] = recorded_rows([written])
    assert (row.by_strings, row.language, row.question, row.source) == (False, language, question, "records")
    assert [text for _, text in row.gold] == [sentence]
    assert [flag for part in row.needed() for flag in part] == [False, False, False, True, False]
    assert row.holds_answer(row.passages)
    assert not row.holds_answer(row.passages[:1])


def test_an_answer_that_nothing_stands_for_makes_no_row() -> None:
    passages = [passage("Parcels travel by train.")]
    assert supporting("Purple elephants juggle tomatoes.", passages) == []
    assert training_row(asked("Why?"), passages, "Purple elephants juggle tomatoes.", run="r") is None
    assert supporting("", passages) == supporting("Trains.", []) == []


def test_the_command_sums_up_forgets_and_hands_rows_to_the_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROAT_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["compress", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout

    async def fill() -> None:
        kept = CompressionRecords(tmp_path / "compression.sqlite")
        row = training_row(asked("How long is a reset link valid?"), [passage(TEXTS["en"][0])], TEXTS["en"][1], run="r1")
        for one in (_outcome("r1", row=row), _outcome("r2", mended=False), _outcome("r3", mended=None, cost_usd=None)):
            await kept.add(replace(one, at=4e9))

    asyncio.run(fill())
    [told] = json.loads(run("records", "--json", "-"))
    assert told == {
        "rule": "v1", "language": "en", "tier": "cheap", "tried": 2, "mended": 1, "kept": 0.25, "cost_usd": "0.004", "rows": 1,
        "open": 1,
    }  # fmt: skip
    assert "tried again" in run("records")
    with pytest.raises(BadInput, match="1 rows are too few"):
        run("fit", "--records", "--words", "--out", str(tmp_path / "rule.json"))
    with pytest.raises(BadInput, match="--records"):
        run("fit", "--out", str(tmp_path / "rule.json"))
    assert "3 records of acme forgotten" in run("records", "--forget", "acme")
    assert json.loads(run("records", "--json", "-")) == []


@pytest.mark.parametrize("whose", [["--tenant", "acme"], ["--all"]], ids=str)
def test_what_is_forgotten_of_a_tenant_is_forgotten_in_the_records_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whose: list[str]
) -> None:
    monkeypatch.setenv("GROAT_DATA_DIR", str(tmp_path))
    records = CompressionRecords(tmp_path / "compression.sqlite")

    async def kept() -> list[str]:
        return [one.tenant for one in await records.outcomes()]

    async def fill() -> None:
        for tenant in ("acme", "other"):
            await records.add(_outcome(tenant, tenant=tenant, at=4e9))

    asyncio.run(fill())
    result = CliRunner().invoke(app, ["forget", *whose])
    assert result.exit_code == 0
    assert asyncio.run(kept()) == ([] if whose == ["--all"] else ["other"])
