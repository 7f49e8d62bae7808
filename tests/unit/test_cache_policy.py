"""Which questions may enter the cache, and which may be matched by likeness."""

import pytest

from groat.cache import cacheable
from groat.cache.policy import MAX_KEPT_CHARS, alike_reason
from tests.fakes import asked

PERSONAL = [
    "Where is my new battery order?",
    "where's my refund",
    "has my refund gone out yet",
    "Why was my bill 30 quid higher last month?",
    "how many kWh did I use in October",
    "How much do I owe?",
    "Which plan am I on?",
    "What is my current balance?",
    "Did you get my parcel yet?",
    "Is order #4821377 on the truck?",
    "Change it to jo@example.org please",
    "我的订单到哪儿了",
    "查一下我这个月的电费账单",
    "我上周退的插座,钱退了没有",
    "我现在还有多少奖励金",
    "我的快递怎么还没到",
    "为什么我的账号突然被锁了",
    "订单号 20261124889 能改地址吗",
]
TIME_BOUND = [
    "What does electricity cost right now?",
    "price tonight",
    "What is today's rate?",
    "What was the price yesterday?",
    "What time is it?",
    "What is the current exchange rate for euros?",
    "How much do I pay per unit on 25 November?",
    "今天白天电价多少",
    "现在几点",
    "明天哪个钟头最贵",
    "本周电价多少",
    "目前的利率是多少，目前利率",
    "11月25日电价多少",
]
FIT_FOR_ALL = [
    "How do I change my password?",
    "Where can I find my invoice?",
    "When is my account data gone after I close the account?",
    "How long does my battery deposit stay valid?",
    "Can I return a plug I bought online?",
    "How are you today?",
    "Each day, when can I see the price for tomorrow? I mean usually, for tomorrow, every day at what hour today?",
    "What was the dearest day rate in the week of 16 November 2026?",
    "怎么修改我的密码",
    "我的电池能用多少年",
    "每天啥时候能看到明天的价",
    "2026年11月16日发布了什么",
    "忘记密码怎么办",
    "你好",
]
MATERIAL = [
    "Translate into French: where is my order?",
    "把“房东不同意安装,请取消我的订单”译成英语",
    "“好的”英文怎么说",
    "What is 12 * 7 + 3?",
    "Why does this fail?\n```\nprint(1)\n```",
    "what is wrong with def f(x) in my file",
    "Read https://example.org/page and tell me more",
    "Explain " + "this long story that goes on and on " * 12,
    "请解释" + "这个很长的故事" * 20,
]


@pytest.mark.parametrize("text", PERSONAL)
def test_a_question_about_ones_own_affairs_stays_out(text: str) -> None:
    assert cacheable(asked(text)) == (False, "personal")


@pytest.mark.parametrize("text", TIME_BOUND)
def test_a_question_about_a_moment_stays_out(text: str) -> None:
    assert cacheable(asked(text)) == (False, "time_bound")


@pytest.mark.parametrize("text", FIT_FOR_ALL)
def test_a_general_question_may_be_kept_and_matched(text: str) -> None:
    assert cacheable(asked(text)) == (True, "ok")
    assert alike_reason(asked(text)) == ""


@pytest.mark.parametrize("text", MATERIAL, ids=[text[:20] for text in MATERIAL])
def test_an_instruction_with_material_is_kept_but_never_matched_by_likeness(text: str) -> None:
    assert cacheable(asked(text)) == (True, "ok")
    assert alike_reason(asked(text)) == "templated"


def test_pasted_material_is_not_kept() -> None:
    assert cacheable(asked("x" * (MAX_KEPT_CHARS + 1))) == (False, "pasted")


def test_a_follow_up_is_not_matched_by_likeness() -> None:
    assert alike_reason(asked("And for the battery?", history=["Can I return a plug?", "Yes."])) == "follow_up"


@pytest.mark.parametrize(("before", "text"), [("What is today's price?", "And at night?"), ("明天电价多少", "那夜里呢")])
def test_a_follow_up_inherits_the_moment_of_its_question(before: str, text: str) -> None:
    assert cacheable(asked(text, history=[before, "..."])) == (False, "time_bound")
