"""What is read of two texts by short ways is, bit for bit, what the long ways read: a verifier was fitted on these values."""

import hashlib
import random
import struct
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from groat.cache.alignment import matching_blocks
from groat.cache.evidence import NAMES, evidence
from groat.cache.verifier import Mode, Verifier, VerifierArtifact
from groat.text import denials, detect_language, fold, words

ENGLISH = (
    "how do i can you turn on off the card switch it back not n't no neither never cancel order refund why when where is are "
    "what if without 5 10,000 3.5 twenty one to from over than USD EUR a92s check-in non-refundable unable sign up log in? "
    '"fast" it\'s,'
).split()
CHINESE = (
    "怎么 如何 为什么 不 没有 能不能 关闭 打开 退款 订单 三天 百分之五 5万 从 到 转 换 "
    "比 银行卡 App 微信 什么时候 多少钱 哪里 吗 了 如果 以后 只 谁 "
    "原因 不同 “快”"
).split()
WORDS = ENGLISH + CHINESE
TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(
        st.sampled_from(" aZ0.,!?'’“”\"-/+#%()\t\n\x0b\x1c\x85\xa0\u3000\u200bßİſΣ中不没一万，。？～Ａ％²ﬁ龘🙂々"), max_size=40
    ),
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=12).map("".join),
)
ASCII = st.lists(st.sampled_from(ENGLISH), max_size=12).map(" ".join)
TOKENS = st.lists(st.sampled_from("abcde"), max_size=14)


@given(TEXTS)
def test_texts_are_folded_as_the_patterns_say(text: str) -> None:
    flat = regex.sub(r"\p{Cf}", "", unicodedata.normalize("NFKC", text)).casefold()
    flat = regex.sub(r"(?<=\p{Han})\s+(?=\p{Han})", "", regex.sub(r"\s+", " ", flat))
    assert fold(text) == (regex.sub(r"^[\s\p{P}]+|[\s\p{P}]+$", "", flat) or flat.strip())


@given(ASCII)
def test_english_is_read_alike_on_the_short_way_and_on_the_long_one(text: str) -> None:
    # A letter of a third script makes a text take the long way.
    assert words(f"{text} Ω") == [*words(text), "ω"]
    assert denials(f"{text} ω") == denials(text)
    assert detect_language(f"{text} Ω", "zh") == detect_language(text, "zh")


@pytest.mark.parametrize(
    "sign", "not no never without cannot cant dont doesnt isnt wont didnt unable none neither nor hasn't".split()
)
def test_every_english_negation_is_seen_on_the_short_way(sign: str) -> None:
    assert denials(f"this is {sign} it") == denials(f"this is {sign} it ω") == 1


@given(TOKENS, TOKENS)
def test_stretches_are_those_of_the_standard_library(a: Sequence[str], b: Sequence[str]) -> None:
    joined: list[tuple[int, int, int]] = []
    for start_a, start_b, size in matching_blocks(a, b):
        if joined and (joined[-1][0] + joined[-1][2], joined[-1][1] + joined[-1][2]) == (start_a, start_b):
            joined[-1] = (joined[-1][0], joined[-1][1], joined[-1][2] + size)
        else:
            joined.append((start_a, start_b, size))
    assert joined == [tuple(block) for block in SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()[:-1]]


@pytest.mark.parametrize("mode", ["plain", "judged"])
def test_trees_are_followed_from_the_root_to_a_leaf(mode: Mode) -> None:
    artifact = VerifierArtifact.load()
    trees = artifact.trees[mode]
    rows = np.random.default_rng(1).uniform(-1, 8, (5, len(NAMES)))
    for row, score in zip(rows, Verifier(artifact).scores(mode, rows), strict=True):
        leaves = []
        for number, (feature, threshold) in enumerate(zip(trees.feature, trees.threshold, strict=True)):
            node = 0
            for _ in range(trees.depth):
                node = (trees.left if row[feature[node]] <= threshold[node] else trees.right)[number][node]
            leaves.append(trees.value[number][node])
        assert score == pytest.approx(trees.base + sum(leaves), abs=1e-9)


def test_the_values_are_those_that_the_verifier_was_fitted_on() -> None:
    rng, digest = random.Random(3), hashlib.sha256()
    for _ in range(3_000):
        a, b = (rng.choice(["", " "]).join(rng.choices(WORDS, k=rng.randrange(10))) for _ in "ab")
        values = evidence(a, b, cosine=rng.random(), logit=rng.uniform(-20, 20))
        # The last bit of a logarithm may differ from one library of mathematics to another.
        digest.update(struct.pack(f"<{len(values)}d", *values.round(12)))
    # Made before the short ways were taken. When it has to change, EVIDENCE_VERSION has to, and the verifier is fitted anew.
    assert digest.hexdigest()[:16] == "b35d93b746a1c266"
