"""What is deployed agrees with itself: the images, the compose file, and the configurations of LangGraph's server."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from evals.processes import BIN
from graph.settings import Settings
from serve.application import ROOT
from serve.cli.main import app

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
SERVICES: dict[str, Any] = COMPOSE["services"]
_NEEDED = {"LANGSERVE_GRAPHS", "LANGGRAPH_AUTH", "LANGGRAPH_HTTP", "LANGGRAPH_STORE", "LANGGRAPH_CHECKPOINTER"}


def _config(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / name).read_text(encoding="utf-8"))
    return found


def test_the_compose_file_names_only_what_it_has() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        assert {volume.partition(":")[0] for volume in service.get("volumes", [])} <= set(COMPOSE["volumes"]), name
        for other in service.get("depends_on", {}):
            assert "healthcheck" in SERVICES[other], f"{name} waits for the health of {other}"


def test_every_image_is_pinned_or_built_here() -> None:
    for name, service in SERVICES.items():
        if "build" in service:
            assert (ROOT / service["build"]["dockerfile"]).is_file()
        elif name != "graph-api":  # built by `langgraph build`
            assert re.search(r":[a-z]*\d", service["image"]), name


def test_ports_are_published_on_this_machine_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_setting_there_is_one_of_groat() -> None:
    given = {name for service in SERVICES.values() for name in service.get("environment", {}) if name.startswith("GROAT_")}
    given |= set(re.findall(r"GROAT_[A-Z_]+", DOCKERFILE))
    assert given
    assert {name.removeprefix("GROAT_").lower() for name in given} <= set(Settings.model_fields)


def test_the_cache_may_forget_and_the_queue_may_not() -> None:
    assert "allkeys-lru" in SERVICES["redis"]["command"]
    assert "noeviction" in SERVICES["queue"]["command"]


def test_the_image_copies_what_there_is_and_runs_a_command_of_groat() -> None:
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        assert all((ROOT / source).exists() for source in line.split()[:-1]), line
    found = re.search(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    assert found is not None
    groat, command, *options = json.loads(found[1])
    commands: Any = typer.main.get_command(app)
    known = {name for one in commands.commands[command].params for name in one.opts}
    assert groat == "groat"
    assert {option for option in options if option.startswith("--")} <= known
    assert f"EXPOSE {options[-1]}" in DOCKERFILE
    assert SERVICES["groat"]["ports"][0].endswith(f":{options[-1]}")


@pytest.mark.parametrize("secret", [".env", ".groat", ".git"])
def test_no_image_holds_keys_or_data_of_this_machine(secret: str) -> None:
    assert secret in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_langgraph_makes_a_dockerfile_of_our_configuration(tmp_path: Path) -> None:
    made = tmp_path / "Dockerfile"
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "PATH": str(BIN)}
    subprocess.run([BIN / "langgraph", "dockerfile", made], cwd=ROOT, env=quiet, check=True, capture_output=True)
    text = made.read_text(encoding="utf-8")
    told = dict(re.findall(r"^ENV (\w+)='(.+)'$", text, re.MULTILINE))
    assert set(told) == _NEEDED
    config = _config("langgraph.json")
    assert json.loads(told["LANGGRAPH_AUTH"]) == config["auth"]
    assert json.loads(told["LANGSERVE_GRAPHS"]) == config["graphs"]
    assert json.loads(told["LANGGRAPH_HTTP"]) == config["http"]
    # A bound such as >=3 would be a redirection in the line that installs.
    assert not re.search(r"^RUN .*uv pip install[^\n]*[<>]", text, re.MULTILINE)


def test_workers_on_postgres_run_the_same_graph_behind_the_same_door() -> None:
    here, there = _config("langgraph.json"), _config("deploy/langhost.json")
    for name in ("graphs", "auth", "store", "checkpointer"):
        assert there[name] == here[name]
    assert there["http"] == {
        name: value for name, value in here["http"].items() if name not in ("app", "enable_custom_route_auth")
    }
