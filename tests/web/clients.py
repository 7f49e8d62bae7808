"""Three official clients, unchanged, against the endpoint: what each of them gets. ``python -m tests.web.clients`` prints it.

The documents and the models are those of the tests: ``docs/endpoint.md`` shows the output.
"""

import asyncio
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

from tests.graph.conftest import GOOD, QUESTION
from tests.model_outcomes import Body, Outcome, Says
from tests.model_server import serve_model
from tests.web.conftest import ASKS_ACME, KEYS, listening, review

SCRIPT = Path(__file__).parents[1] / "clients" / "ask.mjs"
ASKED = "北京天气如何？"
Lines = Iterator[tuple[str, object]]


class Validity(BaseModel):
    """How long a link is valid."""

    minutes: int


@tool
def weather(place: str) -> str:
    """The weather of a place."""
    return place


def says(body: Body, number: int) -> Outcome:
    """Return what a model says: a call where it has tools, data where it must fit a schema, else the right sentence."""
    if names := [one["function"]["name"] for one in body.get("tools") or ()]:
        arguments = {"minutes": 20} if names == ["Validity"] else {"place": "北京"}
        return Says(calls=[(names[0], json.dumps(arguments, ensure_ascii=False))])
    return Says(text='{"minutes": 20}' if body.get("response_format") else GOOD)


@contextmanager
def endpoint(folder: Path) -> Iterator[str]:
    """Serve the endpoint; yield its base URL."""
    with serve_model(answer_with=says) as server:
        fresh = asyncio.run(review(folder, server, []))
        with listening(fresh.app(KEYS)) as address:
            yield f"{address}/v1"


def python_client(base_url: str) -> Lines:
    """Yield what ``openai`` for Python got."""
    client: Any = openai.OpenAI(base_url=base_url, api_key=ASKS_ACME, max_retries=0)
    question = [{"role": "user", "content": QUESTION}]
    form = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    with client:
        yield "models", [model.id for model in client.models.list()]
        reply = client.chat.completions.create(model="groat", messages=question)
        yield "answer", reply.choices[0].message.content
        yield "tokens", reply.usage.total_tokens
        yield "path", reply.groat["path"]
        parts = list(
            client.chat.completions.create(
                model="groat", messages=question, stream=True, stream_options={"include_usage": True}
            )
        )
        yield "streamed", "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
        yield "tokens of the hit", parts[-1].usage.total_tokens
        asked = [{"role": "user", "content": ASKED}]
        called = client.chat.completions.create(model="groat", messages=asked, tools=[form])
        yield "tool call", called.choices[0].message.tool_calls[0].function.model_dump()
        with client.chat.completions.stream(model="groat", messages=asked, tools=[form]) as stream:
            final = stream.get_final_completion()
        yield "streamed tool call", final.choices[0].message.tool_calls[0].function.arguments
        yield (
            "structured",
            client.chat.completions.parse(model="groat", messages=question, response_format=Validity).choices[0].message.parsed,
        )
        given = client.embeddings.create(model="groat", input=["reset link", "重置链接"])
        yield "vectors", [len(one.embedding) for one in given.data]
        try:
            client.chat.completions.create(model="groat", messages=question, n=2)
        except openai.BadRequestError as error:
            yield "refused", f"{type(error).__name__} {error.status_code} {error.param}"


def langchain_client(base_url: str) -> Lines:
    """Yield what ``langchain-openai`` got."""
    plain, asynchronous = httpx.Client(), httpx.AsyncClient()
    model = ChatOpenAI(
        model="groat", base_url=base_url, api_key=SecretStr(ASKS_ACME), http_client=plain, http_async_client=asynchronous
    )
    said = model.invoke(QUESTION)
    yield "answer", said.content
    yield "usage", said.usage_metadata and said.usage_metadata["total_tokens"]
    yield "streamed", "".join(str(part.content) for part in model.stream(QUESTION))
    called = model.bind_tools([weather]).invoke(ASKED)
    yield "tool call", [(call["name"], call["args"]) for call in called.tool_calls]
    parts = list(model.bind_tools([weather]).stream(ASKED))
    yield "streamed tool call", sum(parts[1:], parts[0]).tool_calls[0]["args"]
    for method in ("json_schema", "function_calling", "json_mode"):
        found = model.with_structured_output(Validity, method=method).invoke(f"{QUESTION} Answer in JSON.")
        yield f"structured, {method}", found
    vectors = OpenAIEmbeddings(
        model="groat", openai_api_base=base_url, openai_api_key=SecretStr(ASKS_ACME), check_embedding_ctx_length=False,
        http_client=plain,
    )  # fmt: skip
    yield "vectors", [len(one) for one in vectors.embed_documents(["reset link", "重置链接"])]
    plain.close()
    asyncio.run(asynchronous.aclose())


def javascript_client(base_url: str) -> list[str] | None:
    """Return the lines that ``openai`` for JavaScript printed; None where it, or node, is not installed: ``make clients``."""
    node = shutil.which("node")
    if node is None or not (SCRIPT.parent / "node_modules" / "openai").exists():
        return None
    done = subprocess.run([node, SCRIPT, base_url, ASKS_ACME], capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.splitlines()


def main() -> None:
    """Print what each client got."""
    lines: dict[str, list[str]] = {}
    for name, client in (("openai (Python)", python_client), ("langchain-openai", langchain_client)):
        with tempfile.TemporaryDirectory() as folder, endpoint(Path(folder)) as base_url:
            lines[name] = [f"{what}: {value}" for what, value in client(base_url)]
    with tempfile.TemporaryDirectory() as folder, endpoint(Path(folder)) as base_url:
        lines["openai (JavaScript)"] = javascript_client(base_url) or ["not installed; make clients"]
    for name, told in lines.items():
        print("\n".join([f"--- {name}", *told]))  # noqa: T201  # what it is for


if __name__ == "__main__":
    main()
