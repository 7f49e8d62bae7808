"""What the metrics say of questions, as Prometheus reads it; the dashboard asks for nothing else."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from graph.telling import attend
from groat.tracing import metrics
from groat.tracing.opening import Tracing
from groat.tracing.outbox import Outbox, Sent
from tests.graph.conftest import GOOD, QUESTION, WRONG, MakeWorld
from tests.graph.test_bill import GOOD_REPLY, Scripts
from tests.model_server import ModelServer, serve_model
from tests.otlp_server import serve_collector
from tests.served import ServedWorld, open_world

ROOT = Path(__file__).parents[2]
ZH = "新密码至少要有多少个字符？"
Samples = dict[str, list[tuple[dict[str, str], float]]]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[CollectorRegistry]:
    found = CollectorRegistry()
    meters = MeterProvider([PrometheusMetricReader(scope_info_enabled=False, registry=found)], shutdown_on_exit=False)
    monkeypatch.setattr(metrics, "_instruments", metrics.Instruments(meters.get_meter("groat")))
    yield found
    meters.shutdown()


def _read(registry: CollectorRegistry) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((dict(sample.labels), float(sample.value)))
    return found


def _by(samples: Samples, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for told, value in samples[name]:
        key = tuple(told[label] for label in labels)
        found[key] = found.get(key, 0) + value
    return found


async def test_questions_hits_routes_and_escalations_are_counted(make_world: MakeWorld, registry: CollectorRegistry) -> None:
    world = make_world([WRONG], [GOOD])
    for question in (QUESTION, QUESTION, ZH):
        await world.ask(question)
    told = _read(registry)
    assert _by(told, "groat_requests_total", "outcome", "language") == {
        ("expensive", "en"): 1, ("hit_exact", "en"): 1, ("unverified", "zh"): 1
    }  # fmt: skip
    assert _by(told, "groat_cache_lookups_total", "outcome", "tier") == {("miss", "none"): 2, ("hit", "exact"): 1}
    assert _by(told, "groat_routes_total", "tier") == {("cheap",): 2}
    assert _by(told, "groat_verdicts_total", "step", "tier")[("escalate", "cheap")] == 2
    assert _by(told, "groat_box_duration_seconds_count", "box")[("check_cache",)] == 3
    assert sum(_by(told, "groat_request_duration_seconds_count", "outcome").values()) == 3


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serve_model(GOOD_REPLY) as started:
        yield started


async def test_money_and_tokens_are_those_of_the_ledger(
    tmp_path: Path, server: ModelServer, registry: CollectorRegistry
) -> None:
    world: ServedWorld = await open_world(tmp_path)
    server.answer_with(Scripts(["broken", "drop", WRONG], [GOOD]))
    here = world.with_models(server)
    outputs = [await here.ask(stream="live") for _ in range(2)]
    told = _read(registry)
    ledger = float(await here.cost())
    assert sum(_by(told, "groat_cost_total", "tier").values()) == pytest.approx(ledger)
    paid = here.paid()
    tokens = _by(told, "groat_tokens_total", "type", "purpose")
    assert tokens[("input", "answer")] == sum(row[1] for row in paid)
    assert tokens[("output", "answer")] == sum(row[2] for row in paid)
    baseline = sum(float(output["baseline_cost_usd"] or "nan") for output in outputs)
    assert sum(_by(told, "groat_saved", "outcome").values()) == pytest.approx(baseline - ledger)
    assert sum(_by(told, "groat_baseline_total", "outcome").values()) == pytest.approx(baseline)
    calls = told["gen_ai_client_operation_duration_seconds_count"]
    assert sum(value for _, value in calls) == len(server.bill)
    assert {labels.get("error_type", "") for labels, _ in calls} == {"", "server", "connection"}


async def test_no_metric_names_a_tenant_or_holds_a_text(make_world: MakeWorld, registry: CollectorRegistry) -> None:
    await make_world().ask()
    text = generate_latest(registry).decode()
    assert "acme" not in text
    assert QUESTION not in text


async def test_the_dashboard_asks_only_for_metrics_that_there_are(
    make_world: MakeWorld, tmp_path: Path, server: ModelServer, registry: CollectorRegistry
) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    here = (await open_world(folder)).with_models(server)
    server.answer_with(Scripts(["broken", GOOD]))
    await here.ask(stream="live")
    await make_world(priced_as=("no-such-model", "gpt-5.2")).ask("Are gift cards refunded?")
    full: Outbox[int] = Outbox("spans", lambda items: Sent.TAKEN, most_bytes=1)
    full.put([1], 2)
    attend(Tracing(others=[full]), here.services)
    metrics.instruments().bound.set(0.01, {"language": "zh"})
    there = _read(registry)
    labels = {name: {label for told, _ in samples for label in told} for name, samples in there.items()}
    dashboard = json.loads((ROOT / "docs" / "grafana-groat.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"\b(?:groat|gen_ai_client)_\w+", query)}
    assert asked - set(there) == set()
    for query in queries:
        (name, *_) = re.findall(r"\b(?:groat|gen_ai_client)_\w+", query)
        named = {label for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(", ")} - {""}
        assert named - labels[name] == set(), query


def test_a_process_serves_what_its_settings_say_and_sends_spans_when_it_ends(tmp_path: Path) -> None:
    code = """
import asyncio, os
from urllib.request import urlopen
from serve.application import load_application
from graph.asking import ask
from graph.context import Context
app = load_application()
print(asyncio.run(ask(app.graph, "How long is a link valid?", Context()))["error"] == "")
print(urlopen("http://127.0.0.1:" + os.environ["GROAT_METRICS_PORT"]).read().decode())
"""
    with serve_collector() as collector, serve_collector() as free:
        port = free.url.rpartition(":")[2]
    with serve_collector() as collector:
        environ = {
            "PATH": "/usr/bin:/bin", "GROAT_DATA_DIR": str(tmp_path), "GROAT_METRICS_PORT": port, "GROAT_JUDGE": "off",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", code], env=environ, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
        )
    assert done.stdout.startswith("True\n")
    assert 'groat_requests_total{language="en"' in done.stdout
    assert "groat" in collector.names
    assert "check_cache" in collector.names
    assert collector.metrics >= 1
