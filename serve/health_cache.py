"""How the answer cache is: the Redis that it is in, what it did in the last day, and what is not as it was."""

import asyncio
import time
from collections import Counter

from typing_extensions import TypedDict

from graph.settings import Settings
from groat.cache.alarm import Alarm
from groat.cache.counts import Counts, alarms_of, by_language, days_before
from groat.cache.reasons import REASONS, known
from groat.cache.stores.redis_facts import redis_facts


class Counted(TypedDict):
    """What the cache did, in numbers, over all processes that share its counts."""

    lookups: int
    """Questions that were looked up and could be answered from the cache or not; not those that are kept out of it."""
    hits: dict[str, int]
    """By reason: "exact", "normalised", "similar"."""
    misses: dict[str, int]
    """By reason."""
    kept_out: dict[str, int]
    """Questions that are neither looked up nor kept, by reason."""
    errors: int
    waited: dict[str, int]
    """Questions that waited for an equal one: "kept" when its answer came, "alone" when they had to be answered themselves."""
    kept: int
    not_kept: dict[str, int]
    """By reason."""
    removed: dict[str, int]
    """"expired", "evicted" and "stale"; Redis removes what expired by itself and counts it nowhere."""
    alarms: dict[str, int]
    """How often a process raised one, by kind."""
    languages: dict[str, dict[str, int]]
    """Language -> name -> number: all of the above, apart."""


async def counted(counts: Counts, day: str) -> Counted:
    """Return the counts of a day in UTC, YYYY-MM-DD; those of this process alone where there is no place for all.

    Raises:
        StorageError: they cannot be read.
    """
    place = counts.place
    cells = {} if place is None else await asyncio.to_thread(place.read, [day])
    named: Counter[str] = Counter()
    for cell, number in cells.items():
        named[cell.name] += number
    return {
        "lookups": sum(number for name, number in named.items() if name.startswith(("hit.", "miss.", "error."))),
        "hits": _under("hit", named),
        "misses": _under("miss", named),
        "kept_out": _under("off", named),
        "errors": named["error.failed"],
        "waited": _under("waited", named),
        "kept": named["kept"],
        "not_kept": _under("not_kept", named),
        "removed": _under("removed", named),
        "alarms": _under("alarm", named),
        "languages": {language: dict(found) for language, found in sorted(by_language(cells.items()).items())},
    }


async def alarms(counts: Counts) -> list[Alarm]:
    """Return what is not as it was: as all processes together see it, and as this one does. Raises ``StorageError``."""
    found = {alarm.code: alarm for alarm in counts.alarms()}
    if counts.place is not None:
        for alarm in await asyncio.to_thread(alarms_of, counts.place, now=time.time()):
            found.setdefault(alarm.code, alarm)
    return [found[code] for code in sorted(found)]


async def cache_work(counts: Counts) -> tuple[bool, str]:
    """Return whether all is as it was, and what the cache did today and what is not. Raises ``StorageError``."""
    (today,) = days_before(time.time(), 0)
    done, raised = await counted(counts, today), await alarms(counts)
    hits = sum(done["hits"].values())
    says = f"{hits} hits of {done['lookups']} lookups today, {done['errors']} errors"
    if counts.last_failure is not None:
        says += f"; {counts.last_failure}"
    said = "; ".join([says, *(f"ALARM: {alarm.sentence()}" for alarm in raised)])
    return not raised and counts.last_failure is None, said


async def cache_redis(settings: Settings) -> tuple[bool, str]:
    """Return whether the Redis that keeps the answers is as it should be, and what it is. Raises ``StorageError``."""
    url = settings.cache_url.get_secret_value()
    facts = await redis_facts(url)
    advice = facts.advice()
    if facts.policy.startswith("allkeys") and url == settings.redis_url.get_secret_value():
        advice.append("name another Redis in GROAT_REDIS_URL: this one may evict the limits of all processes when it is full")
    return not advice, "; ".join([facts.summary(), *advice])


def lines(done: Counted) -> list[str]:
    """Return the counts as lines for people."""
    found = [f"of all tenants and processes: lookups {done['lookups']}, hits {_told(done['hits'])}, errors {done['errors']}"]
    found += [f"missed since {REASONS[known(code)].says}: {number}" for code, number in done["misses"].items()]
    found += [f"kept out, {REASONS[known(code)].says}: {number}" for code, number in done["kept_out"].items()]
    found += [f"kept: {done['kept']}, not kept {_told(done['not_kept'])}, removed {_told(done['removed'])}"]
    found += [f"waited for an equal question: {_told(done['waited'])}"]
    return found


def _under(group: str, named: Counter[str]) -> dict[str, int]:
    own = {name.removeprefix(f"{group}."): number for name, number in named.items() if name.startswith(f"{group}.")}
    return dict(sorted(own.items(), key=lambda pair: (-pair[1], pair[0])))


def _told(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in numbers.items()) or "none"
