"""Processor time of one exact hit, from the request's bytes to the reply's, in one process and without a network.

python -m serve.bench_hit [--requests 600] [--rounds 5] [--profile 40] [--json FILE]

The time of all threads is counted, and what is written when nobody waits as well. The least of several rounds is what the
work takes; what lies above it is the machine's other load.
"""

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any, Final

from rich.table import Table
from starlette.types import ASGIApp, Message, Scope

from evals.bench_http import DOCUMENTS, EQUAL, asking
from evals.report import add_json_option, hand_over
from serve.application import load_application
from serve.web.app import build_app

_COMPLETIONS: Final = "/v1/chat/completions"


async def post(app: ASGIApp, path: str, body: bytes) -> dict[str, Any]:
    """Send one request through the application and return the reply."""
    sent: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    parts: list[bytes] = []

    async def receive() -> Message:
        if sent:
            return sent.pop()
        await asyncio.Event().wait()  # a client that stays until it has its reply
        raise AssertionError

    async def send(message: Message) -> None:
        parts.append(message.get("body", b""))

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope: Scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers, "client": ("127.0.0.1", 9),
        "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    await app(scope, receive, send)
    reply: dict[str, Any] = json.loads(b"".join(parts))
    return reply


async def measured(requests: int, rounds: int, profile: int) -> dict[str, Any]:
    """Return the figures; with ``profile`` print that many functions of one more round."""
    app = build_app(load_application())
    await post(app, "/v1/groat/documents", json.dumps({"documents": [
        {"id": name, "text": text} for name, text in DOCUMENTS.items()
    ]}).encode())  # fmt: skip
    bodies = [json.dumps(asking(question)).encode() for question in EQUAL.values()]
    for body in bodies * 3:
        reply = await post(app, _COMPLETIONS, body)
        assert "groat" in reply, reply
    tiers = set()

    async def one_round() -> float:
        begun = time.process_time()
        for number in range(requests):
            tiers.add((await post(app, _COMPLETIONS, bodies[number % len(bodies)]))["groat"]["cache"])
        return (time.process_time() - begun) * 1000 / requests

    took = [await one_round() for _ in range(rounds)]
    assert tiers == {"exact"}, tiers
    if profile:
        profiler = cProfile.Profile()
        profiler.enable()
        await one_round()
        profiler.disable()
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("cumulative").print_stats(profile).sort_stats(
            "tottime"
        ).print_stats(profile)
    return {
        "requests": requests,
        "rounds": rounds,
        "processor_ms_least": round(min(took), 3),
        "processor_ms_median": round(statistics.median(took), 3),
        "load": os.getloadavg(),
    }


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=600, help="in one round, half of them Chinese")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", type=int, default=0, help="print so many of the dearest functions")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(GROAT_DATA_DIR=folder, GROAT_AUDIT_SHARE="0", GROAT_ROUTE_AUDIT_SHARE="0")
        figures = asyncio.run(measured(options.requests, options.rounds, options.profile))
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, str(value))
    hand_over(figures, options.json_file, [table])


if __name__ == "__main__":
    main(sys.argv[1:])
