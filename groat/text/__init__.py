"""Plain facts about a text, in Chinese and English: its language, sentences, words, figures and tokens."""

from groat.text.citations import citations, without_citations
from groat.text.clean import MAX_QUESTION_CHARS, clean_question, fold
from groat.text.fence import unfenced
from groat.text.figures import figures
from groat.text.frames import question_form
from groat.text.language import cjk_share, detect_language
from groat.text.negation import denials
from groat.text.sentences import sentence_spans
from groat.text.tokens import count_tokens
from groat.text.wording import plain_wording, simplified
from groat.text.words import content_words, words

__all__ = [
    "MAX_QUESTION_CHARS",
    "citations",
    "cjk_share",
    "clean_question",
    "content_words",
    "count_tokens",
    "denials",
    "detect_language",
    "figures",
    "fold",
    "plain_wording",
    "question_form",
    "sentence_spans",
    "simplified",
    "unfenced",
    "without_citations",
    "words",
]
