"""The models behind each tier, put together once from the settings."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from graph.settings import Settings
from groat.answering import Adviser, Answerer, Breakers, Endpoint, Gate, Limits, Patience, ProcessLimiter
from groat.answering.limits_redis import RedisLimiter
from groat.answering.offline import OfflineChat
from groat.costs import Books
from groat.embedding import Embedder
from groat.errors import SettingsError
from groat.types import Tier

_TYPICAL_IN, _TYPICAL_OUT = 1_000, 200
"""Tokens of the call by which advisers are put in order of their prices."""


class MeteredChat(ChatOpenAI):
    """ChatOpenAI that loses nothing of a streamed reply that groat needs.

    The base class keeps of the usage what has OpenAI's names, and drops other makers' cached tokens and bills, and the
    refusals.
    """

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        generation = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        if generation is None:
            return None
        if usage := chunk.get("usage"):
            generation.message.response_metadata["token_usage"] = usage
        if refusal := next(
            (choice["delta"].get("refusal") for choice in chunk.get("choices") or [] if choice.get("delta")), None
        ):
            generation.message.additional_kwargs["refusal"] = refusal
        return generation


def open_answerer(settings: Settings, embedder: Embedder) -> Answerer:
    """Return the seam to the models that the settings name; nobody is called yet.

    Args:
        settings: what is set.
        embedder: for the offline answerer, which compares sentences.
    """
    shared = RedisLimiter(url) if (url := settings.redis_url.get_secret_value()) else None
    return Answerer(
        {"cheap": _first(settings, "cheap", embedder), "expensive": _first(settings, "expensive", embedder)},
        fallbacks={"cheap": _fallbacks(settings, "cheap"), "expensive": _fallbacks(settings, "expensive")},
        patience=Patience(tries=settings.tries, hedge_after_s=settings.hedge_after_s),
        gate=Gate(ProcessLimiter(), shared),
        breakers=Breakers(failures=settings.breaker_failures, rest_s=settings.breaker_rest_s),
    )


def open_advisers(settings: Settings, answerer: Answerer, books: Books) -> tuple[Adviser, ...]:
    """Return who is asked for opinions, the cheapest first; one of unknown price, which is never worth it, last.

    Asking the offline answerer once more would tell nothing, so it is left out.

    Raises:
        SettingsError: the setting names nobody.
    """
    found = [one for entry in settings.second_opinion if (one := _adviser(settings, answerer, entry)) is not None]
    found.sort(key=lambda one: _typical(one, books))
    return tuple(replace(one, number=place) for place, one in enumerate(found, 1))


def open_pruner(settings: Settings) -> Endpoint | None:
    """Return the model that says which sentences are needed; None when the setting names none."""
    name, _, base_url = settings.pruner.partition("@")
    if not name:
        return None
    return remote(settings, "cheap", name, base_url or settings.cheap_base_url, key=settings.fallback_api_key)


def _typical(adviser: Adviser, books: Books) -> float:
    told = _TYPICAL_OUT if adviser.role == "answer" else 1
    price = books.worst_case(_TYPICAL_IN, told, adviser.endpoint.priced_as)
    return math.inf if price is None else float(price)


def _adviser(settings: Settings, answerer: Answerer, entry: str) -> Adviser | None:
    role, _, named = entry.partition(":")
    name, _, base_url = named.partition("@")
    match role:
        case "sample" if not named:
            cheap = answerer.endpoints["cheap"]
            return None if cheap.offline else Adviser(endpoint=cheap, role="answer")
        case "model" | "judge" if name:
            endpoint = remote(settings, "cheap", name, base_url or settings.cheap_base_url, key=settings.fallback_api_key)
            return Adviser(endpoint=endpoint, role="answer" if role == "model" else "judge")
        case _:
            raise SettingsError(
                f"GROAT_SECOND_OPINION names {entry!r}; each entry is 'sample', model:NAME or judge:NAME, or leave it empty"
            )


def _first(settings: Settings, tier: Tier, embedder: Embedder) -> Endpoint:
    cheap = tier == "cheap"
    name = settings.cheap_model if cheap else settings.expensive_model
    if name:
        return remote(settings, tier, name, settings.cheap_base_url if cheap else settings.expensive_base_url)
    offline = OfflineChat(mode="quick" if cheap else "thorough", embedder=embedder)
    return Endpoint(
        model=offline,
        name=f"groat-offline-{offline.mode}",
        priced_as=settings.reference_cheap if cheap else settings.reference_expensive,
        key_setting=_key_setting(tier),
        offline=True,
        structured=False,
    )


def _fallbacks(settings: Settings, tier: Tier) -> Sequence[Endpoint]:
    named = settings.cheap_fallbacks if tier == "cheap" else settings.expensive_fallbacks
    found = []
    for entry in named:
        name, _, base_url = entry.partition("@")
        found.append(remote(settings, tier, name, base_url, key=settings.fallback_api_key))
    return found


def remote(settings: Settings, tier: Tier, name: str, base_url: str, *, key: SecretStr | None = None) -> Endpoint:
    """Return a model behind an OpenAI-compatible endpoint, with the limits and, unless given, the key of ``tier``."""
    own = settings.cheap_api_key if tier == "cheap" else settings.expensive_api_key
    chosen = key if key is not None and key.get_secret_value() else own
    requests, tokens = (
        (settings.cheap_rpm, settings.cheap_tpm) if tier == "cheap" else (settings.expensive_rpm, settings.expensive_tpm)
    )
    model = MeteredChat(
        model=name,
        base_url=base_url or None,
        # Servers on one's own machine want none, and the client does not start without one.
        api_key=chosen if chosen.get_secret_value() else SecretStr("not-needed"),
        stream_usage=True,  # without it a streamed answer reports no tokens
        max_retries=0,  # the client's own retries could not be seen or billed
        timeout=settings.timeout_s,
    )
    return Endpoint(
        model=model,
        name=name,
        priced_as=_priced_as(settings, tier, name),
        key_setting=_key_setting(tier) if chosen is own else "GROAT_FALLBACK_API_KEY",
        address=base_url,
        limits=Limits(requests=requests, tokens=tokens),
        max_output=settings.cheap_max_output if tier == "cheap" else settings.expensive_max_output,
        timeout_s=settings.timeout_s,
        log_probabilities=settings.log_probabilities,
        streams=settings.stream_calls,
        structured=settings.structured_outputs,
    )


def _priced_as(settings: Settings, tier: Tier, name: str) -> str:
    first, priced_as = (
        (settings.cheap_model, settings.cheap_priced_as)
        if tier == "cheap"
        else (settings.expensive_model, settings.expensive_priced_as)
    )
    # A fallback has a price of its own.
    return priced_as if priced_as and name == first else name


def _key_setting(tier: Tier) -> str:
    return f"GROAT_{tier.upper()}_API_KEY or OPENAI_API_KEY"
