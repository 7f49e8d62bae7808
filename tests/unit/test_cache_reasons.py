"""Every reason code stands in one table, and the table in the documentation."""

import ast
import tomllib
from pathlib import Path

import groat.cache
from groat.cache.reasons import REASONS, code_of, known
from tests.unit.test_cache_counts import lookup

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(groat.cache.__file__).parent
NO_REASONS = {"hit", "miss", "off", "error", "semantic", "never", "score", "similarity", "expired", "evicted"}
"""Words that ``AnswerCache`` writes and that are outcomes, tiers, keys of dictionaries or kinds of removals."""


def _words(node: ast.AST) -> set[str]:
    """Return the words that code writes, without keys and descriptions."""
    found: set[str] = set()
    for one in ast.walk(node):
        keys = one.keys if isinstance(one, ast.Dict) else [one.slice] if isinstance(one, ast.Subscript) else []
        for child in ast.iter_child_nodes(one):
            counts = not isinstance(one, ast.Expr) and child not in keys
            if counts and isinstance(child, ast.Constant) and isinstance(child.value, str) and child.value.isidentifier():
                found.add(child.value)
    return found


def test_all_that_the_cache_says_is_in_the_table() -> None:
    tree = ast.parse((CACHE / "answers.py").read_text(encoding="utf-8"))
    (answers,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "AnswerCache"]
    said = _words(answers) - NO_REASONS
    assert said - set(REASONS) == set()
    assert {"empty", "stale", "below_threshold", "not_proven"} <= said


def test_all_that_the_shipped_policy_says_is_in_the_table() -> None:
    table = tomllib.loads((CACHE / "policy.toml").read_text(encoding="utf-8"))
    said = {
        str(category.get("reason", name))
        for name, category in table["categories"].items()
        if category["cache"] != "alike"
    }  # fmt: skip
    assert said - set(REASONS) == set()
    tree = ast.parse((CACHE / "policy.py").read_text(encoding="utf-8"))
    (admission,) = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "admission" and len(node.body) > 3
    ]
    assert _words(admission) - {"never"} <= set(REASONS)


def test_the_documentation_lists_every_code_and_no_other() -> None:
    text = (ROOT / "docs" / "cache.md").read_text(encoding="utf-8")
    rows = text.partition("| reason |")[2].partition("\n\n")[0].splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(REASONS)


def test_every_lookup_has_a_code_in_the_table() -> None:
    assert code_of(lookup("hit", "normalised")) == "normalised"
    assert code_of(lookup("error", "the answer cache /x is locked; try again")) == "failed"
    assert code_of(lookup("miss", "plans")) == known("plans") == "category"
    assert all(code == known(code) for code in REASONS)
