"""An entry is marked as used once a minute, however often it is served."""

from groat.cache.recent_uses import AGAIN_S, RecentUses


def test_an_entry_is_due_at_first_and_again_after_a_while() -> None:
    uses = RecentUses()
    assert uses.is_due("a", now=100.0)
    uses.marked("a", now=100.0)
    assert not uses.is_due("a", now=100.0 + AGAIN_S - 1)
    assert uses.is_due("a", now=100.0 + AGAIN_S)
    assert uses.is_due("b", now=100.0)


def test_a_clock_that_was_set_back_makes_it_due() -> None:
    uses = RecentUses()
    uses.marked("a", now=100.0)
    assert uses.is_due("a", now=50.0)
