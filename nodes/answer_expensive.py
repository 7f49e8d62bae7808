"""Ask the expensive model: the same box as the cheap one, with the other model and its own bound."""

from dataclasses import dataclass
from typing import ClassVar

from groat.types import Box, Tier
from nodes.answer_cheap import AnswerCheap


@dataclass(frozen=True, kw_only=True)
class AnswerExpensive(AnswerCheap):
    """The box ``answer_expensive``."""

    tier: ClassVar[Tier] = "expensive"
    box: ClassVar[Box] = "answer_expensive"
