"""The offline answerer: quotes the sentences that answer, with their sources, and says so when none does."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from html import unescape
from typing import Any, Literal

import numpy as np
import regex
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from numpy.typing import NDArray
from pydantic import ConfigDict, SkipValidation

from groat.answering.chat import prompt_tokens
from groat.answering.prompts import NO_ANSWER
from groat.embedding import Embedder
from groat.text import content_words, count_tokens, detect_language, sentence_spans, words

_DOCUMENT = regex.compile(r'<document id="([^"]*)" title="([^"]*)"(?: section="([^"]*)")?>\n(.*?)\n</document>', regex.DOTALL)
_QUESTION = regex.compile(r"<question>(.*?)</question>", regex.DOTALL)
_GREETING = {
    "en": "Hello! Ask me anything about the documents I have; without a language model I answer by quoting them.",
    "zh": "您好！您可以问我资料里的任何问题；没有配置语言模型时，我会引用原文来回答。",
}
_RULE = regex.compile(r"^[\s|:+-]+$")


class OfflineChat(BaseChatModel):
    """A chat model that needs no key and no server, and reads groat's prompt.

    ``quick`` goes by words alone and quotes one sentence: the part of a small model. ``thorough`` compares meanings too,
    through the embedder, and quotes up to two sentences. Neither can translate, calculate or combine: asked to, they say
    that the documents do not answer. Tokens are counted with o200k and reported as usage, like any endpoint does.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    mode: Literal["quick", "thorough"]
    embedder: SkipValidation[Embedder | None] = None
    """Needed by ``thorough``."""

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
        if self.mode == "quick" or self.embedder is None:
            best = int(np.argmax(coverage))
            return [(sentences[best][1], sentences[best][0])] if coverage[best] >= _QUICK_COVERAGE else []
        vectors = await self.embedder.passages([f"{heading}: {text}" for _, text, heading in sentences])
        closeness = vectors @ await self.embedder.query(search)
        score = coverage + _COSINE_WEIGHT * (closeness - _COSINE_BASE)
        order = np.argsort(-score, kind="stable")
        if score[order[0]] < _THOROUGH_SCORE:
            return []
        chosen = [int(n) for n in order[:2] if score[n] >= score[order[0]] - _SECOND_WITHIN]
        return [(sentences[n][1], sentences[n][0]) for n in sorted(chosen)]


_QUICK_COVERAGE = 0.42
_COSINE_WEIGHT = 6.0
_COSINE_BASE = 0.82
_THOROUGH_SCORE = 0.45
_SECOND_WITHIN = 0.12

_Sentence = tuple[str, str, str]
"""Document id, sentence, title and heading above it."""


def _sentences(prompt: str) -> list[_Sentence]:
    found: list[_Sentence] = []
    for name, title, section, escaped in _DOCUMENT.findall(prompt):
        text = unescape(escaped)
        heading = f"{unescape(title)} {unescape(section)}".strip()
        for start, end in sentence_spans(text):
            sentence = text[start:end].strip("… ")
            if sentence and not _RULE.match(sentence):
                found.append((unescape(name), _plain(sentence), heading))
    return found


def _plain(sentence: str) -> str:
    """Drop the Markdown that a quote does not need."""
    bare = regex.sub(r"^(?:[-*+]|\d+[.)])\s+|\*\*|`", "", sentence)
    if bare.startswith("|"):
        bare = ", ".join(cell.strip() for cell in bare.strip("|").split("|") if cell.strip())
    return bare


def _coverage(question: str, sentences: Sequence[_Sentence]) -> NDArray[np.float64]:
    """Return which share of the question's information each sentence holds, 0..1; words of its heading count half.

    A word's information is its inverse document frequency among the sentences.
    """
    asked = set(content_words(question)) or set(words(question))
    bags = [set(words(text)) for _, text, _ in sentences]
    tops = [set(words(heading)) for _, _, heading in sentences]
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
