"""What makes two alike questions different, in both languages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.cache import differences

DIFFERENT = [
    ("电池发货前取消,押金退吗", "电池发货后取消,押金退吗", "opposite"),
    ("退房前可以寄存行李吗", "退房后可以寄存行李吗", "opposite"),
    ("How heavy is the 10 kWh battery?", "How heavy is the 5 kWh battery?", "figure"),
    ("10 kWh 的电池多重", "5 kWh 的电池多重", "figure"),
    ("滞纳金是百分之五吗", "滞纳金是6%吗", "figure"),
    ("Is the deposit paid back?", "Is the deposit not paid back?", "negation"),
    ("Is the gift voucher refundable?", "Is the gift voucher non-refundable?", "negation"),
    ("How do I lock the meter display?", "How do I unlock the meter display?", "negation"),
    ("哪些插座支持远程升级?", "哪些插座不支持远程升级?", "negation"),
    ("拆封的电池能退吗", "拆封的电池不能退吗", "negation"),
    ("How do I turn the Smart schedule on?", "How do I turn off the Smart schedule?", "opposite"),
    ("智能排程怎么打开", "智能排程怎么关掉", "opposite"),
    ("What is tomorrow's price?", "What is today's price?", "opposite"),
    ("明天白天电价多少", "电价多少", "opposite"),
    ("How much does Plus cost per month?", "How much does Plus cost per year?", "opposite"),
    ("月付的套餐能退钱吗", "年付的套餐能退钱吗", "opposite"),
    ("备用电量最低能设多少", "备用电量最高能设多少", "opposite"),
    ("Can I return a plug?", "Can I get a refund for a plug?", "opposite"),
    ("电池发货前取消,押金退吗,发货之前", "电池发货后取消,押金退吗,发货之后", "opposite"),
    ("怎么买电", "怎么卖电", "opposite"),
    ("Who installed the meter?", "When was the meter installed?", "question_word"),
    ("谁安装了电表?", "什么时候安装的电表?", "question_word"),
    ("How do I move data from the meter to the app?", "How do I move data from the app to the meter?", "direction"),
    ("数据怎么从电表传到手机?", "数据怎么从手机传到电表?", "direction"),
    ("Is Paris bigger than London?", "Is London bigger than Paris?", "direction"),
    ("三星S24怎么截屏", "三星S25怎么截屏", "name"),
    ("怎么连接 Redis", "怎么连接 Kafka", "name"),
    ("What does error E42 mean?", "What does error E43 mean?", "name"),
    ("“升级”是什么意思", "“降级”是什么意思", "quoted"),
    ('What does "kWp" mean?', 'What does "kVA" mean?', "quoted"),
    (
        "Is it dear?",
        "Is it dear? " + "I ask since my neighbour told me all about the meter he has had for ages. " * 3,
        "length",
    ),
    ("How many years of warranty on the meter?", "How many years of warranty on the plug?", "swapped"),
    ("电表保修多久", "插座保修多久", "swapped"),
]

SAME = [
    ("更新后台怎么进", "怎么进更新后台"),
    ("How do I rename my battery?", "How can I rename my battery?"),
    ("怎么重置密码", "如何重置密码？"),
    ("能不能退货", "可以退货吗"),
    ("有没有学生优惠", "有学生优惠吗"),
    ("不知道怎么修改密码", "怎么修改密码"),
    ("I don't know how to reset my password", "How to reset my password"),
    ("一个月最多能推荐几个人", "1个月最多能推荐几个人"),
    ("花呗冻结了什么时候恢复", "花呗冻结了多久恢复"),
    ("Turn the lights on", "turn on the lights"),
    ("ＡＰＰ怎么登录", "app怎么登录"),
    ("Where do I change my password?", "How do I change my password?"),
    ("杭州在哪里领取插座?", "杭州插座领取在哪里"),
]

QUESTIONS = st.text(
    st.sampled_from("能不没开关买卖上下前后从到比12五十% aA.?“”\"'nN't\n怎么多少toffrom换成le"), max_size=40
) | st.text(max_size=30)


@pytest.mark.parametrize(("a", "b", "code"), DIFFERENT, ids=[f"{code}: {a[:24]}" for a, _, code in DIFFERENT])
def test_a_different_question_is_recognised(a: str, b: str, code: str) -> None:
    assert code in differences(a, b)
    assert differences(b, a) == differences(a, b)


@pytest.mark.parametrize(("a", "b"), SAME, ids=[a[:30] for a, _ in SAME])
def test_another_wording_of_one_question_passes(a: str, b: str) -> None:
    assert differences(a, b) == []


@settings(max_examples=150, deadline=None)
@given(QUESTIONS, QUESTIONS)
def test_the_guard_is_symmetric_and_never_raises(a: str, b: str) -> None:
    assert differences(a, b) == differences(b, a)


@settings(max_examples=80, deadline=None)
@given(QUESTIONS)
def test_a_question_does_not_differ_from_itself(question: str) -> None:
    assert differences(question, question) == []
    assert differences(question, f" {question.upper().lower()}") in ([], differences(question, question.upper().lower()))
