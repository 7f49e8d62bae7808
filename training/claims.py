"""Draw claims and passages from a text: what the passage says, and what it says nearly."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import regex

from evals.defect_names import Names
from groat.text import content_words
from groat.types import Language
from training.changes import change, change_alike
from training.helpcentre import holds
from training.rewording import reword, shorten
from training.rows import Row
from training.texts import alike, titled

MOST_CHARS: Final = 400
_MARKS = regex.compile(r"^\s*(?:\d{1,2}[.)、]|[-*•>])\s+|\*\*|`")
_PROSE = regex.compile(r"[.。!！]$|[.。!！][”\"'）)]$")


@dataclass(frozen=True, slots=True)
class Story:
    """A text to draw from, and what stands beside it."""

    sentences: tuple[str, ...]
    title: str
    lang: Language
    source: str
    group: str
    open_licence: bool
    near: tuple[str, ...] = ()
    """Sentences of other texts about much the same."""
    names: Names | None = field(default=None, repr=False, compare=False)
    additions: tuple[str, ...] = ()
    """Statements that no text supports."""
    claim: str = ""
    """What is claimed instead of the sentence itself: a right answer, or the sentence in the other language."""
    span: int = 0
    """How many sentences after the first the claim stands on as well."""
    telling: tuple[str, ...] = ()
    """Strings that tell a passage that says it."""
    across: bool = False
    """Whether claim and sentences are in different languages; ``lang`` is then the claim's."""


def plain(sentence: str) -> str:
    """Return a sentence without list marks and marks of emphasis."""
    return _MARKS.sub("", sentence).strip()


@lru_cache(maxsize=65536)
def is_claim(sentence: str) -> bool:
    """Tell whether a sentence states something: prose of 4 to about 40 words that ends as a statement does."""
    text = plain(sentence)
    if sentence.startswith(("|", "#")) or _PROSE.search(text) is None:
        return False
    most = 120 if regex.search(r"\p{Han}", text) else 260
    return len(text) <= most and len(content_words(text)) >= 4


def window(sentences: Sequence[str], place: int, rng: random.Random, *, last: int | None = None) -> tuple[int, int]:
    """Return where a run of 1 to 3 sentences around ``place`` starts and ends, at most ``MOST_CHARS`` characters if it can.

    Args:
        sentences: of one text, in order.
        place: a sentence that is in it.
        rng: chooses.
        last: another sentence, behind ``place``, that is in it as well.
    """
    start, end = place, (place if last is None else last) + 1
    for _ in range(rng.choice((0, 1, 1, 2, 2))):
        before = rng.random() < 0.5
        other = (start - 1, end) if before else (start, end + 1)
        fits = other[0] >= 0 and other[1] <= len(sentences) and other[1] - other[0] <= 3
        if fits and len(joined(sentences[slice(*other)])) <= MOST_CHARS:
            start, end = other
    return start, end


def joined(sentences: Sequence[str]) -> str:
    """Return sentences in a row as one text."""
    gap = "" if sentences and regex.search(r"\p{Han}", sentences[0]) else " "
    return gap.join(sentence.strip() for sentence in sentences)


def draw(story: Story, place: int, rng: random.Random) -> Row | None:
    """Return one row about a sentence of a story, half of them true; None when the chosen way does not fit it."""
    ways = (_said, _shortened, _two, _alike, _changed, _passage_changed, _neighbour, _added)
    way = rng.choices(ways, weights=(7, 2, 1.5, 2.5, 6, 2.5, 2, 2))[0]
    found = way(story, place, rng)
    if found is None:
        return None
    claim, passage, label, kind = found
    if not claim.strip() or len(passage) > MOST_CHARS + 120:
        return None
    if story.title and rng.random() < 0.5:
        passage = titled(story.title, passage)
    lang = "zh-en" if story.across else story.lang
    return Row(claim, passage, label, "supports", lang, story.source, kind, story.group, story.open_licence)


_Found = tuple[str, str, float, str] | None


def _otherwise(text: str, story: Story, rng: random.Random) -> str:
    return reword(text, story.lang, rng) if rng.random() < 0.75 else text


def _claim(story: Story, place: int) -> str:
    return story.claim or plain(story.sentences[place])


def _around(story: Story, place: int, rng: random.Random) -> str:
    return joined(story.sentences[slice(*window(story.sentences, place, rng, last=place + story.span))])


def _said(story: Story, place: int, rng: random.Random) -> _Found:
    claim = _claim(story, place)
    other = _otherwise(claim, story, rng)
    kind = "translated" if story.across else "answer" if story.claim else "verbatim" if other == claim else "reworded"
    return other, _around(story, place, rng), 1.0, kind


def _shortened(story: Story, place: int, rng: random.Random) -> _Found:
    claim = _claim(story, place)
    short = shorten(claim, story.lang, rng)
    if short == claim:
        return None
    return _otherwise(short, story, rng), _around(story, place, rng), 1.0, "shortened"


def _two(story: Story, place: int, rng: random.Random) -> _Found:
    """Join two neighbouring sentences in one claim; in half of the cases one of them is changed."""
    if story.claim or place + 1 >= len(story.sentences) or not is_claim(story.sentences[place + 1]):
        return None
    passage = joined(story.sentences[slice(*window(story.sentences, place, rng, last=place + 1))])
    parts = [_otherwise(plain(story.sentences[place + i]), story, rng) for i in range(2)]
    label, kind = 1.0, "joined"
    if rng.random() < 0.5:
        which = rng.randrange(2)
        changed = _change(parts[which], passage, story, rng)
        if changed is None:
            return None
        parts[which], label, kind = changed[1], 0.0, changed[0]
    if rng.random() < 0.3:
        parts.reverse()
    return joined(parts), passage, label, kind


def _alike(story: Story, place: int, rng: random.Random) -> _Found:
    if story.names is None or story.across:
        return None
    claim, passage = _claim(story, place), _around(story, place, rng)
    found = change_alike(claim, passage, story.lang, story.names, rng)
    if found is None:
        return None
    kind, claim, passage = found
    return _otherwise(claim, story, rng), passage, 1.0, kind


def _change(text: str, passage: str, story: Story, rng: random.Random) -> tuple[str, str] | None:
    if story.names is None:
        return None
    changed = change(text, passage, story.lang, story.names, rng)
    return None if changed is None else (changed.kind, changed.text)


def _changed(story: Story, place: int, rng: random.Random) -> _Found:
    claim, passage = _claim(story, place), _around(story, place, rng)
    if rng.random() < 0.2:
        claim = shorten(claim, story.lang, rng)
    changed = _change(_otherwise(claim, story, rng), passage, story, rng)
    return None if changed is None else (changed[1], passage, 0.0, changed[0])


def _passage_changed(story: Story, place: int, rng: random.Random) -> _Found:
    """Change the passage in place of the claim, so that the odd one of both is not always the claim."""
    if story.claim:
        return None
    claim = plain(story.sentences[place])
    start, end = window(story.sentences, place, rng)
    changed = _change(claim, joined(story.sentences[start:end]), story, rng)
    if changed is None:
        return None
    passage = joined([*story.sentences[start:place], changed[1], *story.sentences[place + 1 : end]])
    other = _otherwise(claim, story, rng)
    # Other words may leave out just what was changed.
    return other if _lost(claim, changed[1]) in other else claim, passage, 0.0, changed[0]


def _lost(text: str, changed: str) -> str:
    """Return what stands in ``text`` in place of what was changed, with three characters on either side."""
    start = _same(text, changed)
    tail = _same(text[start:][::-1], changed[start:][::-1])
    return text[max(0, start - 3) : len(text) - tail + 3]


def _same(one: str, other: str) -> int:
    """Return how many characters both begin with alike."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _neighbour(story: Story, place: int, rng: random.Random) -> _Found:
    """Take a passage that stands beside the sentence, or of a text about much the same, and does not say it."""
    claim = _claim(story, place)
    others = [i for i in range(len(story.sentences)) if 0 < abs(i - place) <= 4 and not place <= i <= place + story.span]
    if story.near and (not others or rng.random() < 0.45):
        passage, kind = rng.choice(story.near), "other_passage"
    elif others:
        other = rng.choice(others)
        low, high = (place + story.span + 1, len(story.sentences)) if other > place else (0, place)
        start, end = window(story.sentences[low:high], other - low, rng)
        passage, kind = joined(story.sentences[low + start : low + end]), "neighbour"
    else:
        return None
    if alike(claim, passage, 0.6) or holds(passage, story.telling):
        return None
    return _otherwise(claim, story, rng), passage, 0.0, kind


def _added(story: Story, place: int, rng: random.Random) -> _Found:
    """Add a statement that the passage does not make; in some pairs the passage makes it too: it tells nothing alone."""
    if story.across:
        return None
    pool = story.additions if story.additions and (not story.near or rng.random() < 0.4) else story.near
    if not pool:
        return None
    other, passage = plain(rng.choice(pool)), _around(story, place, rng)
    if alike(other, passage, 0.6) or not is_claim(other):
        return None
    parts = [_otherwise(_claim(story, place), story, rng), other]
    if rng.random() < 0.3:
        parts.reverse()
    kind = "unsupported" if pool is story.additions else "other_document"
    if rng.random() < 0.35:
        both = [passage, other] if rng.random() < 0.5 else [other, passage]
        return joined(parts), joined(both), 1.0, f"{kind}_alike"
    return joined(parts), passage, 0.0, kind
