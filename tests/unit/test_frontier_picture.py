"""The frontier over cheap models: bills recomputed from tokens, and a picture that any report gives."""

from typing import Any
from xml.etree import ElementTree

import pytest

from evals.frontier_picture import additions, dollars, list_price, picture
from groat.costs import PriceTable

TABLE = PriceTable()


def tokens(cheap: tuple[int, int, int], dear: tuple[int, int, int]) -> dict[str, Any]:
    names = ("input", "output", "calls")
    return {"cheap": dict(zip(names, cheap, strict=True)), "expensive": dict(zip(names, dear, strict=True))}


def report() -> dict[str, Any]:
    whole = (1_000_000, 20_000, 500)
    nothing = (0, 0, 0)
    steps = {
        "all expensive": tokens(nothing, whole), "all cheap": tokens(whole, nothing),
        "+ cascade": tokens((200_000, 8_000, 200), (300_000, 6_000, 150)),
    }  # fmt: skip
    return {
        "rows": 500, "models": {"cheap": "claude-3-haiku", "expensive": "gpt-5.2"},
        "steps": [
            {"name": name, "tokens": counted, "saved": 0.5, "quality": 0.99, "cost_usd": 1.0} for name, counted in steps.items()
        ],
    }  # fmt: skip


def test_a_bill_is_that_of_the_tokens_and_cached_ones_cost_their_share() -> None:
    counted, prices = tokens((1_000_000, 0, 10), (0, 1_000_000, 0)), {"cheap": (0.25, 1.25), "expensive": (1.75, 14.0)}
    assert dollars(counted, prices) == pytest.approx(0.25 + 14.0)
    assert dollars(counted, prices, cached=100_000, read=0.1) == pytest.approx(0.25 + 0.025 + 14.0)


def test_list_prices_are_those_of_the_table_and_unknown_ones_unknown() -> None:
    assert list_price("claude-3-haiku", TABLE) == pytest.approx((0.25, 1.25))
    assert list_price("nobody-knows-it", TABLE) is None


def test_everything_that_is_added_saves_more_than_nothing_and_less_than_all() -> None:
    found = additions(report(), TABLE)
    assert len(found) == 4
    alone = found[0]
    assert all(0 < share < 1 for _, *shares in found for share in shares)
    assert all(groat >= alone[1] and cheap >= alone[2] for _, groat, cheap in found[1:])


def test_the_picture_is_well_formed_and_names_what_it_shows() -> None:
    drawn = picture({0.5: report(), 1.0: report()}, TABLE)
    ElementTree.fromstring(drawn)
    assert all(name in drawn for name in ("+ cascade", "all cheap", "errs 0.5 times", "claude-3-haiku"))


def test_a_model_without_a_price_cannot_be_drawn() -> None:
    unknown = {**report(), "models": {"cheap": "nobody-knows-it", "expensive": "gpt-5.2"}}
    with pytest.raises(SystemExit, match="nobody-knows-it"):
        additions(unknown, TABLE)
