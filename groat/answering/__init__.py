"""The way to the models: prompts, the one seam to chat models, the offline answerer."""

from groat.answering.chat import Answerer, Endpoint, Reply
from groat.answering.prompts import NO_ANSWER, PROMPT_VERSION, Repair, build_prompt, no_answer_text

__all__ = ["NO_ANSWER", "PROMPT_VERSION", "Answerer", "Endpoint", "Repair", "Reply", "build_prompt", "no_answer_text"]
