"""Labelled rows that tests fit the compressor on."""

import numpy as np

from groat.compression.context import Context
from groat.compression.fit import Labelled
from groat.types import Language
from tests.fakes import passage


def labelled(number: int, *, source: str, language: Language, question: str) -> Labelled:
    """Return a row of twelve sentences, the first of which is needed and holds the answer."""
    text = (
        "".join(f"第{n}句在这里。" for n in range(12))
        if language == "zh"
        else " ".join(f"Line {n} is here." for n in range(12))
    )
    context = Context.take_apart(question, language, [passage(text)])
    needed = np.arange(len(context.texts)) == 0
    answer = context.texts[0]
    return Labelled(
        id=f"{source}-{language}-{question}-{number}",
        source=source,
        group=f"{source}-{number}",
        context=context,
        population="foreign",
        needed=needed,
        answering=needed,
        holds=lambda kept: any(answer in one["text"] for one in kept),
    )
