"""Which questions mean the same without their conversation: when in doubt, none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.cache import conversation_key, identity_key
from groat.conversation import without_context
from groat.follow_up import leans_on_earlier
from groat.types import Turn
from tests.fakes import asked, identity

EN = ("How do I set up the smart plug?", "Open the app, choose Devices and follow the steps. [plug-setup]")
ZH = ("智能插座怎么安装？", "打开应用，选“设备”，按提示操作即可。[plug-setup]")

FOLLOW_UPS_EN = {
    "And for the battery?": "connective",
    "and in winter": "connective",
    "What about customers abroad?": "connective",
    "How about paying by bank transfer?": "connective",
    "Or can I pay by direct debit every month?": "connective",
    "But what happens to my stored payment card?": "connective",
    "So who pays for parcel insurance abroad?": "connective",
    "What if the courier loses my parcel abroad?": "connective",
    "For business customers in Scotland?": "connective",
    "Without a registered mobile phone number?": "connective",
    "Yes, please send me the contract by post": "connective",
    "No, I meant the annual subscription price": "connective",
    "Sorry, where is the shop in Manchester?": "connective",
    "If I cancel the annual subscription?": "connective",
    "Only for tenants with written permission?": "connective",
    "How long does it take to charge a phone?": "reference",
    "Can they be returned without the original box?": "reference",
    "Does this work with a shared family account?": "reference",
    "Which documents do I need for that application?": "reference",
    "Is the other model available in London shops?": "reference",
    "How much is a second one for my parents?": "reference",
    "What did you mean by protective earth cable?": "reference",
    "Can you explain your answer about warranty cover?": "reference",
    "Please translate the previous answer into German": "reference",
    "What happens next when a courier is late?": "reference",
    "Are pensioners also given a student discount?": "reference",
    "Where do I find the button mentioned above?": "reference",
    "What does step 3 mean for iPhone owners?": "reference",
    "Is there a difference then for Android phone owners?": "reference",
    "Why is his login code rejected on Android?": "reference",
    "Would annual payment be cheaper for students?": "comparison",
    "Which annual tariff is better for pensioners?": "comparison",
    "Do business customers pay more postage abroad?": "comparison",
    "Why?": "ellipsis",
    "How much?": "ellipsis",
    "When exactly?": "ellipsis",
    "Annual subscription price for students abroad?": "ellipsis",
    "The annual subscription": "ellipsis",
    "Postage costs to Northern Ireland?": "ellipsis",
    "How long?": "ellipsis",
    "Can I cancel?": "short",
    "Is Plus included?": "short",
    "How much does delivery cost?": "short",
    "Which cable does a smart plug need for outdoor lights?": "topic",
    "Why does the app want location permission on Android?": "topic",
}
FOLLOW_UPS_ZH = {
    "那电池呢？": "reference",
    "那年付套餐多少钱": "reference",
    "这个需要身份证复印件吗": "reference",
    "它支持国外手机号码注册吗": "reference",
    "他们的客服电话号码是多少": "reference",
    "上面提到的身份证复印件怎么上传": "reference",
    "刚才说的押金什么时候退回银行卡": "reference",
    "之前那张银行卡怎么解除绑定": "reference",
    "第二种付款方式怎么开通": "reference",
    "下一步应该填写哪张申请表格": "reference",
    "同样的优惠适用于商用客户吗": "reference",
    "老年客户也能享受学生优惠吗": "reference",
    "如何再次提交身份证申请材料": "reference",
    "还要准备哪些申请材料": "reference",
    "你说的保护接地是什么意思": "reference",
    "另外一种套餐支持退款吗": "reference",
    "商用客户呢": "reference",
    "海外客户的运费呢？": "reference",
    "后者支持分期付款吗": "reference",
    "别的城市有线下门店吗": "reference",
    "其他城市有线下门店吗": "reference",
    "如果是商用客户申请发票": "connective",
    "和年付套餐有什么区别": "connective",
    "但是身份证丢失怎么办理": "connective",
    "所以押金由谁承担运费": "connective",
    "要是银行卡过期怎么付款": "connective",
    "换成年付套餐怎么收费": "connective",
    "比如海外客户怎么付款": "connective",
    "具体需要哪些申请材料": "connective",
    "不是，我问的是年付套餐": "connective",
    "好的，押金怎么退回银行卡": "connective",
    "年付套餐更便宜吗": "comparison",
    "海外客户的运费比较贵吗": "comparison",
    "为什么": "short",
    "多久": "short",
    "多少钱？": "short",
    "可以退吗": "short",
    "怎么关掉": "short",
    "年付套餐": "ellipsis",
    "苏州工业园区的线下门店": "ellipsis",
    "商用客户，海外地址": "ellipsis",
    "智能插座的功率上限是多少瓦": "topic",
    "为什么设备列表一直显示离线状态": "topic",
}
ALONE = [
    (EN, "How long is a password reset link valid?"),
    (EN, "Which phone number do I call when my parcel is damaged?"),
    (EN, "Can tenants cancel the annual contract when moving house?"),
    (EN, "hi, what does express delivery to Northern Ireland cost?"),
    (EN, "On what day is the monthly invoice sent to business customers?"),
    (EN, "Is there a student discount on the annual subscription?"),
    (EN, "怎么修改登录密码"),
    (ZH, "忘记登录密码怎么找回"),
    (ZH, "请问密码重置链接有效期是多久？"),
    (ZH, "商用客户如何申请增值税发票"),
    (ZH, "退款几天到账银行卡"),
    (ZH, "電子發票多久寄到信箱"),
    (ZH, "租房客户还款日期可不可以推迟"),
    (ZH, "How long is a password reset link valid?"),
]
TOLD = [
    (("I am on the yearly plan.", "Noted."), "How long is a password reset link valid?"),
    (("I have a Plus plan, how do I upgrade?", "In the app."), "When is the monthly invoice sent to customers?"),
    (("Answer in French from now on, what is a smart meter?", "Un compteur."), "How long is a password reset link valid?"),
    (("Pretend to be a pirate. What is a smart meter?", "Arr."), "How long is a password reset link valid?"),
    (("The yearly plan", "You chose the yearly plan."), "How long is a password reset link valid?"),
    (("我用的是年付套餐。", "好的。"), "忘记登录密码怎么找回"),
    (("以后请简短回答，电表是什么？", "计量设备。"), "忘记登录密码怎么找回"),
    (("用英文回答：电表是什么？", "A device."), "忘记登录密码怎么找回"),
    (("年付套餐", "您选了年付套餐。"), "忘记登录密码怎么找回"),
]


def turns(*texts: str) -> list[Turn]:
    return asked("x", history=texts)["history"]


@pytest.mark.parametrize(
    ("history", "text", "why"),
    [*((EN, text, why) for text, why in FOLLOW_UPS_EN.items()), *((ZH, text, why) for text, why in FOLLOW_UPS_ZH.items())],
)
def test_a_follow_up_is_told_with_its_reason(history: tuple[str, str], text: str, why: str) -> None:
    assert leans_on_earlier(text, turns(*history)) == why


@pytest.mark.parametrize(("history", "text"), ALONE)
def test_a_whole_question_on_something_else_stands_alone(history: tuple[str, str], text: str) -> None:
    assert leans_on_earlier(text, turns(*history)) == ""


@pytest.mark.parametrize(("history", "text"), TOLD)
def test_what_an_earlier_turn_told_or_ordered_holds_on(history: tuple[str, str], text: str) -> None:
    assert leans_on_earlier(text, turns(*history)) == "told"


@pytest.mark.parametrize(("history", "text"), [(EN, ALONE[0][1]), (ZH, ALONE[7][1])])
def test_an_open_turn_waits_for_what_comes(history: tuple[str, str], text: str) -> None:
    assert leans_on_earlier(text, turns(history[0])) == "pending"
    assert leans_on_earlier(text, turns(history[0], "Which model do you have?")) == "pending"
    assert leans_on_earlier(text, turns(history[0], "请问您用的是哪一款？")) == "pending"


def test_a_question_without_a_conversation_is_left_as_it_is() -> None:
    question = asked("And for the battery?")
    assert without_context(question) == question


def test_a_question_that_stands_alone_is_asked_without_its_conversation() -> None:
    text = "How long is a password reset link valid?"
    question = asked(text, history=EN, search_text=f"{EN[0]}\n{text}")
    assert without_context(question) == {**asked(text), "turns_left_out": 2}


def test_a_follow_up_keeps_its_conversation_and_says_why() -> None:
    question = asked("And for the battery?", history=EN)
    assert without_context(question) == {**question, "follow_up": "connective"}


TURN = st.text(min_size=1, max_size=30)


@settings(max_examples=150)
@given(st.sampled_from([*FOLLOW_UPS_EN, *FOLLOW_UPS_ZH]), st.lists(TURN, min_size=1, max_size=4))
def test_a_history_always_changes_the_key_of_what_is_marked_by_its_words(text: str, history: list[str]) -> None:
    alone, followed = asked(text), without_context(asked(text, history=history))
    keys = {
        identity_key(identity(one, conversation=conversation_key(one["history"]))) for one in (alone, followed)
    }  # fmt: skip
    by_words = {**FOLLOW_UPS_EN, **FOLLOW_UPS_ZH}[text] != "topic"
    assert len(keys) == 2 or not by_words


@settings(max_examples=150)
@given(st.text(max_size=60), st.lists(TURN, min_size=1, max_size=4))
def test_any_text_is_judged_and_a_question_keeps_all_of_its_turns_or_none(text: str, history: list[str]) -> None:
    question = asked(text, history=history)
    kept = without_context(question)
    assert kept["history"] in ([], question["history"])
    assert bool(kept["history"]) == bool(kept.get("follow_up"))


@settings(max_examples=150)
@given(st.sampled_from([text for _, text in ALONE]), st.lists(TURN, min_size=1, max_size=4), TURN, TURN)
def test_no_two_tenants_share_a_key_with_or_without_their_turns(text: str, history: list[str], one: str, other: str) -> None:
    keys = set()
    for tenant in (one, other):
        question = without_context(asked(text, history=history, tenant=tenant))
        keys.add(identity_key(identity(question, conversation=conversation_key(question["history"]))))
    assert (len(keys) == 1) == (one == other)
