"""A pytest plugin: tests with LangSmith's marker stay on this machine unless ``--langsmith-online`` is given.

``pytest -p evals.langsmith_marker``. LangSmith's own plugin sends every marked test to LangSmith, and without a key fails it.
"""

import os
from collections.abc import Iterator
from typing import Final

import pytest

_TRACKING: Final = "LANGSMITH_TEST_TRACKING"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that lets marked tests out."""
    parser.getgroup("langsmith").addoption(
        "--langsmith-online", action="store_true", help="send tests with the marker langsmith to LangSmith; it needs a key"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Set what LangSmith's plugin looks at while a marked test runs, and put it back afterwards."""
    if item.get_closest_marker("langsmith") is None:
        return (yield)
    before = os.environ.get(_TRACKING)
    os.environ[_TRACKING] = "true" if item.config.getoption("--langsmith-online") else "false"
    try:
        return (yield)
    finally:
        if before is None:
            del os.environ[_TRACKING]
        else:
            os.environ[_TRACKING] = before
