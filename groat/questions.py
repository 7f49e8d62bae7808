"""A question as the engines see it, and what must be equal before one answer serves two; ``groat.types`` offers all of it."""

from typing import Literal, NotRequired

# typing.TypedDict makes LangGraph's server return null schemas on Python < 3.12.
from typing_extensions import TypedDict

Language = Literal["zh", "en"]
"""A language that groat answers in."""


class Turn(TypedDict):
    """One earlier message of the conversation, oldest first."""

    role: Literal["user", "assistant"]
    content: str


class Asked(TypedDict):
    """The question as the engines see it."""

    text: str
    """What the user asked, unchanged."""
    language: Language
    """The language of the question."""
    answer_language: Language
    """The language the answer must be in."""
    search_text: str
    """What is embedded and searched: the question, for a follow-up with the question before it."""
    history: list[Turn]
    """Earlier turns, oldest first. Empty for a question that stands alone."""
    tenant: str
    """Whose documents and answers may be used. Never empty."""
    instructions: NotRequired[str]
    """What the application told the models in system messages of its own; not there when it told nothing."""
    follow_up: NotRequired[str]
    """Why the question needs its earlier turns (``groat.follow_up``); not there when it was not looked into or needs none."""
    turns_left_out: NotRequired[int]
    """How many earlier turns were left out, since the question means the same without them; not there for none."""


class Identity(TypedDict):
    """Everything that must be equal, exactly, before one answer may serve two questions."""

    tenant: str
    answer_language: Language
    prompt_version: str
    """Of the wording of the prompts, with the structure that was asked for."""
    system_prompt: str
    """Hash of every system message that the models are sent, the application's own included; empty where none is known."""
    model_policy: str
    """Which models may have answered, and under which tier override and quality promise."""
    tools: str
    """Hash of the tools that were offered with the question; empty for none."""
    knowledge: str
    """What may have been found, beyond the tenant's own documents: how many passages, by which vectors; empty for none."""
    conversation: str
    """Hash of the earlier turns; empty for a question that stands alone."""
