"""A stand-in for LangSmith on loopback: what its client calls to trace, judge, evaluate, and to read and fill data sets."""

import json
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import regex
import zstandard

DATASET = "11111111-1111-4111-8111-111111111111"
TENANT = "33333333-3333-4333-8333-333333333333"
_TIME = "2026-11-26T00:00:00+00:00"
_INFO = {
    "version": "0.99.0",
    "instance_flags": {"zstd_compression_enabled": True},
    "batch_ingest_config": {
        "use_multipart_endpoint": True, "size_limit": 100, "size_limit_bytes": 20_971_520, "scale_up_nthreads_limit": 16,
        "scale_up_qsize_trigger": 1000, "scale_down_nempty_trigger": 4,
    },
}  # fmt: skip

Mood = Literal["well", "refusing", "busy", "broken", "slow"]
_STATUS: Mapping[Mood, int] = {"well": 200, "refusing": 422, "busy": 429, "broken": 500, "slow": 200}


@dataclass
class LangSmith:
    """What is served, and what was asked for and told."""

    url: str
    examples: Sequence[Mapping[str, object]]
    """Of the data set "own": inputs and outputs."""
    key: str
    asked: list[str] = field(default_factory=list)
    mood: Mood = "well"
    slow_s: float = 20.0
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By id; a later part of a run goes before an earlier one."""
    feedback: list[dict[str, Any]] = field(default_factory=list)
    datasets: set[str] = field(default_factory=lambda: {"own"})
    """Names of those that there are."""
    added: list[dict[str, Any]] = field(default_factory=list)
    """Examples that were put into a data set."""
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    awake: threading.Event = field(default_factory=threading.Event)

    @property
    def roots(self) -> list[dict[str, Any]]:
        return [run for run in self.runs.values() if not run.get("parent_run_id")]

    def below(self, root: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the runs of a trace in the order of the tree."""
        same = [run for run in self.runs.values() if run["trace_id"] == root["trace_id"]]
        return sorted(same, key=lambda run: str(run["dotted_order"]))

    def found(self, filter: str, *, only_roots: bool) -> list[dict[str, Any]]:
        """Return the runs that fit the filter: an ``and`` of ``has(tags, ..)`` and of pairs of metadata."""
        tags = set(regex.findall(r'has\(tags, "([^"]+)"\)', filter))
        pairs = dict(regex.findall(r'and\(eq\(metadata_key, "([^"]+)"\), eq\(metadata_value, "([^"]+)"\)\)', filter))
        return [
            run
            for run in (self.roots if only_roots else self.runs.values())
            if tags <= set(run.get("tags") or ()) and pairs.items() <= metadata(run).items()
        ]

    def take(self, content_type: str, body: bytes) -> None:
        """Take parts ``post.<id>``, ``patch.<id>``, each with ``.inputs``, ``.outputs``, ``.extra``, and ``feedback.<id>``."""
        message = message_from_bytes(b"content-type: " + content_type.encode() + b"\r\n\r\n" + body)
        for part in message.get_payload():
            assert not isinstance(part, str)  # only parts have names
            name = str(part.get_param("name", header="content-disposition"))
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)  # a leaf
            kind, run_id, *of_run = name.split(".")
            told = json.loads(payload)
            if kind == "feedback":
                self.feedback.append(told)
                continue
            run = self.runs.setdefault(run_id, {})
            run.update({of_run[0]: told} if of_run else {key: value for key, value in told.items() if value is not None})


def metadata(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a run."""
    return dict((run.get("extra") or {}).get("metadata") or {})


@contextmanager
def serve_langsmith(examples: Sequence[Mapping[str, object]] = (), *, key: str = "k", port: int = 0) -> Iterator[LangSmith]:
    """Run the double; who comes with another key is refused."""
    state = LangSmith(url="", examples=examples, key=key)
    server = _Server(("127.0.0.1", port), _Handler)
    server.state = state
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.awake.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    state: LangSmith


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        state, address = self.server.state, urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        state.asked.append(self.path)
        if address.path.endswith("/info"):
            self._reply(200, _INFO)
        elif self.headers.get("x-api-key") != state.key:
            self._reply(401, {"detail": "Unauthorized"})
        else:
            found = _read(state, address.path, query)
            self._reply(404, {"detail": "Not Found"}) if found is None else self._reply(200, found)

    def do_POST(self) -> None:
        state, address = self.server.state, urlsplit(self.path).path
        body = self.rfile.read(int(self.headers["content-length"])) if "content-length" in self.headers else self._chunks()
        state.asked.append(self.path)
        mood = state.mood
        if mood == "slow":
            state.awake.wait(state.slow_s)
        if self.headers.get("x-api-key") != state.key:
            self._reply(401, {"detail": "Unauthorized"})
        elif _STATUS[mood] != 200:
            self._reply(_STATUS[mood], {"detail": mood})
        elif address.endswith("/runs/multipart"):
            if self.headers.get("content-encoding") == "zstd":
                body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
            state.take(self.headers["content-type"], body)
            self._reply(202, {})
        else:
            self._reply(200, _told(state, address, json.loads(body)))

    def do_PATCH(self) -> None:
        session_id = self.path.rpartition("/")[2]
        session = self.server.state.sessions.setdefault(session_id, {})
        session.update(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self._reply(200, {"id": session_id, "tenant_id": TENANT, "reference_dataset_id": DATASET, **session})

    def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _reply(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        # Whoever stopped waiting hears nothing.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _read(state: LangSmith, path: str, query: Mapping[str, str]) -> object | None:
    """Return what there is at an address; None for nothing."""
    what, _, last = path.rpartition("/")
    match what.rpartition("/")[2], last:
        case _, "datasets":
            return [_dataset(query["name"])] if query.get("name") in state.datasets else []
        case "datasets", _:
            return _dataset("own")
        case _, "examples":
            begin, count = int(query.get("offset", 0)), int(query.get("limit", 100))
            found = [_example(number, example) for number, example in enumerate([*state.examples, *state.added])]
            return found[begin : begin + count]
        case "runs", run_id:
            run = state.runs.get(run_id)
            return None if run is None else _run(run)
        case _, "sessions":
            made = [*state.sessions.values()]
            return (
                [one for one in made if one["name"] == query["name"]] or [_session(query["name"])] if "name" in query else made
            )
        case "sessions", session_id:
            return state.sessions.get(session_id)
    return None


def _told(state: LangSmith, path: str, told: Any) -> object:
    """Take something in and return what the client is answered."""
    match path.rpartition("/")[2]:
        case "query":
            found = state.found(told.get("filter") or "", only_roots=bool(told.get("is_root")))
            return {"runs": [_run(run) for run in found], "cursors": {}}
        case "feedback":
            state.feedback.append(told)
            return {}
        case "bulk" | "examples":
            state.added += told if isinstance(told, list) else [told]
            return {}
        case "datasets":
            state.datasets.add(told["name"])
        case "sessions":
            made = {**_session(told["name"]), **told, "tenant_id": TENANT}
            return state.sessions.setdefault(made["id"], made)
    return {"id": str(uuid.uuid4()), "tenant_id": TENANT, "created_at": _TIME, "modified_at": _TIME, **told}


def _session(name: str) -> dict[str, object]:
    return {
        "id": str(uuid.uuid5(uuid.UUID(TENANT), name)),
        "name": name,
        "tenant_id": TENANT,
        "start_time": _TIME,
        "reference_dataset_id": None,
    }


def _dataset(name: str) -> dict[str, object]:
    return {"id": DATASET, "name": name, "description": None, "created_at": _TIME, "data_type": "kv"}


def _example(number: int, example: Mapping[str, object]) -> dict[str, object]:
    return {
        "id": f"22222222-2222-4222-8222-{number:012d}", "dataset_id": DATASET, "created_at": _TIME, "modified_at": _TIME,
        **example,
    }  # fmt: skip


def _run(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run as it is read back."""
    return {"session_id": TENANT, "status": "success", "app_path": "/", **run, "inputs": run.get("inputs") or {}}
