"""The arms of the ladder: which levers are in, and what is promised. All of it is said before the day is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

Lever = Literal["cache", "router", "compression", "cascade"]
LEVERS: Final[frozenset[Lever]] = frozenset(get_args(Lever))
DEFAULT_LOSS, MAX_WRONG = 0.01, 0.01
"""What groat is set to when nothing is set."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way through the whole day, by the real graph."""

    levers: frozenset[Lever]
    max_quality_loss: float = DEFAULT_LOSS
    """The knob of that name."""
    max_wrong: float = MAX_WRONG
    """``GROAT_MAX_WRONG``."""

    @property
    def key(self) -> str:
        """Name of the folder of its results: arms that do the same share it."""
        levers = "-".join(lever for lever in get_args(Lever) if lever in self.levers) or "naive"
        return f"{levers}@{self.max_quality_loss:g}"


def _arm(*levers: Lever, loss: float = DEFAULT_LOSS) -> Arm:
    return Arm(levers=frozenset(levers), max_quality_loss=loss)


GRAPH: Final[Mapping[str, Arm]] = {
    "naive": _arm(),
    "+ cache": _arm("cache"),
    "+ router": _arm("cache", "router"),
    "+ compression": _arm("cache", "router", "compression"),
    "+ cascade": Arm(levers=LEVERS),
    "router alone": _arm("router"),
    "compression alone": _arm("compression"),
    "cascade alone": _arm("cascade"),
    "without cache": Arm(levers=LEVERS - {"cache"}),
    "without router": Arm(levers=LEVERS - {"router"}),
    "without compression": Arm(levers=LEVERS - {"compression"}),
    "whole, 1 % loss": Arm(levers=LEVERS, max_quality_loss=0.01),
    "whole, 2 % loss": Arm(levers=LEVERS, max_quality_loss=0.02),
    "whole, 5 % loss": Arm(levers=LEVERS, max_quality_loss=0.05),
}
"""Step -> arm, in the order of the table. The cache alone is the second step; without the cascade is the fourth."""
PLAIN: Final = ("all expensive", "all cheap", "random at equal spend", "oracle", "oracle, ideal cache", "the article's recipe")
"""Steps that need no graph: what anyone could do, and what nobody can do better. The first is what all are compared with."""
COMPUTED: Final = ("+ prompt caching", "+ batch rates")
"""Steps that change the price of "+ cascade" alone."""
STEPS: Final = (*PLAIN, *list(GRAPH)[:5], *COMPUTED, *list(GRAPH)[5:])
"""All of them, in the order of the table."""
