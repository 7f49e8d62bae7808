"""The way to the models: prompts, the one seam to chat models, the offline answerer."""

from groat.answering.attempts import Terms, Wanted, try_answer
from groat.answering.breaker import Breakers
from groat.answering.chat import Answerer, Patience
from groat.answering.endpoint import Endpoint, Reply, Sent
from groat.answering.limits import Gate, Limiter, Limits, ProcessLimiter
from groat.answering.opinions import Adviser, adviser_prompt, ask_adviser, mark_of, opinion_of, shown, together
from groat.answering.prompts import NO_ANSWER, PROMPT_VERSION, Repair, build_prompt, no_answer_text, system_messages
from groat.answering.pruning import ChatPruner
from groat.answering.runner import ASSUMED_OUTPUT, Watch
from groat.answering.settle import Settled, first_token_ms, messages_of, settle
from groat.answering.usage import prompt_tokens
from groat.answering.wire import Direct, Wish

__all__ = [
    "ASSUMED_OUTPUT",
    "NO_ANSWER",
    "PROMPT_VERSION",
    "Adviser",
    "Answerer",
    "Breakers",
    "ChatPruner",
    "Direct",
    "Endpoint",
    "Gate",
    "Limiter",
    "Limits",
    "Patience",
    "ProcessLimiter",
    "Repair",
    "Reply",
    "Sent",
    "Settled",
    "Terms",
    "Wanted",
    "Watch",
    "Wish",
    "adviser_prompt",
    "ask_adviser",
    "build_prompt",
    "first_token_ms",
    "mark_of",
    "messages_of",
    "no_answer_text",
    "opinion_of",
    "prompt_tokens",
    "settle",
    "shown",
    "system_messages",
    "together",
    "try_answer",
]
