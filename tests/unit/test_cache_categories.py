"""The categories that ship, and a policy file of one's own."""

from contextlib import suppress
from pathlib import Path

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.cache.categories import shipped_table
from groat.cache.cues import CueError, readable, wordings
from groat.cache.marks import MARKS
from groat.cache.policy import CachePolicy, Evidence
from groat.errors import SettingsError
from tests.fakes import asked

HOUR, DAY = 3_600.0, 86_400.0
PAGE = Path(__file__).parents[2] / "docs" / "cache-policy.md"

SORTED = [
    ("Where is my new battery order?", "personal", "never", 0.0),
    ("我的订单到哪儿了", "personal", "never", 0.0),
    ("My number is 4917612345678, call me", "identity", "never", 0.0),
    ("我的手机号是13800138000", "identity", "never", 0.0),
    ("What was the price yesterday?", "moment", "never", 0.0),
    ("昨天的电价多少", "moment", "never", 0.0),
    ("What is the weather in Ulm today?", "today", "exact", HOUR / 2),
    ("苏州今天天气怎么样", "today", "exact", HOUR / 2),
    ("What are the opening hours of the shop today?", "today", "exact", HOUR / 2),
    ("你们店今天几点关门", "today", "exact", HOUR / 2),
    ("What is the exchange rate of the euro?", "rates", "alike", HOUR),
    ("欧元兑人民币的汇率", "rates", "alike", HOUR),
    ("What is the price of gold?", "rates", "alike", HOUR),
    ("黄金一克价格多少", "rates", "alike", HOUR),
    ("How much does a heat pump cost?", "prices", "alike", DAY),
    ("热泵多少钱一台", "prices", "alike", DAY),
    ("What is the latest version of the app?", "news", "alike", 6 * HOUR),
    ("这个软件最新版是多少", "news", "alike", 6 * HOUR),
    ("What is your return policy?", "company", "alike", None),
    ("你们的退货政策是什么", "company", "alike", None),
    ("How do I change my password?", "company", "alike", None),
    ("怎么取消订单", "company", "alike", None),
    ("Write a poem about rain", "opinion", "exact", 30 * DAY),
    ("写一首关于雨的诗", "opinion", "exact", 30 * DAY),
    ("What do you think about space travel?", "opinion", "exact", 30 * DAY),
    ("你觉得太空旅行怎么样", "opinion", "exact", 30 * DAY),
    ("Write a Python function to sort a list", "code", "exact", 30 * DAY),
    ("用Python写一个排序函数", "code", "exact", 30 * DAY),
    ("Ann has 4 pens. She buys 3 more. How many has she?", "exercise", "exact", 30 * DAY),
    ("小明有4支笔，又买了3支，一共几支？", "exercise", "exact", 30 * DAY),
    ("Translate into French: where is my order?", "instruction", "exact", 30 * DAY),
    ("把“我的订单到哪儿了”译成英语", "instruction", "exact", 30 * DAY),
    ("Why is the sky blue?", "general", "alike", 30 * DAY),
    ("天空为什么是蓝的", "general", "alike", 30 * DAY),
]

ODD = {
    "ttl": ('[categories.prices]\nttl = "5 minutes"', "categories.prices.ttl", '"90m"'),
    "no_ttl": ('[categories.mine]\ncache = "exact"', "categories.mine", "needs a ttl"),
    "zero_ttl": ('[categories.prices]\nttl = "0h"', "categories.prices.ttl", "above 0"),
    "cache": ('[categories.prices]\ncache = "always"', "categories.prices.cache", "'never', 'exact' or 'alike'"),
    "no_cache": ('[categories.mine]\nttl = "1h"', "categories.mine.cache", "add it"),
    "share": ("[categories.prices]\nmax_wrong = 2.0", "categories.prices.max_wrong", "less than or equal to 1"),
    "mark": ('[categories.prices]\nmarks = ["loud"]', "categories.prices.marks", "'loud' is no mark"),
    "key": ("[categories.prices]\ncolour = 1", "categories.prices.colour", "no such key"),
    "top": ("colour = 1", "colour", "no such key"),
    "default": ('default = "nothing"', "default", "'nothing' is not among"),
    "before": ('[categories.mine]\ncache = "never"\nbefore = "noon"', "categories.mine.before", "no category 'noon'"),
    "no_table": ("[categories]\nprices = 1", "categories.prices", "must be a table"),
    "categories": ("categories = 1", "categories", "must be a table"),
    "cues": ("[categories.prices]\ncues = 1", "categories.prices.cues", "must be a table"),
    "no_default": ('extends = false\n[categories.a]\ncache = "never"', "default", "add it"),
    "words": ('[words]\ncity = "Ulm"', "words.city", "list"),
    "empty_word": ('[words]\ncity = [" "]', "words.city.0", "at least 1 character"),
    "list": ('[categories.prices.cues]\nx.en = ["in {city}"]', "categories.prices.cues.x", "'city'"),
    "bracket": ('[categories.prices.cues]\nx.en = ["how (much|many"]', "categories.prices.cues.x", "without its ')'"),
    "bracket_too_many": ('[categories.prices.ignore]\nzh = ["多少)钱"]', "categories.prices.ignore", "too many"),
    "glued": ('[categories.prices.cues]\nx.en = ["price[s]"]', "categories.prices.cues.x", "needs a space"),
    "empty_cue": ('[categories.prices.cues]\nx.zh = ["（|多少）"]', "categories.prices.cues.x", "empty alternative"),
    "gaps": ('[categories.prices.cues]\nx.en = ["a ... b ... c .. d .. e"]', "categories.prices.cues.x", "3 gaps"),
    "language": ('[categories.prices.cues]\nx.de = ["was"]', "categories.prices.cues.x.de", "no such key"),
    "extends": ('extends = "no"', "extends", "true or false"),
}


def own(folder: Path, text: str) -> CachePolicy:
    file = folder / "policy.toml"
    file.write_text(text, encoding="utf-8")
    return CachePolicy.load(file)


@pytest.mark.parametrize(("text", "category", "cache", "ttl_s"), SORTED, ids=[text[:24] for text, *_ in SORTED])
def test_a_question_falls_into_its_category_in_either_language(
    text: str, category: str, cache: str, ttl_s: float | None
) -> None:
    ruling = CachePolicy.load(None).judge(asked(text))
    assert (ruling.category, ruling.cache, ruling.ttl_s) == (category, cache, ttl_s)


def test_every_shipped_cue_has_wordings_in_both_languages() -> None:
    cues = [(category.name, cue) for category in CachePolicy.load(None).categories for cue in category.cues]
    assert [(name, cue.name) for name, cue in cues if cue.said.en is None or cue.said.zh is None] == []


def test_every_shipped_category_says_what_it_is_and_only_the_default_has_no_sign() -> None:
    policy = CachePolicy.load(None)
    assert [category.name for category in policy.categories if not category.says] == []
    assert [category.name for category in policy.categories if not category.cues and not category.marks] == ["general"]


def test_every_mark_is_used_by_the_shipped_policy() -> None:
    used = {mark for category in CachePolicy.load(None).categories for mark in category.marks}
    assert used == MARKS.keys()


def test_loading_twice_gives_one_version_and_a_change_another(tmp_path: Path) -> None:
    assert own(tmp_path, "").version == CachePolicy.load(None).version
    assert own(tmp_path, '[categories.prices]\nttl = "5m"').version != CachePolicy.load(None).version


def test_a_file_changes_one_key_and_keeps_the_rest(tmp_path: Path) -> None:
    policy = own(tmp_path, '[categories.prices]\nttl = "1.5h"\n')
    assert policy.judge(asked("热泵多少钱一台")).ttl_s == 1.5 * HOUR
    assert policy.judge(asked("我的订单到哪儿了")).cache == "never"


def test_a_cue_of_the_file_stands_beside_the_shipped_ones_and_an_empty_one_takes_one_away(tmp_path: Path) -> None:
    policy = own(tmp_path, '[categories.moment.cues]\nday = {}\nlive.en = ["live score"]\nlive.zh = ["直播比分"]\n')
    assert policy.judge(asked("Any live score?")).evidence == Evidence("live", "words")
    assert policy.judge(asked("直播比分多少")).cache == "never"
    assert policy.judge(asked("Was it different yesterday?")).cache == "alike"
    assert policy.judge(asked("What time is it?")).cache == "never"


def test_a_new_category_comes_before_the_default_one_unless_the_file_says_where(tmp_path: Path) -> None:
    table = (
        '[categories.pension]\ncache = "alike"\nttl = "2w"\nmax_wrong = 0\n{}\n'
        'cues.plan = {{en = ["pension"], zh = ["养老金"]}}\n'
    )
    last = own(tmp_path, table.format(""))
    assert [category.name for category in last.categories][-2:] == ["pension", "general"]
    assert last.judge(asked("What is the price of a pension today?")).cache == "never"
    first = own(tmp_path, table.format('before = "moment"'))
    ruling = first.judge(asked("今天养老金怎么算"))
    assert (ruling.category, ruling.ttl_s, ruling.max_wrong) == ("pension", 14 * DAY, 0.0)


def test_a_new_default_category_comes_last_and_new_ones_before_it(tmp_path: Path) -> None:
    late = '[categories.late]\ncache = "exact"\nttl = "1h"\n'
    odd = '[categories.odd]\ncache = "never"\ncues.odd.en = ["odd"]\n'
    for tables in (late + odd, odd + late):
        policy = own(tmp_path, f'default = "late"\n{tables}')
        assert [category.name for category in policy.categories][-3:] == ["general", "odd", "late"]
        assert policy.judge(asked("Why is the sky blue?")).category == "late"


def test_a_shipped_category_may_be_asked_earlier(tmp_path: Path) -> None:
    policy = own(tmp_path, '[categories.prices]\nbefore = "rates"\n')
    names = [category.name for category in policy.categories]
    assert names.index("prices") == names.index("rates") - 1
    assert len(names) == len(CachePolicy.load(None).categories)


def test_a_file_that_extends_nothing_stands_alone(tmp_path: Path) -> None:
    policy = own(tmp_path, 'extends = false\ndefault = "all"\n[categories.all]\ncache = "exact"\nttl = "forever"\n')
    ruling = policy.judge(asked("我的订单到哪儿了"))
    assert (ruling.category, ruling.cache, ruling.ttl_s, ruling.reason) == ("all", "exact", None, "all")


def test_a_stricter_bound_goes_with_hits_by_likeness_only(tmp_path: Path) -> None:
    assert own(tmp_path, "[categories.rates]\nmax_wrong = 0.001").judge(asked("黄金价格多少")).max_wrong == 0.001
    assert own(tmp_path, '[categories.rates]\ncache = "exact"').judge(asked("黄金价格多少")).max_wrong is None


@pytest.mark.parametrize(("text", "key", "advice"), ODD.values(), ids=ODD.keys())
def test_a_key_that_cannot_be_used_is_named_with_what_to_write(tmp_path: Path, text: str, key: str, advice: str) -> None:
    with pytest.raises(SettingsError) as error:
        own(tmp_path, text)
    assert f": {key}: " in str(error.value)
    assert advice in str(error.value)
    assert "policy.toml" in str(error.value)


@pytest.mark.parametrize("content", [b"a = ", b"\xff\xfe", b"[categories"], ids=["value", "encoding", "table"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "own.toml").write_bytes(content)
    with pytest.raises(SettingsError, match="is no TOML file in UTF-8"):
        CachePolicy.load(tmp_path / "own.toml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.toml' cannot be opened"):
        CachePolicy.load(tmp_path / "missing.toml")


def test_the_shipped_table_is_read_anew_each_time() -> None:
    shipped_table()["categories"] = {}
    assert shipped_table()["categories"] != {}


@pytest.mark.parametrize(
    ("cue", "text", "found"),
    [
        ("price of oil", "The PRICE of oil, please", True),
        ("price of oil", "prices of oil", False),
        ("price of oil", "price\nof   oil", True),
        ("(price|cost) of", "the cost of it", True),
        ("my [new] order", "my order", True),
        ("my [new] order", "my new order", True),
        ("my [new] order", "my old order", False),
        ("[the] order", "order", True),
        ("where is my [*] [*] order", "where is my big new order", True),
        ("where is my [*] [*] order", "where is my very big new order", False),
        ("how much ... cost", "how much would two of them cost", True),
        ("how much ... cost", "how much of all the many things that you ever had did cost", False),
        ("{thing} left", "units left", True),
        ("#st", "the 21st", False),
        ("# units", "two units", False),
        ("# units", "12.5 units", True),
        ("^ now", "now?", True),
        ("^ now", "and now", False),
        ("now $", "and now?", True),
        ("now $", "now and then", False),
        ("c\\#", "is C# fast", True),
        ("what's", "What’s that", True),
        ("today", "today的价格", True),
    ],
)
def test_an_english_wording_is_found_where_it_says(cue: str, text: str, found: bool) -> None:
    if cue == "#st":
        with pytest.raises(CueError, match="needs a space"):
            wordings([cue], [], {})
    else:
        assert wordings([cue], [], {"thing": ["unit"]}).found_in(readable(text)) is found


@pytest.mark.parametrize(
    ("cue", "text", "found"),
    [
        ("多少 钱", "这个多少钱", True),
        ("我[的]订单", "我订单", True),
        ("我[的|们的]订单", "我们的订单", True),
        ("我 .. 订单", "我昨天买的订单", True),
        ("我 .. 订单", "我昨天在你们网站上下的订单", False),
        ("我 ... 订单", "我昨天在你们网站上下的订单", True),
        ("#点", "早上八点开门", True),
        ("#点", "早上8点开门", True),
        ("{物}剩", "度剩", True),
        ("用 python 写", "用Python写个脚本", True),
        ("（今天|明天）", "明天呢", True),
        ("*年", "去年", True),
    ],
)
def test_a_chinese_wording_is_found_where_it_says(cue: str, text: str, found: bool) -> None:
    assert wordings([], [cue], {"物": ["度"]}).found_in(readable(text)) is found


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text(st.sampled_from("a我()[]{}|.*#^$\\ '-"), max_size=24), st.text())
def test_any_wording_can_be_looked_for_or_is_refused_as_one(cue: str, text: str) -> None:
    with suppress(CueError):
        assert wordings([cue], [cue], {"a": ["b"]}).found_in(readable(text)) in {True, False}


def test_the_example_of_the_page_for_users_does_what_it_says(tmp_path: Path) -> None:
    [example] = regex.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=regex.DOTALL)
    policy = own(tmp_path, example)
    assert policy.judge(asked("热泵多少钱一台")).ttl_s == 300
    assert policy.judge(asked("Any live ticker?")).evidence == Evidence("live", "words")
    assert policy.judge(asked("本周电价多少")).cache != "never"
    for text in ("What does the Plus plan hold today?", "今天进阶版有什么"):
        assert policy.judge(asked(text)).max_wrong == 0.005
    assert policy.judge(asked("What is in my Plus plan today?")).cache == "never"


def test_the_page_for_users_names_every_category_in_order_and_every_mark() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = regex.findall(r"^\| `(\w+)` \| .* \| (?:never|same question|other words too)", page, flags=regex.MULTILINE)
    assert rows == [category.name for category in CachePolicy.load(None).categories]
    marks = page.partition("## Marks of form")[2]
    assert [mark for mark in MARKS if f"`{mark}`" not in marks] == []


@pytest.mark.parametrize(
    "question",
    ["10月20号签收的插座没拆过,今天11月24号还能退吗", "I got it on 20 October, and today is 24 November: may I send it back?"],
)
def test_days_alone_are_no_sum_but_a_moment(question: str) -> None:
    assert CachePolicy.load(None).judge(asked(question)).cache == "never"
