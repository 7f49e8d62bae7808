"""Rows from a data set of LangSmith, over HTTP as its client asks for them."""

from collections.abc import Iterator

import pytest
from langsmith import Client

from groat.errors import BadInput, SettingsError
from groat.routing.gathering import gathered
from groat.routing.langsmith_rows import read_dataset
from tests.langsmith_server import LangSmith, serve_langsmith
from tests.routing_rows import labelled, raw


def _examples(count: int) -> list[dict[str, object]]:
    """Every second example calls its prompt a question; all have their labels among the outputs."""
    found: list[dict[str, object]] = []
    for number, row in enumerate(map(raw, labelled(count))):
        prompt = row.pop("prompt")
        found.append({"inputs": {"question" if number % 2 else "prompt": prompt}, "outputs": row})
    return found


def _client(url: str, key: str = "k") -> Client:
    # Without the look at the server's abilities that tracing needs.
    return Client(api_url=url, api_key=key, auto_batch_tracing=False, info={})


@pytest.fixture
def langsmith() -> Iterator[LangSmith]:
    with serve_langsmith(_examples(230)) as state:
        yield state


def test_all_pages_are_read_and_a_row_is_that_of_a_file(langsmith: LangSmith) -> None:
    rows = read_dataset("own", _client(langsmith.url))
    assert [row.prompt for row in rows] == [row.prompt for row in labelled(230)]
    assert {row.language for row in rows} == {"en", "zh"}
    assert {row.source for row in rows} == {"own"}
    assert sum("/examples" in path for path in langsmith.asked) == 3


def test_a_data_set_that_is_not_there_is_named(langsmith: LangSmith) -> None:
    with pytest.raises(BadInput, match="the LangSmith data set 'other' does not exist"):
        read_dataset("other", _client(langsmith.url))


def test_a_key_that_is_refused_is_told_without_it(langsmith: LangSmith) -> None:
    with pytest.raises(SettingsError, match="LANGSMITH_API_KEY") as caught:
        read_dataset("own", _client(langsmith.url, "lsv2-secret"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("example", "says"),
    [
        ({"inputs": {"question": "Why?"}, "outputs": None}, '"weak_ok" is missing'),
        ({"inputs": {"question": "Why?"}, "outputs": {"anwser": "x"}}, "the field 'anwser' is not known"),
        ({"inputs": {}, "outputs": {}}, '"prompt" must be a text'),
    ],
)
def test_an_example_that_is_no_row_is_named(example: dict[str, object], says: str) -> None:
    with serve_langsmith([*_examples(2), example]) as state:
        with pytest.raises(BadInput, match=r"example 22222222-2222-4222-8222-000000000002: .*") as caught:
            read_dataset("own", _client(state.url))
        assert says in str(caught.value)
        told: list[str] = []
        assert len(read_dataset("own", _client(state.url), on_bad=told.append)) == 2
        assert len(told) == 1


def test_an_empty_data_set_is_one_sentence() -> None:
    with serve_langsmith([]) as state, pytest.raises(BadInput, match="holds no row that can be used"):
        read_dataset("own", _client(state.url))


def test_the_environment_says_where_it_is(langsmith: LangSmith, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_ENDPOINT", langsmith.url)
    monkeypatch.setenv("LANGSMITH_API_KEY", "k")
    found = gathered(dataset="own", embedder="e", skip_bad=False, tell=print)
    assert (len(found.written), found.recorded, found.left_out) == (230, [], {})
