"""The help centre's own data set is consistent, and its README says what is in it."""

from collections import Counter, defaultdict

import pytest
import regex

from evals.helpcentre import DOCUMENTS, FOLDER, Question, load_questions
from groat.knowledge.documents import SourceDocument
from groat.knowledge.readers import read_documents
from groat.types import Language

_NO_DOCUMENT = {"unanswerable", "small_talk", "translation"}
LANGUAGES: tuple[Language, ...] = ("en", "zh")


@pytest.fixture(scope="module")
def documents() -> dict[str, SourceDocument]:
    found: dict[str, SourceDocument] = {}
    for path in sorted(path for path in DOCUMENTS.rglob("*") if path.is_file()):
        for document in read_documents(path.resolve()):
            assert isinstance(document, SourceDocument), document
            assert document.id not in found, f"{document.id} is there twice"
            found[document.id] = document
    return found


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return load_questions()


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_at_least_sixty_documents(documents: dict[str, SourceDocument], language: Language) -> None:
    assert sum(document.id.startswith(f"{language}-") for document in documents.values()) >= 60


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_document_is_in_the_language_that_its_id_says(documents: dict[str, SourceDocument], language: Language) -> None:
    assert {d.id for d in documents.values() if d.id.startswith(f"{language}-") and d.language != language} == set()


def test_readme_counts_the_questions_of_each_kind(questions: list[Question]) -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    told = {
        (kind, language): int(number)
        for kind, *numbers in regex.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \|$", readme, regex.MULTILINE)
        for language, number in zip(LANGUAGES, numbers, strict=True)
    }
    assert told == Counter((question["kind"], question["lang"]) for question in questions)


def test_ids_and_wordings_are_unique(questions: list[Question]) -> None:
    ids = Counter(question["id"] for question in questions)
    wordings = Counter((question["question"], str(question["history"])) for question in questions)
    assert [name for name, count in (ids | wordings).items() if count > 1] == []


def test_gold_documents_exist(questions: list[Question], documents: dict[str, SourceDocument]) -> None:
    assert {name for question in questions for name in question["documents"]} <= set(documents)


def test_first_string_of_each_answer_group_stands_in_a_gold_document(
    questions: list[Question], documents: dict[str, SourceDocument]
) -> None:
    missing = []
    for question in questions:
        gold = "\n".join(f"{documents[name].title}\n{documents[name].text}" for name in question["documents"]).casefold()
        missing += [(question["id"], group[0]) for group in question["answer_groups"] if group[0].casefold() not in gold]
    assert missing == []


def test_what_no_document_answers_names_none(questions: list[Question]) -> None:
    assert [q["id"] for q in questions if q["kind"] in _NO_DOCUMENT and (q["documents"] or q["answer_groups"])] == []


def test_near_misses_come_in_pairs_with_different_answers(questions: list[Question]) -> None:
    pairs = {(q["answer_id"], q["near_miss_of"]) for q in questions if q["near_miss_of"]}
    assert pairs
    assert {pair for pair in pairs if pair[0] == pair[1] or (pair[1], pair[0]) not in pairs} == set()


def test_paraphrases_share_the_answer_of_another_question(questions: list[Question]) -> None:
    groups: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        groups[question["answer_id"]].append(question)
    alone = [q["id"] for q in questions if q["kind"] == "paraphrase" and len(groups[q["answer_id"]]) < 2]
    assert alone == []
    assert [name for name, group in groups.items() if len({q["lang"] for q in group}) > 1] == []


def test_personal_and_time_bound_questions_are_never_cacheable(questions: list[Question]) -> None:
    assert {q["id"] for q in questions if q["kind"] in {"personal", "time_bound"} and q["cacheable"]} == set()


def test_follow_ups_and_only_they_have_a_history(questions: list[Question]) -> None:
    assert {q["id"] for q in questions if bool(q["history"]) != (q["kind"] == "follow_up")} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_at_least_two_hundred_questions_of_twelve_kinds(
    questions: list[Question], language: Language
) -> None:
    mine = [question for question in questions if question["lang"] == language]
    assert len(mine) >= 200
    assert len({question["kind"] for question in mine}) == 12
