"""A chat model whose rightness is planted: it reads the prompt, and answers by what stands there as well as it is let."""

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Literal

import regex
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, SkipValidation

from groat.answering import NO_ANSWER, prompt_tokens
from groat.text import content_words, count_tokens, fold, sentence_spans
from groat.types import Tier

Ability = Literal["able", "slips", "unable"]
"""Answers rightly nearly always; likewise, but not the first time; or nearly never."""

_DOCUMENT = regex.compile(r'<document id="([^"]*)"[^>]*>\n(.*?)\n</document>', regex.DOTALL)
_QUESTION = regex.compile(r"<question>(.*?)</question>", regex.DOTALL)
_MARK = regex.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
"""Begins an item of a list."""
_RIGHT: dict[bool, dict[Ability, float]] = {
    True: {"able": 0.97, "slips": 0.9, "unable": 0.04},
    False: {"able": 0.9, "slips": 0.75, "unable": 0.15},
}
"""How often each answers rightly when it is asked again: as verdicts assume, and less steadily."""
_LEAST_WORDS = 5
"""Content words of a sentence that can stand for a wrong answer."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What a model can find in the documents for one question."""

    groups: list[list[str]]
    """As in ``Reference.groups``."""
    documents: frozenset[str]
    """Where it reads them: elsewhere the same strings mean something else."""
    changed: list[list[str]] = field(default_factory=list)
    """What stands in place of the groups in a document that says something wrong; empty for none."""


@dataclass(kw_only=True)
class Mind:
    """What both models know of the questions of one case, and how able they are."""

    facts: dict[str, Fact] = field(default_factory=dict)
    """By question."""
    abilities: dict[tuple[Tier, str], Ability] = field(default_factory=dict)
    """By tier and question; "able" where nothing is said."""
    honest: bool = False
    """Without the passage it says so, instead of quoting another."""
    seed: int = 0
    steady: bool = True
    """Asked again it does as verdicts assume; False: less so. The same in all cases of a world."""
    asked: Counter[tuple[Tier, str]] = field(default_factory=Counter)

    def become(self, other: "Mind") -> None:
        """Know what another one knows, and nothing else."""
        self.facts, self.abilities, self.asked = dict(other.facts), dict(other.abilities), Counter(other.asked)
        self.honest, self.seed = other.honest, other.seed

    def answer(self, tier: Tier, prompt: str) -> str:
        """Return the reply to a prompt."""
        question = unescape(_QUESTION.findall(prompt)[-1])
        documents = [(unescape(name), unescape(text)) for name, text in _DOCUMENT.findall(prompt)]
        fact, ability = self.facts[question], self.abilities.get((tier, question), "able")
        number = self.asked[tier, question]
        self.asked[tier, question] += 1
        drawn = random.Random(f"{self.seed}/{tier}/{number}/{question}").random()
        # The run that is planted shows the fault, and nothing but the fault.
        right = ability == "able" if number == 0 else drawn < _RIGHT[self.steady][ability]
        found = quoted(documents, fact)
        if right and found:
            return found
        if right and self.honest:
            return NO_ANSWER
        return beside(documents, fact, f"{self.seed}/{tier}/{question}")


def quoted(documents: Sequence[tuple[str, str]], fact: Fact) -> str:
    """Return the sentences that hold the answer, or what stands in its place, with their document; empty for none."""
    for name, text in documents:
        if name not in fact.documents and name != "reference":
            continue
        for groups in (fact.groups, fact.changed):
            sentences = [_holding(text, group) for group in groups]
            if sentences and all(sentences):
                return _cited(list(dict.fromkeys(sentences)), name)
    return ""


def _holding(text: str, group: Sequence[str]) -> str:
    """Return the first sentence that holds a string of the group; empty for none."""
    for start, end in sentence_spans(text):
        if any(fold(string) in fold(text[start:end]) for string in group):
            return text[start:end].strip()
    return ""


def beside(documents: Sequence[tuple[str, str]], fact: Fact, seed: str) -> str:
    """Return a sentence of the documents that does not answer: always the same one for a seed."""
    found = []
    for name, text in documents:
        for start, end in sentence_spans(text):
            sentence = text[start:end].strip()
            if _is_prose(sentence) and not _answers(sentence, fact):
                found.append((sentence, name))
    if not found:
        return NO_ANSWER
    sentence, name = min(found, key=lambda one: hashlib.sha256(f"{seed}/{one[0]}".encode()).digest())
    return _cited([sentence], name)


def _is_prose(sentence: str) -> bool:
    return len(content_words(sentence)) >= _LEAST_WORDS and not regex.search(r"[|#\[\]*`：:?？]|^\s*(?:[-\d])", sentence)


def _answers(sentence: str, fact: Fact) -> bool:
    told = fold(sentence)
    return any(
        all(any(fold(one) in told for one in group) for group in groups) for groups in (fact.groups, fact.changed) if groups
    )


def _cited(sentences: Sequence[str], name: str) -> str:
    return " ".join(f"{_MARK.sub('', sentence)} [{name}]" for sentence in sentences)


class PlantedChat(BaseChatModel):
    """One of the two models of a case."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    mind: SkipValidation[Mind]
    tier: Tier

    @property
    def _llm_type(self) -> str:
        return "planted"

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: object = None, **kwargs: Any
    ) -> ChatResult:
        text = self.mind.answer(self.tier, messages[-1].text)
        given, written = prompt_tokens(messages), count_tokens(text)
        usage = {"input_tokens": given, "output_tokens": written, "total_tokens": given + written}
        message = AIMessage(text, usage_metadata=usage, response_metadata={"finish_reason": "stop"})
        return ChatResult(generations=[ChatGeneration(message=message)])
