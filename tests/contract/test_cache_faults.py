"""The runs that let things happen to the Redis of the cache: what they count, and that they would find a cache that errs."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from evals import cache_faults
from evals.cache_faults import FAULTS, Fault, Row, measure
from evals.fault_load import Load, wordings
from groat.cache.accept import AcceptRule
from tests.fakes import KnownVectors

RULE = AcceptRule(None)


async def run(fault: Fault) -> Row:
    return await measure(fault, RULE, KnownVectors(), seconds=0.5, settles_s=0.3, rest_s=0.2)


def fault(begins: str) -> Fault:
    return next(one for one in FAULTS if one.name.startswith(begins))


@pytest.mark.parametrize("begins", ["killed, then back empty", "cannot save"])
async def test_every_question_is_answered_and_none_wrongly_whatever_happens_to_redis(begins: str) -> None:
    row = await run(fault(begins))
    assert row["answered"] == row["requests"] > 0
    assert (row["wrong"], row["stale"]) == (0, 0)
    assert row["events"] > 0
    assert sum(row["said"].values()) >= row["events"]


async def test_a_cache_that_serves_what_changed_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def as_kept(self: Load, ids: Collection[str]) -> Mapping[str, str]:
        return _Everything()

    monkeypatch.setattr(Load, "_current", as_kept)
    monkeypatch.setattr("groat.cache.answers.AnswerCache.invalidate", _nothing)
    assert (await run(replace(fault("none"), name="no versions")))["stale"] > 0


class _Everything(dict[str, str]):
    """Versions that are whatever they are compared with."""

    def get(self, key: str, default: Any = None) -> Any:
        return _Any()


class _Any(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


async def _nothing(self: object, documents: Collection[str], *, tenant: str) -> int:
    return 0


def test_the_questions_are_of_both_languages_with_two_wordings_each() -> None:
    found = wordings()
    assert {one.language for one in found} == {"en", "zh"}
    assert len(found) == 2 * len({(one.language, one.answer) for one in found})


def test_the_faults_that_were_asked_for_are_there() -> None:
    names = " ".join(one.name for one in cache_faults.FAULTS)
    assert all(word in names for word in ("killed", "restarted", "SIGSTOP", "slow", "noeviction", "allkeys-lru", "MISCONF"))
