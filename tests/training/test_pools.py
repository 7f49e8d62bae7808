"""The shares of the pools."""

import pytest

from groat.errors import BadInput
from training.pools import SHARES, with_labelled
from training.sources import PAIRS


@pytest.mark.parametrize("share", [0.0, 0.3, 0.75, 1.0])
def test_labelled_pairs_get_the_share_that_was_asked_for_and_pools_keep_their_proportions(share: float) -> None:
    shares = with_labelled(share)
    assert sum(shares[name] for name in PAIRS) == pytest.approx(share)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["frames"] * SHARES["mined"] == pytest.approx(shares["mined"] * SHARES["frames"])


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(BadInput, match="must lie between 0 and 1"):
        with_labelled(share)
