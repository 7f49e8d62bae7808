"""How often a question in a conversation is taken for one that stands alone: ``python -m evals.follow_ups``."""

import math
import sys

from evals.helpcentre import load_questions
from groat.follow_up import leans_on_earlier
from groat.types import Language, Turn

ELSEWHERE: dict[Language, list[Turn]] = {
    "en": [
        {"role": "user", "content": "What is the capital of France?"},
        {"role": "assistant", "content": "The capital is Paris."},
    ],
    "zh": [{"role": "user", "content": "法国的首都是哪里？"}, {"role": "assistant", "content": "首都是巴黎。"}],
}
"""A conversation about something else, which the questions that stand alone are put after."""


def main() -> None:
    """Print both shares for the help centre's questions, each language by itself, with one-sided 95 % bounds."""
    languages: tuple[Language, Language] = ("en", "zh")
    for language in languages:
        rows = load_questions(language)
        followed = [row for row in rows if row["history"]]
        alone = [row for row in rows if not row["history"]]
        missed = sum(not leans_on_earlier(row["question"], row["history"]) for row in followed)
        seen = sum(not leans_on_earlier(row["question"], ELSEWHERE[language]) for row in alone)
        most = 1 - math.pow(0.05, 1 / len(followed)) if missed == 0 else math.nan
        margin = 1.645 * math.sqrt(seen * (len(alone) - seen) / len(alone) ** 3)
        sys.stdout.write(
            f"{language}: follow-ups taken for questions that stand alone {missed} of {len(followed)} (below {most:.0%}); "
            f"questions that stand alone seen as such {seen} of {len(alone)} ({seen / len(alone):.0%}, above "
            f"{seen / len(alone) - margin:.0%})\n"
        )


if __name__ == "__main__":
    main()
