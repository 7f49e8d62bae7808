"""Rows for the question "does this sentence help to answer?": sentences that hold an answer, and those that look like it."""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evals.helpcentre import Question
from groat.compression.ranking import rank_sentences
from groat.text import content_words, detect_language
from training import helpcentre
from training.helpcentre import Sentence, holds
from training.rows import Row
from training.texts import OPEN, Groups, alike, check, crop, sentences, titled

_LOOSE: Final = frozenset({"dureader"})
"""Sources whose other documents often answer as well, in words of their own: they give no wrong sentences to their question."""
_HARDEST: Final = 12
"""Wrong sentences are drawn from so many that share the most words with the question."""
_ELSEWHERE: Final = 150
"""Sentences of other questions that are looked through."""
_MOST_POSITIVES: Final = 5


@dataclass(frozen=True, slots=True)
class _Candidate:
    title: str
    text: str
    gold: bool
    """Whether its document holds the answer."""


def relevance_rows(rows: Sequence[Mapping[str, Any]], seed: int, negatives: int = 5) -> Iterator[Row]:
    """Yield rows for the head ``answers``: a is the question, b a sentence behind the title of its document.

    Args:
        rows: questions with their documents, as in the compression rows.
        seed: of every choice.
        negatives: wrong sentences for each right one.

    Raises:
        BadInput: a row is of RGB, which may not be trained on, or lacks a field.
    """
    for row in rows:
        check(row)
    groups = Groups(rows)
    elsewhere = _pools(rows)
    for row in rows:
        rng = random.Random(f"{seed} {row['id']}")
        yield from _of_question(row, groups, elsewhere, negatives, rng)
    yield from helpcentre_relevance(seed, negatives)


def _pools(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[str, _Candidate]]]:
    """Return the sentences of all documents by language, each with the id of its question."""
    pools: dict[str, list[tuple[str, _Candidate]]] = defaultdict(list)
    for row in rows:
        for one in _candidates(row):
            pools[detect_language(one.text)].append((str(row["id"]), one))
    return pools


def _candidates(row: Mapping[str, Any]) -> list[_Candidate]:
    return [
        _Candidate(str(document.get("title") or ""), sentence, bool(document["gold"]))
        for document in row["docs"]
        for sentence in sentences(document["text"])
    ]


def _of_question(
    row: Mapping[str, Any],
    groups: Groups,
    elsewhere: Mapping[str, Sequence[tuple[str, _Candidate]]],
    negatives: int,
    rng: random.Random,
) -> Iterator[Row]:
    candidates = _candidates(row)
    labels = [_label(one, row) for one in candidates]
    right = list(dict.fromkeys(one for one, label in zip(candidates, labels, strict=True) if label == 1))[:_MOST_POSITIVES]
    if not right:
        return
    wrong = [one for one, label in zip(candidates, labels, strict=True) if label == 0]
    if row["source"] in _LOOSE:
        wrong = []
    lang = detect_language(candidates[0].text)
    pool = elsewhere[lang]
    others = [one for name, one in rng.sample(pool, min(_ELSEWHERE, len(pool))) if name != row["id"]]
    others = [one for one in others if _label(one, row) == 0]
    chosen = [(one, 1.0, "gold") for one in right]
    chosen += [(one, 0.0, kind) for one, kind in _wrong(row["question"], wrong, others, negatives * len(right), rng)]
    gold = next(document["text"] for document in row["docs"] if document["gold"])
    asked = str(row["lang"])
    for one, label, kind in chosen:
        around = next((string for string in _strings(row) if string.casefold() in one.text.casefold()), "")
        yield Row(
            a=row["question"],
            b=titled(one.title, crop(one.text, around)),
            label=label,
            head="answers",
            lang=lang if asked == lang else "zh-en",
            source=str(row["source"]),
            kind=kind,
            group=groups.of(gold),
            open_licence=row["source"] in OPEN,
        )


def _strings(row: Mapping[str, Any]) -> list[str]:
    return [string for strings in row.get("answer_groups", ()) for string in strings] if row.get("string_metric", True) else []


def _label(one: _Candidate, row: Mapping[str, Any]) -> float | None:
    """Return 1 for a sentence that answers, 0 for one that does not, None where that is open."""
    flat = "".join(one.text.split())
    for gold in row["gold_sentences"]:
        told = "".join(gold["text"].split())
        if told in flat and one.gold:
            return 1.0
        if flat in told:
            return 1.0 if one.gold and 2 * len(flat) >= len(told) and _told(one, row) else None
        if alike(gold["text"], one.text, 0.7):
            return None
    if not _strings(row) or not holds(one.text, _strings(row)):
        return 0.0
    asked = set(content_words(row["question"]))
    near = asked & set(content_words(f"{one.title} {one.text}"))
    return 1.0 if one.gold and _told(one, row) and len(near) >= max(2, 0.4 * len(asked)) else None


def _told(one: _Candidate, row: Mapping[str, Any]) -> bool:
    """Tell whether the sentence holds an answer string of some group, where answers can be told by their strings."""
    return not _strings(row) or any(holds(one.text, strings) for strings in row["answer_groups"])


def _wrong(
    question: str, wrong: Sequence[_Candidate], others: Sequence[_Candidate], count: int, rng: random.Random
) -> Iterator[tuple[_Candidate, str]]:
    """Yield wrong sentences, each once: alike in words, of the right document, of others, of other questions."""
    hard = _hardest(question, [one for one in wrong if not one.gold])
    beside = _hardest(question, [one for one in wrong if one.gold])
    far = _hardest(question, others)
    pools = [(0.45, hard, "lexical"), (0.25, beside, "same_document"), (0.2, list(wrong), "random"), (0.1, far, "elsewhere")]
    seen: set[str] = set()
    for _ in range(6 * count):
        if len(seen) >= count:
            return
        full = [pool for pool in pools if pool[1]]
        if not full:
            return
        _, pool, kind = rng.choices(full, weights=[share for share, _, _ in full])[0]
        one = pool.pop(rng.randrange(len(pool)))
        if one.text not in seen and len(content_words(one.text)) >= 2:
            seen.add(one.text)
            yield one, kind


def _hardest(question: str, candidates: Sequence[_Candidate]) -> list[_Candidate]:
    if not candidates:
        return []
    scores = rank_sentences(question, [one.text for one in candidates], headings=[one.title for one in candidates])
    return [candidates[i] for i in scores.argsort()[::-1][:_HARDEST]]


def helpcentre_relevance(seed: int, negatives: int) -> Iterator[Row]:
    """Yield the rows of our help centre: each sentence of the right documents, and of others what looks like it."""
    names, asked = helpcentre.develop()
    serving: dict[str, list[Sentence]] = {row["answer_id"]: helpcentre.evidence(row) for row in asked}
    for question in asked:
        if question["kind"] == "follow_up":
            continue
        rng = random.Random(f"{seed} {question['id']}")
        yield from _from_helpcentre(question, serving[question["answer_id"]], names, negatives, rng)
        twin = {"en": "zh", "zh": "en"}[question["lang"]] + question["answer_id"][2:]
        if serving.get(twin):
            yield from _from_helpcentre(question, serving[twin], names, negatives, rng)


def _from_helpcentre(
    question: Question, right: Sequence[Sentence], names: Sequence[str], negatives: int, rng: random.Random
) -> Iterator[Row]:
    if not right:
        return
    lang = helpcentre.language_of(right[0].document)
    within = {sentence.document for sentence in right} | set(question["documents"])
    strings = [string for group in question["answer_groups"] for string in group]

    def open_to_doubt(one: Sentence) -> bool:
        doubtful = holds(one.text, strings) or any(alike(gold.text, one.text, 0.5) for gold in right)
        return doubtful or alike(question["answer"], one.text, 0.5)

    told = [one for name in names if helpcentre.language_of(name) == lang for one in helpcentre.sentences_of(name)]
    wrong = [one for one in told if one not in right and not open_to_doubt(one)]
    beside = [one for one in wrong if one.document in within]
    away = [one for one in wrong if one.document not in within]
    scores = rank_sentences(question["question"], [one.text for one in away], headings=[one.title for one in away])
    hard = [away[i] for i in scores.argsort()[::-1][:_HARDEST]]
    count = negatives * len(right)
    chosen = [(one, 1.0, "gold") for one in right]
    chosen += [(one, 0.0, "same_document") for one in rng.sample(beside, min(len(beside), count))]
    chosen += [(one, 0.0, "lexical") for one in rng.sample(hard, min(len(hard), count // 2 + 1))]
    chosen.append((rng.choice(away), 0.0, "random"))
    for one, label, kind in chosen:
        yield Row(
            a=question["question"],
            b=titled(one.title, crop(one.text)),
            label=label,
            head="answers",
            lang=lang if lang == question["lang"] else "zh-en",
            source="helpcentre",
            kind=kind,
            group=helpcentre.group_of(min(question["documents"])),
            open_licence=True,
        )
