"""Which questions may enter the cache, and which may be matched by likeness."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.cache import cacheable
from groat.cache.policy import MAX_KEPT_CHARS, CachePolicy, Evidence, Ruling, admission, alike_reason, is_templated
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
FILLED_FRAMES = [
    # sums in words, one sentence or several
    "Nora packs 6 boxes with 12 jars each. She drops 9 jars. How many jars are left?",
    "If 4 painters need 9 hours for a fence, how long do 6 painters need?",
    "A tram leaves with forty people. At the first stop half of them get off. How many stay?",
    "小林有8支铅笔,送给同学3支,又买了5支,现在有几支?",
    "一箱苹果有24个，每天吃3个，可以吃几天？",
    "甲车每小时行60千米，乙车每小时行80千米，两车同时出发。几小时后相距60千米？",
    "修一条路，三个工人要六天，五个工人要几天",
    # options in any lettering, in one line
    "Which of these is a mammal? A. trout B. bat C. eagle D. frog",
    "Which of these is a mammal? (a) trout (b) bat (c) eagle",
    "Which metal is liquid at room temperature? 1) iron 2) mercury 3) tin",
    "Which statement holds? i) all are red ii) none is red iii) some are red",
    "下列哪个是哺乳动物？A．鳟鱼 B．蝙蝠 C．老鹰 D．青蛙",
    "下列说法正确的是①水能导电②铜能导电③玻璃能导电",
    "下列说法正确的是(一)都是红的(二)都不是红的(三)有些是红的",
    # code and formulas without a fence
    "What does len(names[0]) return for names = ['ab']?",
    "What is printed by for (i = 0; i < 3; i++) total += i;",
    "SELECT name FROM users gives an error",
    "df.groupby('city').mean() 报错怎么办",
    "Find x when x^2 = 9",
    "已知 f(x)=2x+1，求 f(3)",
    "化简 $\\frac{a^2}{a}$",
    # material after an instruction
    "Name the intent of this message: how do I reset my password?",
    "Is this review positive: the soup was cold and nobody came",
    "把这句话按情绪分类：菜是凉的，等了很久也没人来",
    "判断下面这句话的意图：怎么重置密码？",
    "Give the mood of “the soup was cold and after an hour still nobody had come”",
    "Make a sentence of these words: garden, ladder, rain, apple, neighbour, evening",
    "dog, ladder, rain, apple, neighbour, evening",
    "Sum up the talk\nAnn: are you free on Monday\nBo: after three",
    # tables
    "| city | people |\n| Ulm | 126,000 |",
    "城市\t人口\n乌尔姆\t12万",
]
PLAIN = [
    "How do I connect the plug to 2.4 GHz Wi-Fi?",
    "Which is better, the 5 kWh or the 10 kWh battery?",
    "WhatsApp Web: why can't I send messages?",
    "I lost my card. What should I do?",
    'What does the error message "no signal" mean?',
    "What is C++?",
    "What is the difference between HTTP and HTTPS?",
    "10 kWh 的电池多重",
    "第一次登录要做什么",
    "微信和QQ有什么区别？哪个更好用？",
    "忘了密码，怎么登录？",
    "地下城：什么职业好玩",
    "“升级”是什么意思",
]
ANYTHING = st.text() | st.text(
    st.sampled_from("今天我的订单多少钱如果昨现在价 myorderwhereis today 12.5%(a)bA.①、:：?？\n|{}=;\"'“”\ud800\u200bé@#$_"),
    max_size=120,
)


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


@pytest.mark.parametrize("text", FILLED_FRAMES, ids=[text[:24] for text in FILLED_FRAMES])
def test_a_frame_of_wording_filled_anew_is_never_matched_by_likeness(text: str) -> None:
    assert alike_reason(asked(text)) == "templated"
    assert is_templated(text)


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_question_with_a_figure_or_a_second_sentence_is_no_frame(text: str) -> None:
    assert alike_reason(asked(text)) == ""
    assert not is_templated(text)


@pytest.mark.parametrize(
    ("text", "cue", "span"),
    [
        ("Where is my new battery order?", "where_is_mine", "words"),
        ("我的订单到哪儿了", "where_is_mine", "words"),
        ("Change it to jo@example.org please", "email", "form"),
        ("订单号 20261124889 能改地址吗", "long_number", "form"),
    ],
)
def test_a_ruling_names_the_cue_and_no_word_of_the_question(text: str, cue: str, span: str) -> None:
    ruling = CachePolicy.load(None).judge(asked(text))
    assert (ruling.evidence, ruling.cache, ruling.ttl_s) == (Evidence(cue, span), "never", 0.0)  # type: ignore[arg-type]  # a str here


def test_a_question_that_fits_no_category_falls_into_the_default_one() -> None:
    assert CachePolicy.load(None).judge(asked("Why is the sky blue?")) == Ruling(
        "general", "alike", 30 * 86_400, "", None, None
    )


@pytest.mark.parametrize(
    ("before", "text", "ttl_s"),
    [
        ("What is the price of gold?", "And of silver?", 3_600),
        ("黄金价格多少", "那白银呢", 3_600),
        ("Why is the sky blue?", "And the sea?", 30 * 86_400),
        ("天空为什么是蓝的", "海呢", 30 * 86_400),
    ],
)
def test_a_follow_up_lives_no_longer_than_what_it_follows(before: str, text: str, ttl_s: float) -> None:
    ruling = CachePolicy.load(None).judge(asked(text, history=[before, "..."]))
    assert (ruling.cache, ruling.reason, ruling.ttl_s) == ("exact", "follow_up", ttl_s)


@pytest.mark.parametrize(("before", "text"), [("Where is my order?", "And the other one?"), ("我的订单到哪儿了", "另一个呢")])
def test_a_follow_up_of_a_personal_question_is_personal(before: str, text: str) -> None:
    ruling = CachePolicy.load(None).judge(asked(text, history=[before, "..."]))
    assert (ruling.cache, ruling.reason, ruling.evidence) == ("never", "personal", Evidence("where_is_mine", "earlier_turn"))


def test_a_long_follow_up_stands_for_itself() -> None:
    text = "How do I change the password of the app on the tablet in the kitchen?"
    assert cacheable(asked(text, history=["What is today's price?", "..."])) == (True, "ok")


@pytest.mark.parametrize("text", ["Translate: write to jo@example.org", "翻译：请打电话 13800138000 找我"])
def test_material_that_names_a_person_is_not_kept(text: str) -> None:
    assert cacheable(asked(text)) == (False, "personal")


@pytest.mark.parametrize("text", ["How do I score above 70 marks?", "What changed over 2 decades?", "Do 3 maybes make a yes?"])
def test_a_number_before_a_word_that_begins_like_a_month_is_no_date(text: str) -> None:
    assert cacheable(asked(text)) == (True, "ok")


@pytest.mark.parametrize("text", ["Where is my order?", "我的订单到哪儿了"])
def test_a_personal_answer_is_not_admitted(text: str) -> None:
    assert admission(asked(text), verified=True, complete=True, refused=False) == "personal"


@pytest.mark.parametrize("text", ["How do I change my password?", "怎么修改密码"])
def test_a_verified_whole_answer_is_admitted(text: str) -> None:
    assert admission(asked(text), verified=True, complete=True, refused=False) == ""


@pytest.mark.parametrize(
    ("verified", "complete", "refused", "reason"),
    [(False, True, False, "unverified"), (True, False, False, "partial"), (True, True, True, "refused")],
    ids=["unverified", "partial", "refused"],
)
def test_an_answer_that_is_no_answer_is_not_admitted(verified: bool, complete: bool, refused: bool, reason: str) -> None:
    question = asked("怎么修改密码")
    assert admission(question, verified=verified, complete=complete, refused=refused) == reason


@settings(max_examples=300, deadline=None)
@given(ANYTHING, st.lists(ANYTHING, max_size=2))
def test_every_text_gets_a_ruling(text: str, history: list[str]) -> None:
    question = asked(text, history=history)
    ruling = CachePolicy.load(None).judge(question)
    assert cacheable(question)[0] == (ruling.cache != "never")
    assert (alike_reason(question) == "") == (ruling.cache == "alike")


@settings(max_examples=50, deadline=None)
@given(st.text(st.sampled_from('今天 my a{(<"“:：1=$_.,、\n|'), min_size=1, max_size=8), st.integers(1, 500))
def test_long_repetitive_texts_are_judged_in_time(piece: str, times: int) -> None:
    assert CachePolicy.load(None).judge(asked(piece * times)).category
