"""``langgraph dev`` on loopback, in a process of its own."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_START_S = 180.0


@contextmanager
def serve_graph(folder: Path, environ: Mapping[str, str], *, jobs: int = 4) -> Iterator[str]:
    """Run the server in a folder and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGGRAPH_NO_VERSION_CHECK": "true", "LANGSMITH_TRACING": "false"}
    # Paths are looked up from where the server works, and it leaves files there.
    named = {"dependencies": [str(ROOT)], "graphs": {"groat": f"{ROOT / 'graph' / 'app.py'}:graph"}}
    (folder / "langgraph.json").write_text(json.dumps(named), encoding="utf-8")
    log = folder / "server.log"
    with log.open("wb") as told:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).parent / "langgraph"), "dev", "--no-browser",
                "--no-reload", "--host", "127.0.0.1", "--port", str(port), "--n-jobs-per-worker", str(jobs),
            ],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHON_DOTENV_DISABLED": "1", **quiet, **environ},
            stdout=told,
            stderr=told,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, process, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/ok", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise RuntimeError(f"langgraph dev did not start: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
