"""The offline answerer: quotes the sentences that answer, with their sources, and says so when none does."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any, Literal, NamedTuple

import numpy as np
import regex
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from numpy.typing import NDArray
from pydantic import ConfigDict, SkipValidation

from groat.answering.prompts import NO_ANSWER
from groat.answering.usage import prompt_tokens
from groat.embedding import Embedder
from groat.text import content_words, count_tokens, detect_language, sentence_spans, words
from groat.types import Language

_DOCUMENT = regex.compile(r'<document id="([^"]*)" title="([^"]*)"(?: section="([^"]*)")?>\n(.*?)\n</document>', regex.DOTALL)
_QUESTION = regex.compile(r"<question>(.*?)</question>", regex.DOTALL)
_GREETING = {
    "en": "Hello! Ask me anything about the documents I have; without a language model I answer by quoting them.",
    "zh": "您好！您可以问我资料里的任何问题；没有配置语言模型时，我会引用原文来回答。",
}
_STEP = regex.compile(r"\d{1,2}[.)、]\s")
_RULE = regex.compile(r"^[\s|:+-]+$")


class OfflineChat(BaseChatModel):
    """A chat model that needs no key and no server, and reads groat's prompt.

    ``quick`` compares few sentences, quotes up to two, and only when it is sure: the part of a small model. ``thorough``
    compares more and quotes up to three. Neither can translate, calculate or combine: asked to, they say
    that the documents do not answer. Tokens are counted with o200k and reported as usage, like any endpoint does.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    mode: Literal["quick", "thorough"]
    embedder: SkipValidation[Embedder]

    @property
    def _llm_type(self) -> str:
        return f"groat-offline-{self.mode}"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return asyncio.run(self._agenerate(messages, stop))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        text = await self._answer(messages)
        message = AIMessage(text, usage_metadata=_usage(messages, text), response_metadata=self._metadata())
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        text = await self._answer(messages)
        for piece in _pieces(text):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager is not None:
                await run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="", usage_metadata=_usage(messages, text), response_metadata=self._metadata(), chunk_position="last"
            )
        )

    def _metadata(self) -> dict[str, str]:
        return {"finish_reason": "stop", "model_name": self._llm_type}

    async def _answer(self, messages: Sequence[BaseMessage]) -> str:
        prompt = messages[-1].text
        asked = _QUESTION.search(prompt)
        question = unescape(asked.group(1)) if asked else ""
        earlier = [message.text for message in messages[:-1] if message.type == "human"]
        if "<task>This is small talk." in prompt:
            return _GREETING[detect_language(question)]
        found = await self._quotes(question, " ".join([*earlier[-1:], question]), _sentences(prompt))
        return " ".join(f"{text} [{document}]" for text, document in found) or NO_ANSWER

    async def _quotes(self, question: str, search: str, sentences: list["_Sentence"]) -> list[tuple[str, str]]:
        if not sentences:
            return []
        coverage = await asyncio.to_thread(_coverage, search, sentences)
        reading = _READINGS[self.mode]
        likely = np.argsort(-coverage, kind="stable")[: reading.sentences]
        # The same context as at ingest, so that meanings are comparable.
        vectors = await self.embedder.passages([f"{sentences[n].heading}: {sentences[n].text}" for n in likely])
        closeness = vectors @ await self.embedder.query(search)
        places = np.array([sentences[n].place for n in likely])
        score = coverage[likely] + _COSINE_WEIGHT * (closeness - _COSINE_BASE) + _PLACE_WEIGHT / (1 + places)
        order = np.argsort(-score, kind="stable")
        if score[order[0]] < reading.least[detect_language(question)]:
            return []
        chosen = [int(likely[n]) for n in order[: reading.quotes] if score[n] >= score[order[0]] - reading.within]
        quotes = {_whole_list(sentences, n): sentences[n].document for n in chosen}
        return list(quotes.items())


_COSINE_WEIGHT = 10.0
_COSINE_BASE = 0.82
_PLACE_WEIGHT = 0.3
"""What the first of the passages has over all others: they come best first."""
_LONGEST_LIST = 8


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """How closely a mode reads. Chosen on the help centre's questions; ``python -m evals.run_helpcentre`` shows the outcome."""

    sentences: int
    """How many of the sentences with the most words of the question are compared by meaning, about 20 ms each."""
    quotes: int
    within: float
    """A further quote must score this close to the best."""
    least: dict[Language, float]
    """Least score of an answer; below it the documents are said not to answer."""


_READINGS: dict[str, _Reading] = {
    "quick": _Reading(sentences=16, quotes=2, within=0.15, least={"en": 0.75, "zh": 0.95}),
    "thorough": _Reading(sentences=32, quotes=3, within=0.3, least={"en": 0.6, "zh": 0.9}),
}


class _Sentence(NamedTuple):
    document: str
    text: str
    heading: str
    """Title and heading above it."""
    place: int
    """Which of the passages it stands in, from 0."""
    step: bool
    """It is an item of a numbered list."""


def _sentences(prompt: str) -> list[_Sentence]:
    found: list[_Sentence] = []
    for place, (name, title, section, escaped) in enumerate(_DOCUMENT.findall(prompt)):
        text = unescape(escaped)
        heading = f"{unescape(title)} {unescape(section)}".strip()
        for start, end in sentence_spans(text):
            sentence = text[start:end].strip("… ")
            if sentence and not _RULE.match(sentence):
                found.append(_Sentence(unescape(name), _plain(sentence), heading, place, bool(_STEP.match(sentence))))
    return found


def _whole_list(sentences: Sequence[_Sentence], number: int) -> str:
    """Return the sentence, or all steps of the list that it belongs to: one step alone is no answer."""
    first = last = number
    while first > 0 and _same_list(sentences, first - 1, number):
        first -= 1
    while last + 1 < len(sentences) and _same_list(sentences, last + 1, number):
        last += 1
    if last - first >= _LONGEST_LIST:
        return sentences[number].text
    return " ".join(sentence.text for sentence in sentences[first : last + 1])


def _same_list(sentences: Sequence[_Sentence], other: int, number: int) -> bool:
    return sentences[number].step and sentences[other].step and sentences[other].place == sentences[number].place


def _plain(sentence: str) -> str:
    """Drop the Markdown that a quote does not need."""
    bare = regex.sub(r"^[-*+]\s+|\*\*|`", "", sentence)
    if bare.startswith("|"):
        bare = ", ".join(cell.strip() for cell in bare.strip("|").split("|") if cell.strip())
    return bare


def _coverage(question: str, sentences: Sequence[_Sentence]) -> NDArray[np.float64]:
    """Return which share of the question's information each sentence holds, 0..1; words of its heading count half.

    A word's information is its inverse document frequency among the sentences.
    """
    asked = set(content_words(question)) or set(words(question))
    bags = [set(words(sentence.text)) for sentence in sentences]
    tops = [set(words(sentence.heading)) for sentence in sentences]
    holding = Counter(word for bag in bags for word in bag)
    weight = {word: math.log(1 + len(sentences) / (1 + holding[word])) for word in asked}
    whole = sum(weight.values()) or 1.0
    return np.array(
        [
            sum(weight[word] * (1.0 if word in bag else 0.5 if word in top else 0.0) for word in asked) / whole
            for bag, top in zip(bags, tops, strict=True)
        ]
    )


def _pieces(text: str) -> Iterator[str]:
    yield from regex.findall(r"\p{Han}{1,4}|\S+\s*|\s+", text)


def _usage(messages: Sequence[BaseMessage], text: str) -> Any:
    given, written = prompt_tokens(messages), count_tokens(text)
    return {"input_tokens": given, "output_tokens": written, "total_tokens": given + written}
