"""``groat route`` as people run it: over real files, records and HTTP; only the vectors are small stand-ins."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from graph.build import build_graph
from graph.route_auditing import open_records
from graph.services import open_services, open_versions
from graph.settings import Settings, read_settings
from groat.costs.amounts import utc_day
from groat.embedding import Vector
from groat.errors import ArtifactError, BadInput, GroatError
from groat.routing import RouterArtifact
from groat.routing.artifact import FORMAT
from groat.routing.estimator import Sight
from groat.routing.features import surface
from groat.routing.look import packed
from groat.routing.records import Decision, Outcome
from groat.routing.rows import Labelled, Side, question_hash
from serve.application import Application
from serve.cli.main import app
from tests.fakes import WordEmbedder
from tests.langsmith_server import serve_langsmith
from tests.model_server import Says, serve_model
from tests.routing import artifact_of
from tests.routing_rows import labelled, raw, write

NAME = "words/256"


class Groat:
    """Runs commands in one data folder."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self._monkeypatch = monkeypatch
        self.use()

    def use(self, **environ: str) -> None:
        """Begin anew with these settings."""
        self.settings: Settings = read_settings(environ, home=self.home / "data")
        services = open_services(self.settings, embeddings=WordEmbedder())
        application = Application(settings=self.settings, services=services, graph=build_graph(services))
        for module in ("route", "route_fit", "route_compare"):
            self._monkeypatch.setattr(f"serve.cli.{module}.load_application", lambda: application)
        self.services = services

    def __call__(self, *arguments: str, typed: str | None = None) -> str:
        done = CliRunner().invoke(app, ["route", *arguments], input=typed)
        if done.exception is not None:
            raise done.exception
        self.told = done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json", "-"))


@pytest.fixture
def groat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Groat:
    return Groat(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("rows") / "own.jsonl", [raw(row) for row in labelled(110)])


def _outcome(row: Labelled, vector: Vector) -> Outcome:
    return Outcome(
        run=row.prompt, at=time.time(), tenant="acme", question=question_hash(row.prompt), language=row.language,
        found="as_good" if row.cheap.ok else "worse", drawn_with=0.01, cost_usd="0.001", calls=1, cheap=row.cheap,
        expensive=row.expensive, similarities=(), documents=0, history_turns=0, embedder=NAME, format=FORMAT,
        look=packed(Sight.of(row.prompt, surface(row.prompt), vector.astype("float64"))),
    )  # fmt: skip


def _record(groat: Groat, rows: list[Labelled]) -> None:
    async def write_down() -> None:
        records = open_records(groat.settings)
        for row in rows:
            await records.add(_outcome(row, await WordEmbedder().query(row.prompt)))

    asyncio.run(write_down())


def test_a_router_is_fitted_looked_at_promoted_and_rolled_back(groat: Groat, rows: Path) -> None:
    fitted = groat.json("fit", "--data", str(rows), "--prior", "none")
    assert (fitted["rows"], fitted["left_out"], fitted["prior"], fitted["embedder"]) == (110, {}, None, NAME)
    assert fitted["points"].keys() >= {"open en", "open zh"}
    listed = groat.json("versions")
    assert listed["current"] == "shipped"
    name = listed["versions"][-1]["name"]
    assert fitted["file"].endswith(f"/routers/{name}.npz")
    assert RouterArtifact.load(Path(fitted["file"])).version == fitted["version"]
    assert f"{fitted['version']} serves now" in groat("promote", fitted["version"])
    assert groat.json("versions")["current"] == name
    assert groat.json("card")["version"] == fitted["version"]
    card = groat("card", "--artifact", name)
    assert f"{name}: version {fitted['version']}, vectors {NAME}" in card
    assert "rows: 110" in card
    assert "promised loss" in card
    open_versions(groat.settings).add(artifact_of(0.1, embedder=NAME, dimensions=256, version="next"))
    groat("promote", "next")
    assert f"{fitted['version']} serves again" in groat("rollback")
    assert groat.json("versions")["current"] == name


def test_what_is_fitted_starts_from_the_router_named_and_says_what_changed(groat: Groat, rows: Path) -> None:
    prior = artifact_of(0.6, embedder=NAME, dimensions=256, version="prior")
    prior.save(groat.home / "prior.npz")
    shown = groat("fit", "--data", str(rows), "--prior", str(groat.home / "prior.npz"), "--max-quality-loss", "0.05")
    assert "110 rows used: 110 written, 0 from records" in shown
    assert [line.split()[:3] for line in shown.splitlines() if line.strip().startswith("before")] == [
        ["before", "en", "55"], ["before", "zh", "55"],
    ]  # fmt: skip
    assert "groat route promote" in shown
    left = "too few rows of open zh, open en, grounded zh, grounded en: on these the shipped router goes on deciding"
    assert left in " ".join(shown.split())
    version = groat.json("versions")["versions"][-1]
    assert (version["prior"], version["rows"]) == ("prior", 110)


def test_records_alone_teach_a_router_without_a_text(groat: Groat) -> None:
    _record(groat, labelled(105))
    told = groat.json("records")
    assert (told["audited"], told["usable"], told["languages"], told["cost"]) == (105, 105, {"en": 53, "zh": 52}, "$0.105000")
    fitted = groat.json("fit", "--records", "--tenant", "acme", "--prior", "none")
    assert (fitted["recorded"], fitted["written"]) == (105, 0)
    with pytest.raises(BadInput, match="no labelled question is left; audits label some"):
        groat("fit", "--records", "--tenant", "other", "--prior", "none")
    assert "105 records of 'acme' dropped" in groat("records", "--tenant", "acme", "--forget")


def test_a_data_set_of_langsmith_teaches_a_router(groat: Groat, monkeypatch: pytest.MonkeyPatch) -> None:
    examples: list[dict[str, object]] = []
    for row in map(raw, labelled(102)):
        examples.append({"inputs": {"question": row.pop("prompt")}, "outputs": row})
    with serve_langsmith(examples) as langsmith:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", langsmith.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "k")
        assert groat.json("fit", "--dataset", "own", "--prior", "none")["rows"] == 102


def test_two_routers_are_compared_on_rows_and_on_records(groat: Groat) -> None:
    versions = open_versions(groat.settings)
    for version, gain in (("blind", 0.0), ("strict", 0.95)):
        versions.add(artifact_of(gain, embedder=NAME, dimensions=256, version=version, points=((0.05, 0.1),)))
    data = write(groat.home / "rows.jsonl", [raw(row) for row in labelled(80)])
    report = groat.json("compare", "strict", "blind", "--data", str(data), "--max-quality-loss", "0.05")
    assert (report["a"]["version"], report["b"]["version"], report["n"]) == ("strict", "blind", 80)
    assert report["verdict"] == "trade"
    _record(groat, labelled(60))
    decision = Decision(
        run="r", at=1.0, tenant="acme", language="en", artifact="strict", tier="expensive", shadow="blind", shadow_tier="cheap"
    )
    asyncio.run(open_records(groat.settings).decided(decision))
    shown = groat("compare", "strict", "blind", "--records")
    assert "60 questions (en 30, zh 30) at a promise of 1.00%" in shown
    assert "1 questions, 0 instead of 1 to the expensive model, 1 decided otherwise" in " ".join(shown.split())


def test_models_are_told_with_their_interval_and_price_in_each_language(groat: Groat, rows: Path) -> None:
    lines = groat.json("models", "--data", str(rows))
    assert [(one["lang"], one["model"], one["n"]) for one in lines] == [
        ("en", "gpt-5.2", 55), ("en", "gpt-5-mini", 55), ("zh", "gpt-5.2", 55), ("zh", "gpt-5-mini", 55),
    ]  # fmt: skip
    for one in lines:
        assert one["ci"][0] <= one["passed"] <= one["ci"][1]
    assert lines[0]["usd_per_1000"] > lines[1]["usd_per_1000"] > 0
    assert "gpt-5-mini" in groat("models", "--data", str(rows))


@pytest.fixture
def test_set(tmp_path: Path) -> Path:
    questions = ("How many eggs are in 3 boxes of 12?", "3 盒 12 个鸡蛋共多少个？")
    return write(tmp_path / "set.jsonl", [{"question": question, "expected": "36"} for question in questions])


@pytest.fixture
def served(groat: Groat) -> Iterator[Any]:
    """Two models over HTTP; the cheap one is right once."""
    with serve_model(Says(text="36")) as strong, serve_model(Says(text="36"), Says(text="35")) as weak:
        groat.use(
            GROAT_CHEAP_MODEL="gpt-5-mini", GROAT_CHEAP_BASE_URL=weak.url, GROAT_CHEAP_API_KEY="k",
            GROAT_EXPENSIVE_MODEL="gpt-5.2", GROAT_EXPENSIVE_BASE_URL=strong.url, GROAT_EXPENSIVE_API_KEY="k",
            GROAT_JUDGE="off",
        )  # fmt: skip
        yield weak, strong


def test_configured_models_are_tried_on_a_test_set_and_every_call_is_billed(groat: Groat, served: Any, test_set: Path) -> None:
    told = json.loads(groat("models", "--data", str(test_set), "--run", "--yes", "--json", "-"))
    assert "gpt-5.2: 2 questions, about $0.0" in groat.told
    passed = {(one["model"], one["lang"]): one["passed"] for one in told["models"]}
    assert passed[("gpt-5.2", "en")] == passed[("gpt-5.2", "zh")] == 1.0
    assert passed[("gpt-5-mini", "en")] + passed[("gpt-5-mini", "zh")] == 1.0
    assert (told["calls"], told["unasked"]) == (4, 0)
    report = asyncio.run(groat.services.books.ledger.day(utc_day(time.time())))
    assert (report.audits.calls, f"{report.audits.cost_usd:f}") == (4, told["cost_usd"])
    assert [server.totals().requests for server in served] == [2, 2]


def test_nothing_is_spent_without_a_yes(groat: Groat, served: Any, test_set: Path) -> None:
    with pytest.raises((BadInput, SystemExit)):
        groat("models", "--data", str(test_set), "--run", typed="n\n")
    assert asyncio.run(groat.services.books.ledger.totals(since=0)).charges == 0


def test_models_that_are_not_configured_are_not_tried(groat: Groat, test_set: Path) -> None:
    with pytest.raises(BadInput, match="no model is configured"):
        groat("models", "--data", str(test_set), "--run", "--yes")


def test_what_cannot_be_fitted_on_changes_nothing_that_serves(groat: Groat, rows: Path) -> None:
    versions = open_versions(groat.settings)
    versions.add(artifact_of(0.1, embedder=NAME, dimensions=256, version="old"))
    groat("promote", "old")
    good = raw(labelled(1)[0])
    one_class = [{**raw(row), "weak_ok": 1} for row in labelled(120)]
    for name, bad, says in (
        ("one-model", [{**good, "strong_model": "gpt-5-mini"}], "has one model only"),
        ("unknown", [{**good, "weak_okay": 1}], "the field 'weak_okay' is not known"),
        ("missing", [{"prompt": "Why?"}], '"weak_ok" is missing'),
        ("contradiction", [good, {**good, "weak_ok": 0.5}], "has another outcome in line 1"),
        ("nan", [{**good, "weak_ok": float("nan")}], "not nan"),
        ("few", [good], "1 rows are too few"),
        ("one-class", one_class, "outcomes of one class only"),
    ):
        with pytest.raises(BadInput, match=says):
            groat("fit", "--data", str(write(groat.home / f"{name}.jsonl", bad)), "--prior", "none")
    with pytest.raises(BadInput, match="name labelled questions"):
        groat("fit", "--prior", "none")
    (groat.home / "broken.npz").write_bytes(b"PK no artifact")
    with pytest.raises(ArtifactError, match="cannot be read"):
        groat("fit", "--data", str(rows), "--prior", str(groat.home / "broken.npz"))
    for version in ("none-such", str(groat.home / "broken.npz")):
        with pytest.raises(GroatError):
            groat("promote", version)
    assert versions.serving()[1].version == "old"
    assert versions.names() == ["old"]


def test_broken_rows_are_left_out_with_leave_and_counted(groat: Groat) -> None:
    data = write(groat.home / "rows.jsonl", [*(raw(row) for row in labelled(101)), {"prompt": "half"}])
    fitted = groat.json("fit", "--data", str(data), "--prior", "none", "--skip-bad")
    assert (fitted["rows"], fitted["left_out"]) == (101, {"broken or contradicting another": 1})
    assert 'line 102: "weak_ok" is missing' in groat.told


def test_a_side_that_costs_what_nobody_knows_is_unknown_and_not_free(groat: Groat) -> None:
    row = labelled(1)[0]
    unknown = Labelled(
        source="s", prompt=row.prompt, language=row.language, cheap=Side(model="secret-7b", ok=1.0), expensive=row.expensive
    )
    lines = groat.json("models", "--data", str(write(groat.home / "rows.jsonl", [raw(unknown)])))
    assert {one["model"]: one["usd_per_1000"] for one in lines}["secret-7b"] is None
