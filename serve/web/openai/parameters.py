"""What each parameter of OpenAI's interface does here: it is read, passed on, left out and told so, or refused by name."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from serve.web.openai.errors import Refused

_READ: Final = frozenset({"model", "messages", "stream", "stream_options", "n", "response_format", "groat"})
_ABOUT: Final = frozenset({"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"})
"""Say something about the request and nothing about the answer."""


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count(value: object) -> bool:
    return _whole(value) and isinstance(value, int) and value > 0


def _word(value: object) -> bool:
    return isinstance(value, str)


_TUNING: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "temperature": (_number, "a number"),
    "top_p": (_number, "a number"),
    "frequency_penalty": (_number, "a number"),
    "presence_penalty": (_number, "a number"),
    "seed": (_whole, "a whole number"),
    "max_tokens": (_count, "a whole number above 0"),
    "max_completion_tokens": (_count, "a whole number above 0"),
    "reasoning_effort": (_word, "a text"),
    "verbosity": (_word, "a text"),
}
"""Tune how a model writes. An answer may be a kept one, or come from any of several models: they are left out, and the reply
says so."""
_NOTHING: Final[Mapping[str, tuple[object, ...]]] = {
    "store": (False,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "stop": ([], ""),
    "modalities": (["text"], []),
    "service_tier": ("auto", "default"),
    "functions": ([],),
    "function_call": ("auto", "none"),
    "tools": ([],),
    "tool_choice": ("auto", "none"),
    "parallel_tool_calls": (True, False),
}
"""Values that ask for nothing special, which some clients send."""
_WITH_TOOLS: Final = frozenset({"tools", "tool_choice", "parallel_tool_calls", "stop", "logit_bias"})
"""Mean something to the model that a conversation with tools is passed on to, beside what tunes it."""
_ABOUT_TO_MODEL: Final = frozenset({"user", "safety_identifier", "prompt_cache_key"})
_ADVICE: Final[Mapping[str, str]] = {
    "functions": "write them as tools",
    "function_call": "write it as tool_choice",
    "tool_choice": "it chooses among tools, and none are given",
    "stop": "answers are checked as a whole; cut them yourself, or send the request with tools",
    "store": "nothing is stored for later here",
    "service_tier": "set it in the models behind this server",
}
_INSTEAD: Final = "ask a model directly for that"


def left_out(raw: Mapping[str, Any]) -> list[str]:
    """Return the parameters of a request without tools that have no effect, in alphabetical order.

    Raises:
        Refused: one would change the answer and is not supported, or is none that OpenAI's interface has.
    """
    _check(raw, known=_READ | _ABOUT | _TUNING.keys())
    return sorted(name for name in _TUNING if raw.get(name) is not None)


def passed_on(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a request with tools that its model gets; lengths, which budgets bound too, are not among them.

    Raises:
        Refused: one is not supported, or is none that OpenAI's interface has.
    """
    _check(raw, known=_READ | _ABOUT | _TUNING.keys() | _WITH_TOOLS)
    sent = (_TUNING.keys() | _WITH_TOOLS | _ABOUT_TO_MODEL | {"response_format"}) - {"max_tokens", "max_completion_tokens"}
    return {name: value for name, value in raw.items() if name in sent and value is not None}


def most_tokens(raw: Mapping[str, Any]) -> int | None:
    """Return the most tokens that a reply may have; None where nothing is said."""
    given = [raw[name] for name in ("max_completion_tokens", "max_tokens") if raw.get(name) is not None]
    return int(given[0]) if given else None


def _check(raw: Mapping[str, Any], *, known: frozenset[str]) -> None:
    for name, value in raw.items():
        if value is None or (name in _NOTHING and value in _NOTHING[name]):
            continue
        if name not in known:
            raise Refused(_sentence(name), param=name, code="unsupported_parameter")
        fits, form = _TUNING.get(name, (None, ""))
        if fits is not None and not fits(value):
            raise Refused(f"{name} is {form}", param=name)


def _sentence(name: str) -> str:
    if name in _NOTHING or name in {"audio", "prediction", "web_search_options"}:
        return f"{name} is not supported by this endpoint; {_ADVICE.get(name, _INSTEAD)}"
    return f"{name[:100]} is no parameter that this endpoint knows; leave it out, and put options of groat under groat"
