"""The replay server over real HTTP: recorded words, the right bill, and what of the documents still came over the wire."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import pytest

from evals.ladder_reading import Latencies
from evals.ladder_rows import WITHHELD, Row
from evals.replay_server import Answered, Replay, serving
from groat.answering.prompts import build_prompt
from groat.text import count_tokens
from groat.types import Asked, Passage
from tests.ladder_day import ANSWERS, DOCUMENTS, QUESTIONS, document_row, raw_row, said

LANGUAGES = pytest.mark.parametrize("lang", ["en", "zh"])


@contextmanager
def served(*rows: Row) -> Iterator[tuple[str, list[Answered]]]:
    bills: list[Answered] = []
    known = {row.question: row for row in rows}
    replay = Replay(known.get, {"cheap": "cheap", "expensive": "expensive"}, Latencies(), told=bills.append)
    with serving(replay) as url:
        yield url, bills


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        found: dict[str, Any] = json.loads(reply.read())
    return found


def prompt(lang: str, text: str | None) -> list[dict[str, str]]:
    """Return groat's own prompt for the question of a document row, over this text."""
    language: Any = lang
    asked: Asked = {
        "text": QUESTIONS[lang], "language": language, "answer_language": language, "search_text": QUESTIONS[lang],
        "history": [], "tenant": "default",
    }  # fmt: skip
    passage: Passage = {
        "id": "0", "document_id": "pumps", "version": "1", "title": "", "heading": "", "text": text or "", "language": language,
        "sentences": [], "score": 1.0, "similarity": None,
    }  # fmt: skip
    messages = build_prompt(asked, [] if text is None else [passage], kind="knowledge")
    return [{"role": "system" if one.type == "system" else "user", "content": one.text} for one in messages]


@LANGUAGES
def test_the_full_documents_are_billed_as_recorded(lang: str) -> None:
    row = Row.model_validate(document_row("1", lang))
    with served(row) as (url, bills):
        reply = post(url, {"model": "expensive", "messages": prompt(lang, DOCUMENTS[lang])})
    assert reply["usage"] == {"prompt_tokens": 500, "completion_tokens": 20, "total_tokens": 520}
    assert bills[0].holds_answer


@LANGUAGES
def test_what_was_left_out_of_the_documents_is_not_billed(lang: str) -> None:
    row = Row.model_validate(document_row("1", lang))
    shorter = DOCUMENTS[lang].replace(ANSWERS[lang], "")[:60]
    with served(row) as (url, bills):
        reply = post(url, {"model": "cheap", "messages": prompt(lang, shorter)})
    left_out = count_tokens(DOCUMENTS[lang]) - count_tokens(shorter)
    assert left_out > 0
    assert reply["usage"]["prompt_tokens"] == 500 - left_out
    assert not bills[0].holds_answer


def test_marks_in_documents_are_counted_as_they_stand_there() -> None:
    text = 'if a < b && c > "d": <document id="x">\n' * 3
    row = Row.model_validate({**document_row("1", "en"), "documents": [{"id": "pumps", "text": text}]})
    with served(row) as (url, _):
        reply = post(url, {"model": "cheap", "messages": prompt("en", text)})
    assert escape(text, quote=False) in prompt("en", text)[-1]["content"]
    assert reply["usage"]["prompt_tokens"] == 500


@LANGUAGES
def test_tokens_that_are_not_listed_as_documents_are_billed_in_every_call(lang: str) -> None:
    row = Row.model_validate(raw_row("1", QUESTIONS[lang], lang))
    with served(row) as (url, _):
        reply = post(url, {"model": "cheap", "messages": prompt(lang, None)})
    assert reply["usage"]["prompt_tokens"] == 500


def test_a_placeholder_is_never_sent() -> None:
    with served(Row.model_validate(raw_row("1", "q", "en"))) as (url, _):
        reply = post(url, {"model": "cheap", "messages": [{"role": "user", "content": "q"}]})
    assert reply["choices"][0]["message"]["content"] == WITHHELD


def test_the_same_prompt_again_gets_the_samples_in_turn_and_then_the_first_answer() -> None:
    recorded = {"cheap": said("one", samples=["two", {"text": "三"}]), "expensive": said("big")}
    with served(Row.model_validate(raw_row("1", "q", "en", recorded=recorded))) as (url, _):
        body = {"model": "cheap", "messages": [{"role": "user", "content": "q"}]}
        texts = [post(url, body)["choices"][0]["message"]["content"] for _ in range(4)]
    assert texts == ["one", "two", "三", "one"]


def test_a_streamed_reply_says_the_same_and_reports_its_tokens() -> None:
    recorded = {"cheap": said("several words in a row"), "expensive": said("big")}
    with served(Row.model_validate(raw_row("1", "q", "en", recorded=recorded))) as (url, _):
        body = {"model": "cheap", "stream": True, "messages": [{"role": "user", "content": "q"}]}
        request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode())
        with urllib.request.urlopen(request) as reply:
            lines = [line for line in reply.read().decode().splitlines() if line]
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    said_so = "".join(one["choices"][0]["delta"].get("content", "") for one in chunks if one["choices"])
    assert said_so == "several words in a row"
    assert chunks[-1]["usage"]["total_tokens"] == 520


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "cheap", "messages": [{"role": "user", "content": "never asked"}]}, 404),
        ({"model": "other", "messages": [{"role": "user", "content": "q"}]}, 404),
        ({"model": "cheap"}, 400),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_sentence(body: dict[str, Any], status: int) -> None:
    with served(Row.model_validate(raw_row("1", "q", "en"))) as (url, _), pytest.raises(urllib.error.HTTPError) as caught:
        post(url, body)
    assert caught.value.code == status
    assert json.loads(caught.value.read())["error"]["message"]
    caught.value.close()
