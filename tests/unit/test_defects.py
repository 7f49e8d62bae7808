"""The injector of defects, and the split of the rows that it damages."""

import random

from evals.defects import KINDS, damage
from evals.helpcentre import load_questions
from evals.validation import wilson
from evals.validation_rows import held_out_of, load_rows


def test_the_two_parts_share_no_document() -> None:
    questions = [question for question in load_questions() if question["documents"]]
    held_out = held_out_of(questions)
    documents = [
        {name for question in questions if (question["id"] in held_out) == held for name in question["documents"]}
        for held in (True, False)
    ]
    assert all(documents)
    assert documents[0].isdisjoint(documents[1])


def test_damage_changes_the_answer_and_repeats_itself() -> None:
    rows = list(load_rows("develop", 7, every=60))
    for kind in KINDS:
        found = [(row.scene.answer, [damage(kind, row.scene, random.Random(3)) for _ in range(2)]) for row in rows]
        assert all(one == again for _, (one, again) in found)
        assert all(one is None or one.schema is not None or one.text != answer for answer, (one, _) in found)
        assert any(one is not None for _, (one, _) in found)


def test_the_interval_of_wilson_holds_the_share() -> None:
    assert wilson(5, 10) == (0.2366, 0.7634)
