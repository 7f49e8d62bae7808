"""Every reason code of the answer cache, once: what lookups, counts, spans and logs say, and what ``docs/cache.md`` lists."""

from dataclasses import dataclass
from typing import Final, Literal

from groat.types import Lookup

When = Literal["hit", "miss", "off", "error", "not_kept"]


@dataclass(frozen=True)
class Reason:
    """What a code means."""

    when: tuple[When, ...]
    """Where it is said: as the reason of a lookup, by its outcome, or of an answer that was not kept."""
    says: str
    likeness: bool = False
    """A question with this reason came as far as a hit by likeness, and was refused there."""


FAILED: Final = "failed"
"""Stands for every outcome "error": its reason is a sentence about what failed."""
CATEGORY: Final = "category"
"""Stands for the reasons that a policy of one's own brings along."""

REASONS: Final[dict[str, Reason]] = {
    "exact": Reason(("hit",), "the same question"),
    "normalised": Reason(("hit",), "the same but for politeness or the kind of Chinese characters"),
    "alias": Reason(("hit",), "another wording of a kept question, verified before"),
    "similar": Reason(("hit",), "other words, by the fitted rule"),
    "empty": Reason(("miss",), "nothing is kept under this identity", likeness=True),
    "below_threshold": Reason(("miss",), "nothing kept is alike enough", likeness=True),
    "differs": Reason(("miss",), "alike enough, and something was found that makes it another question", likeness=True),
    "stale": Reason(("miss",), "a document behind the kept answer has changed; the answer was deleted", likeness=True),
    "passages": Reason(("miss",), "it finds other documents than those the kept answer stands on", likeness=True),
    "uncovered": Reason(("miss",), "it names what neither the kept question nor its answer does", likeness=True),
    "not_proven": Reason(("miss",), "no score keeps the promised share of wrong hits in this language", likeness=True),
    "no_calibration": Reason(("miss",), "no rule fits these vectors: only equal questions hit", likeness=True),
    "follow_up": Reason(("miss",), "it needs its earlier turns: only the same question in the same conversation hits"),
    "templated": Reason(("miss",), "one frame of wording that is filled anew each time: only the same question hits"),
    "today": Reason(("miss",), "about today: only the same question hits"),
    "opinion": Reason(("miss",), "an opinion or a text to be written: only the same question hits"),
    CATEGORY: Reason(("miss", "off", "not_kept"), "a category of your own policy; its name stands in the lookup"),
    "off": Reason(("off", "not_kept"), "the caller switched the cache off for this question"),
    "personal": Reason(("off", "not_kept"), "the asker's own affairs"),
    "time_bound": Reason(("off", "not_kept"), "another answer in an hour or tomorrow"),
    "pasted": Reason(("off", "not_kept"), "longer than anything that is asked again"),
    FAILED: Reason(("error", "not_kept"), "the store, the embedder or the documents' versions could not be read"),
    "refused": Reason(("not_kept",), "the answer says that there is none"),
    "partial": Reason(("not_kept",), "the answer is not whole"),
    "unverified": Reason(("not_kept",), "a check of the answer failed"),
    "degraded": Reason(("not_kept",), "a budget chose the model; those with a larger one are due a better answer"),
    "no_life": Reason(("not_kept",), "the answer is empty, has no time to live, or nothing is to be kept"),
}


def code_of(lookup: Lookup) -> str:
    """Return the code in ``REASONS`` for what a lookup decided."""
    if lookup["outcome"] == "error":
        return FAILED
    return known(lookup["reason"])


def known(reason: str) -> str:
    """Return the code itself, or the one for categories of one's own."""
    return reason if reason in REASONS else CATEGORY
