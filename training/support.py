"""Rows for the question "does this passage support this claim?", of our help centre and of other texts."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any, Final

from evals.defect_names import Names
from evals.defect_words import OFFERS, UNSUPPORTED
from evals.defects import without_citation
from evals.helpcentre import Question
from evals.validation_rows import load_reworded, read_all
from groat.text import detect_language, figures
from groat.types import Language
from training import helpcentre
from training.claims import Story, draw, is_claim, plain
from training.helpcentre import Sentence
from training.rows import Row
from training.texts import OPEN, Groups, check, sentences, word_set

LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
_LEFT_OUT: Final = frozenset({"dureader"})
"""Web pages of broken sentences; claims need whole ones."""
_NEAR: Final = 40
_FEW_TRIES: Final = 12
_OFTEN: Final = 4
"""How much oftener than a sentence an answer or a translated sentence is drawn."""
_RIVALS: Final = 12
_Spot = tuple[Story, int]


def support_rows(seed: int, count: int) -> Iterator[Row]:
    """Yield ``count`` rows for the head ``supports`` from the develop part of our help centre, both languages equally.

    A row is drawn for a sentence of a document, or for the right answer to a question against its evidence. Fewer rows come
    when the texts give no more different ones.
    """
    for lang in LANGUAGES:
        rng = random.Random(f"{seed} {lang}")
        yield from _drawn(_helpcentre(lang), count // 2, rng)


def passage_claims(rows: Sequence[Mapping[str, Any]], seed: int, count: int = 40_000) -> Iterator[Row]:
    """Yield up to ``count`` rows for the head ``supports`` from the documents of other sources, both languages equally.

    Args:
        rows: questions with their documents, as in the compression rows; only the documents are read.
        seed: of every choice.
        count: of rows within the languages.

    Raises:
        BadInput: a row is of RGB, which may not be trained on, or lacks a field.
    """
    for row in rows:
        check(row)
    groups = Groups(rows)
    stories = _stories(rows, groups)
    for lang in LANGUAGES:
        rng = random.Random(f"{seed} {lang} passages")
        spots = _spots(story for story in stories if story.lang == lang)
        yield from _drawn(spots + _translated(groups, stories, lang) * _OFTEN, count // 2, rng)


def _spots(stories: Iterable[Story]) -> list[_Spot]:
    return [(story, place) for story in stories for place, text in enumerate(story.sentences) if is_claim(text)]


def _drawn(spots: Sequence[_Spot], count: int, rng: random.Random) -> Iterator[Row]:
    """Yield rows about drawn sentences, none twice, until there are ``count`` or nothing new comes."""
    seen: set[tuple[str, str]] = set()
    for _ in range(_FEW_TRIES * count if spots else 0):
        if len(seen) >= count:
            return
        row = draw(*rng.choice(spots), rng)
        if row is not None and (row.a, row.b) not in seen:
            seen.add((row.a, row.b))
            yield row


@cache
def _helpcentre(lang: Language) -> tuple[_Spot, ...]:
    return (*_spots(_documents(lang)), *_answers(lang) * _OFTEN)


def _documents(lang: Language) -> list[Story]:
    names, _ = helpcentre.develop()
    everywhere = _names()
    mine = [name for name in names if helpcentre.language_of(name) == lang]
    told = {name: tuple(one.text for one in helpcentre.sentences_of(name)) for name in mine}
    near = tuple(text for name in mine for text in told[name] if is_claim(text))
    found = []
    for name in mine:
        own = set(told[name])
        others = tuple(text for text in near if text not in own)
        group = helpcentre.group_of(name)
        title = read_all()[name].title
        additions = _additions(lang)
        found.append(Story(told[name], title, lang, "helpcentre", group, True, others, everywhere, additions))
    return found


@cache
def _names() -> Names:
    names, _ = helpcentre.develop()
    return Names((detect_language(read_all()[name].text), read_all()[name].text) for name in names)


@cache
def _additions(lang: Language) -> tuple[str, ...]:
    rng, names = random.Random(lang), _names()
    return tuple(template.format(name=names.any(lang, rng), offer=rng.choice(OFFERS[lang])) for template in UNSUPPORTED[lang])


def _answers(lang: Language) -> list[_Spot]:
    """Return the right answers in a language, each against its evidence; the evidence may be in the other language."""
    _, asked = helpcentre.develop()
    reworded, names = load_reworded(), _names()
    proofs = {row["answer_id"]: helpcentre.evidence(row) for row in asked}
    found: list[_Spot] = []
    for question in asked:
        if question["lang"] != lang or question["kind"] == "follow_up":
            continue
        claims = [question["answer"]]
        if question["id"] in reworded:
            claims += [without_citation(reworded[question["id"]])] * 2
        twin = {"en": "zh", "zh": "en"}[lang] + question["answer_id"][2:]
        for proof in (proofs[question["answer_id"]], proofs.get(twin, [])):
            proof = _whole(question["answer"], proof)
            told = figures(" ".join(f"{one.title} {one.text}" for one in proof))
            mine = [claim for claim in claims if claim == question["answer"] or _in_digits(claim) <= told]
            if proof:
                found += [_answer(question, claim, proof, _rivals(question, proof, proofs), names) for claim in mine]
    return found


def _in_digits(text: str) -> set[str]:
    """Return the figures of a text that are written in digits; a span of time in words may be another unit's."""
    return {figure for figure in figures(text) if figure in text.replace(",", "")}


def _whole(answer: str, proof: Sequence[Sentence]) -> list[Sentence]:
    """Return the evidence and what the other sentences of the answer stand on; empty when something stands on nothing.

    Every figure of the answer must stand in it; in one language, words of each of its sentences as well.
    """
    found = list(proof)
    if not found or detect_language(answer) != helpcentre.language_of(found[0].document):
        return found if figures(answer) <= figures(" ".join(one.text for one in found)) else []
    for told in sentences(answer):
        words = word_set(told)
        beside = [one for name in dict.fromkeys(one.document for one in proof) for one in helpcentre.sentences_of(name)]
        best = max(beside, key=lambda one: len(words & word_set(one.text)))
        held = word_set(" ".join(f"{one.title} {one.text}" for one in found))
        if 2 * len(words & held) < len(words) and len(words & word_set(best.text)) > len(words & held):
            found.append(best)
    whole = " ".join(f"{one.title} {one.heading} {one.text}" for one in found)
    said = [word_set(told) for told in sentences(answer)]
    stands = all(len(words & word_set(whole)) >= 0.4 * len(words) for words in said)
    return found if stands and len(found) <= 3 and figures(answer) <= figures(whole) else []


def _answer(question: Question, claim: str, proof: Sequence[Sentence], rivals: tuple[str, ...], names: Names) -> _Spot:
    lang = question["lang"]
    places = [sentence.place for sentence in proof]
    near_by = len({sentence.document for sentence in proof}) == 1 and max(places) - min(places) < 3
    text = tuple(one.text for one in (helpcentre.sentences_of(proof[0].document) if near_by else proof))
    story = Story(
        sentences=text,
        title=proof[0].title if near_by else "",
        lang=lang,
        source="helpcentre",
        group=helpcentre.group_of(min(question["documents"])),
        open_licence=True,
        near=rivals,
        names=names,
        additions=_additions(lang),
        claim=claim,
        span=max(places) - min(places) if near_by else len(proof) - 1,
        telling=tuple(string for strings in question["answer_groups"] for string in strings),
        across=helpcentre.language_of(proof[0].document) != lang,
    )
    return story, min(places) if near_by else 0


def _rivals(question: Question, proof: Sequence[Sentence], proofs: Mapping[str, Sequence[Sentence]]) -> tuple[str, ...]:
    """Return the evidence of the answers to other questions that is most alike in words, in the language of ``proof``."""
    lang = helpcentre.language_of(proof[0].document)
    others = {one.text: one for name, found in proofs.items() if name[2:] != question["answer_id"][2:] for one in found}
    told = [one for one in others.values() if helpcentre.language_of(one.document) == lang and one not in proof]
    asked = f"{question['question']} {question['answer']} {' '.join(one.text for one in proof)}"
    told.sort(key=lambda one: -len(word_set(asked) & word_set(one.text)))
    return tuple(one.text for one in told[:_RIVALS])


def _translated(groups: Groups, stories: Sequence[Story], lang: Language) -> list[_Spot]:
    """Return the sentences in ``lang`` that stand, translated, at the same place of a paragraph in the other language."""
    by_text = {story.sentences: story for story in stories}
    found: list[_Spot] = []
    for english, chinese in groups.translations.items():
        pair = sentences(english), sentences(chinese)
        mine, other = pair if lang == "en" else pair[::-1]
        if len(mine) != len(other) or mine not in by_text or other not in by_text:
            continue
        for place, claim in enumerate(mine):
            if is_claim(claim) and _translate_each_other(pair[0][place], pair[1][place]):
                story = replace(by_text[mine], sentences=other, near=by_text[other].near, claim=plain(claim), across=True)
                found.append((story, place))
    return found


def _translate_each_other(english: str, chinese: str) -> bool:
    """Tell whether two aligned sentences have the same figures and about the same length."""
    same = {sign for sign in figures(english) if len(sign) > 1} == {sign for sign in figures(chinese) if len(sign) > 1}
    return same and 1.5 <= len(english) / max(1, len(chinese)) <= 6


def _stories(rows: Sequence[Mapping[str, Any]], groups: Groups) -> list[Story]:
    """Return each document once, with sentences of the other documents of its question beside it."""
    found: dict[str, Story] = {}
    for row in rows:
        if row["source"] in _LEFT_OUT:
            continue
        texts = [document["text"] for document in row["docs"]]
        for document in row["docs"]:
            text = document["text"]
            if text in found:
                continue
            beside = (one for other in texts if other != text for one in sentences(other) if is_claim(one))
            near = tuple(islice(beside, _NEAR))
            source = f"passages:{str(row['source']).split('_')[0]}"
            title = str(document.get("title") or "")
            lang = detect_language(text)
            found[text] = Story(sentences(text), title, lang, source, groups.of(text), row["source"] in OPEN, near)
    names = Names((story.lang, text) for text, story in found.items())
    return [replace(story, names=names) for story in found.values()]
