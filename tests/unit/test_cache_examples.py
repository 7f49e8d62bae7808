"""The page of examples: one of a group, right ones only, and the traps that were served."""

from evals.bench_cache import Bench
from evals.cache_examples import GROUPS, measure, own_groups, page
from evals.pair_rows import Pair
from groat.cache.accept import AcceptRule
from groat.cache.verifier import Verifier
from tests.fakes import KnownVectors
from tests.unit.test_cache_accept import EVERYWHERE, Says

EN = ("How long is the reset link valid?", "How long is the reset link good?", "How long is the gift card valid?")
ZH = ("重置链接多久失效", "重置链接多久会失效", "礼品卡多久失效")


async def test_right_hits_and_right_refusals_are_shown_one_of_a_group_and_wrong_hits_as_failed_traps() -> None:
    near = {text: 1.0 if texts.index(text) == 0 else 0.95 for texts in (EN, ZH) for text in texts}
    rule = AcceptRule(None, Verifier(EVERYWHERE), Says({EN[0]: 0.99, ZH[0]: 0.99, EN[1]: 0.01, ZH[1]: 0.01}))
    bench = Bench(rule, KnownVectors(near), max_wrong=0.01)
    groups = []
    for lang, (first, same, other) in (("en", EN), ("zh", ZH)):
        groups += [[Pair(first, same, True, lang, "paraphrase")] * 2, [Pair(same, other, False, lang, "entity")]]
    traps = [Pair(EN[0], EN[2], False, "en", "role"), Pair(ZH[0], ZH[1], True, "zh", "paraphrase")]
    report = await measure(bench, groups, traps, 10, 0.01)
    assert [(one["lang"], one["served"], one["kind"]) for one in report["examples"]] == [
        ("en", True, "paraphrase"), ("en", False, "entity"), ("zh", True, "paraphrase"), ("zh", False, "entity"),
    ]  # fmt: skip
    assert [(one["asked"], one["kind"]) for one in report["failed"]] == [(EN[2], "role")]
    assert [(one["kind"], one["n"], one["served"]) for one in report["traps"]] == [("role", 1, 1), ("paraphrase", 1, 1)]
    told = page(report)
    for line in ("## English: served (1)", "## Chinese: refused (1)", "| another question | role | 1 of 1 |  |"):
        assert line in told
    assert told.count(EN[2]) == 2
    assert "Why these are hard:" in told


def test_our_own_groups_have_both_languages_and_near_misses() -> None:
    groups = own_groups(GROUPS)
    for lang in ("en", "zh"):
        assert {pair.same for group in groups for pair in group if pair.lang == lang} == {True, False}
