"""When the hit rate of the cache falls to nothing it is seen, and noise is not."""

import math
import random
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.cache.alarm import Alarm, Watch, alarms_in
from groat.cache.chance import RARE, Share, least, most, tail
from groat.types import Language

PAST = {"hit.exact": 200, "hit.similar": 100, "miss.below_threshold": 650, "miss.differs": 50}
LANGUAGES: list[Language] = ["en", "zh"]


def watch(*, rare: float = RARE, past: dict[str, int] = PAST) -> Watch:
    made = Watch(rare)
    made.remember({language: past for language in LANGUAGES})
    return made


def show(one: Watch, language: str, names: Iterable[str]) -> list[tuple[int, Alarm]]:
    """Return the alarms that lookups raise, each with how many there were by then."""
    return [(number, alarm) for number, name in enumerate(names, start=1) for alarm in one.see(language, name)]


def day(rng: random.Random, lookups: int, *, exact: float, similar: float, failed: float = 0.001) -> list[str]:
    names = [
        "hit.exact",
        "hit.similar",
        "miss.differs",
        "error.failed",
        "miss.follow_up",
        "off.personal",
        "miss.below_threshold",
    ]
    rest = 1 - exact - similar - failed - 0.3
    weights = [exact, similar, 0.05, failed, 0.15, 0.1, rest]
    return rng.choices(names, weights, k=lookups)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_calibration_that_refuses_everything_sets_it_off_after_some_lookups(language: Language) -> None:
    one = watch()
    found = show(one, language, ["hit.exact", *["miss.differs", "hit.exact", "miss.differs"] * 200])
    assert {alarm.code for _, alarm in found} == {f"no_semantic_hits/{language}", f"same_refusal/{language}/differs"}
    first = min(number for number, _ in found)
    usual = least(Share(800, 100))
    # Of three lookups two were compared; looks are at most a quarter of a run apart.
    assert first <= 1.5 * 1.25 * math.log(RARE) / math.log1p(-usual / 2)
    assert all(other not in one.alarms for other in ("no_hits/en", "no_hits/zh", "no_exact_hits/en", "no_exact_hits/zh"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_cache_that_hits_nothing_any_more_says_so_and_says_when_it_hits_again(language: Language) -> None:
    one = watch()
    found = show(one, language, ["miss.empty"] * 600)
    assert set(one.alarms) == {
        f"no_hits/{language}", f"no_exact_hits/{language}", f"no_semantic_hits/{language}", f"same_refusal/{language}/empty"
    }  # fmt: skip
    assert max(number for number, _ in found) < 600
    one.see(language, "hit.exact")
    assert set(one.alarms) == {f"no_semantic_hits/{language}", f"same_refusal/{language}/empty"}
    one.see(language, "hit.similar")
    assert one.alarms == {}


def test_an_alarm_is_raised_once_while_it_lasts() -> None:
    found = show(watch(), "en", ["miss.follow_up"] * 2000)
    assert sorted(alarm.code for _, alarm in found) == ["no_exact_hits/en", "no_hits/en"]


def test_one_language_that_hits_nothing_is_told_while_the_other_one_hits() -> None:
    one = watch()
    for _ in range(300):
        one.see("en", "hit.exact")
        one.see("zh", "miss.below_threshold")
    assert {alarm.language for alarm in one.alarms.values()} == {"zh"}


def test_a_cache_without_a_past_raises_nothing_for_being_young() -> None:
    assert show(Watch(), "zh", ["miss.empty"] * 50 + ["miss.below_threshold"] * 2000) == []


def test_a_new_cache_that_refuses_all_for_one_reason_says_so() -> None:
    ((number, alarm),) = show(Watch(), "zh", ["miss.not_proven"] * 200)
    assert (alarm.code, number) == ("same_refusal/zh/not_proven", 160)


def test_questions_that_were_always_refused_for_one_reason_are_no_news() -> None:
    past = {"hit.exact": 100, "miss.below_threshold": 5000}
    assert show(watch(past=past), "en", ["miss.below_threshold", "hit.exact"] * 500) == []


def test_errors_that_jump_are_told_until_they_are_few_again() -> None:
    one = watch()
    assert show(one, "en", ["hit.exact"] * 95 + ["error.failed"] * 2 + ["hit.exact"] * 100) == []
    found = show(one, "en", (["error.failed"] + ["hit.exact"] * 2) * 100)
    assert [alarm.code for _, alarm in found] == ["errors"]
    assert show(one, "zh", ["hit.exact"] * 200) == []
    assert "errors" not in one.alarms


def test_questions_kept_out_of_the_cache_are_no_lookups() -> None:
    assert show(watch(), "en", ["off.personal"] * 5000) == []


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.4])
def test_noise_at_half_of_the_earlier_rate_raises_no_more_false_alarms_than_stated(rate: float) -> None:
    rare, rng, runs, false = 0.02, random.Random(5), 0, 0
    for _ in range(12):
        before = Counter(day(rng, 4000, exact=rate, similar=rate / 2))
        one = watch(rare=rare, past=dict(before))
        for name in day(rng, 1500, exact=rate / 2, similar=rate / 4, failed=0.0):
            runs += name == "hit.exact"
            false += sum(alarm.kind == "no_exact_hits" for alarm in one.see("zh", name))
    assert runs > 100
    assert false <= 2 * rare * runs


def test_ordinary_days_raise_nothing() -> None:
    rng = random.Random(7)
    for language in LANGUAGES:
        one = watch(past=dict(Counter(day(rng, 20_000, exact=0.2, similar=0.05))))
        # The second half of the day is a poor one.
        names = day(rng, 10_000, exact=0.2, similar=0.05) + day(rng, 10_000, exact=0.14, similar=0.03, failed=0.01)
        assert show(one, language, names) == []


def test_a_broken_day_is_seen_in_the_counts_of_all_and_a_good_one_is_not() -> None:
    broken = {"miss.below_threshold": 400, "miss.not_proven": 0}
    codes = {alarm.code for alarm in alarms_in({"en": PAST, "zh": broken}, {"en": PAST, "zh": PAST})}
    assert codes == {"no_hits/zh", "no_exact_hits/zh", "no_semantic_hits/zh", "same_refusal/zh/below_threshold"}
    assert alarms_in({"en": PAST, "zh": PAST}, {"en": PAST, "zh": PAST}) == []
    failing = {**PAST, "error.failed": 300}
    assert [alarm.code for alarm in alarms_in({"en": failing, "zh": PAST}, {"en": PAST})] == ["errors"]
    assert alarms_in({}, {"en": PAST}) == []


def test_an_alarm_says_what_happened_and_what_to_do_without_content() -> None:
    told = Alarm("same_refusal", "zh", 160, 0.925, "differs").sentence()
    assert told == (
        "all that is alike is refused for one and the same reason in zh (differs): 160 lookups, where it was at most 92.5% "
        "before; see what was deployed or calibrated, `groat cache stats` and `groat cache explain QUESTION`"
    )


@settings(max_examples=100)
@given(st.integers(1, 400), st.data())
def test_the_bounds_hold_what_was_seen_between_them_and_are_exact_enough(of: int, data: st.DataObject) -> None:
    happened = data.draw(st.integers(0, of))
    share = Share(of, happened)
    low, high = least(share, 0.01), most(share, 0.01)
    assert 0 <= low <= happened / of <= high <= 1
    if happened:
        # What would be as likely by the exact binomial tail is never above the Chernoff bound.
        exact = sum(math.comb(of, k) * low**k * (1 - low) ** (of - k) for k in range(happened, of + 1))
        assert exact <= 0.01 * (1 + 1e-6)
    assert tail(happened / of, of, 0.5) <= 0
