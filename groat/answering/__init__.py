"""The way to the models: prompts, the one seam to chat models, the offline answerer."""

from groat.answering.attempts import ASSUMED_OUTPUT, Tried, try_answer
from groat.answering.chat import Answerer, Endpoint, Reply, prompt_tokens
from groat.answering.prompts import NO_ANSWER, PROMPT_VERSION, Repair, build_prompt, no_answer_text
from groat.answering.settle import Settled, settle

__all__ = [
    "ASSUMED_OUTPUT",
    "NO_ANSWER",
    "PROMPT_VERSION",
    "Answerer",
    "Endpoint",
    "Repair",
    "Reply",
    "Settled",
    "Tried",
    "build_prompt",
    "no_answer_text",
    "prompt_tokens",
    "settle",
    "try_answer",
]
