"""Which questions may be kept and looked up at all, and which may be matched by likeness.

A question about the asker's own affairs, or about a moment, has another right answer for the next person or the next hour;
serving it again is wrong however alike the wording is. The rules are cues of wording, so they err: they are kept where a
wrong "yes" would hurt (another person's order) and narrow where a wrong "no" only costs a model call ("How do I change my
password?" is nobody's own affair). How often they err is measured in ``docs/model-cards/cache-threshold.md``.
"""

import regex

from groat.text import detect_language
from groat.types import Asked

MAX_KEPT_CHARS = 4_000
"""A longer question holds pasted material: it will hardly be asked again, and it may hold anything."""

MAX_ALIKE_CHARS = {"zh": 120, "en": 300}
"""Above this length one vector hides the detail that decides; about three long sentences."""

_I = regex.IGNORECASE

# A thing that only the asker's record can tell about.
_RECORD_EN = (
    r"(?:order|parcel|package|delivery|shipment|bill|invoice|balance|payment|refund|credit|deposit|statement|transfer|"
    r"transaction|usage|consumption|contract|subscription|account|claim|ticket|booking|appointment|card|salary|pay ?check|"
    r"flight|reservation|points|rewards?|installer|engineer|technician)"
)
_RECORD_ZH = (
    r"(?:订单|快递|包裹|账单|電費|电费|余额|额度|账户|账号|帐号|帐单|退款|钱|发票|奖励金?|积分|合同|工单|预约|申请|订阅|套餐|"
    r"进阶版|商用版|会员|电池|插座|电表|货|用电量|电量|押金|优惠券|还款|借款|贷款|工资|卡)"
)

_PERSONAL = [
    # where is my parcel, when does my refund arrive
    rf"\bwhere(?:'s| is| are| did)\s+my\s+(?:\w+\s+){{0,2}}{_RECORD_EN}",
    rf"\bwhen (?:will|is|does|did) my (?:\w+ ){{0,2}}(?:{_RECORD_EN})s? (?:arrive|come|be here|get here|go out|due|"
    rf"delivered)\b",
    # has my refund gone out, did you get my return, is my order on its way
    rf"\b(?:has|have|did|was|were|is|are) (?:you (?:\w+ )?)?my (?:\w+ ){{0,2}}{_RECORD_EN}s?\b"
    r".{0,30}\b(?:arrived?|gone|come|shipped|sent|out|received|paid|posted|through|ready|approved|on (?:its|the) way|yet)\b",
    r"\bhave you (?:received|got|shipped|sent|processed|booked)\b.*\bmy\b",
    # why was my bill higher, why was I charged
    rf"\bwhy (?:was|is|were|are|did|has) my (?:\w+ ){{0,2}}{_RECORD_EN}s?\b.{{0,20}}\b(?:so|higher|lower|more|less|up|"
    rf"down|\d+)",
    # how much did I use, how much do I owe, what did I pay
    r"\bhow (?:much|many)\b.{0,25}\b(?:did|have) i (?:\w+ )?(?:use|used|spend|spent|pay|paid|owe|earn|earned|save|saved|"
    r"get|sell|sold)\b",
    r"\b(?:how much|what) do i (?:still )?owe\b",
    # which plan am I on, what address do you have for me
    r"\b(?:which|what) (?:\w+ ){0,3}(?:am i on|do i have (?:now|at the moment|left)|are you (?:holding|keeping) (?:for|on|"
    r"about) me)\b",
    r"\b(?:do|did|have) you (?:have|hold|got|keep|kept) (?:on (?:file|record) )?(?:\w+ ){0,3}(?:for|about|on) me\b",
    r"\b(?:what'?s|what is|what are|show(?: me)?|tell me|check|look up) (?:the )?(?:current )?my (?:current |latest |last )?"
    r"(?:\w+ )?(?:balance|order|bill|usage|consumption|points|deposit|credit|transactions?|reservation|appointment)s?\b",
    r"\bhow much (?:is|was) (?:left )?(?:on |in )?my (?:last |latest |current |\w+ )?(?:bill|balance|account|invoice)\b",
    # the installer comes to me on Thursday, my friend signed up and my credit
    r"\b(?:coming|come|comes) to (?:me|us|my (?:house|home|flat|place))\b",
    r"\bmy (?:credit|refund|money|parcel|order|deposit|cashback)\b.{0,12}\b(?:arrived|come|gone|landed|shipped|credited)\b",
    r"\b(?:remind me|my reminders?)\b",
    # 我的订单到哪儿了, 我上周退的插座钱退了没有
    r"(?:我|俺|本人)(?:家|们家)?(?:的|这个月|上个?月|本月|昨天|今天|上周|上个?礼拜|上次|刚才?|前[天几]|约|买|订|退|申请)"
    rf".{{0,14}}{_RECORD_ZH}.{{0,8}}(?:到哪|到了没|到了吗|发了没|发货了|寄了没|退了没|退了吗|开好|好了没|好了吗|成功了|通过了|一共|总共)",
    rf"我的?(?:\w{{0,4}}){_RECORD_ZH}(?:到哪|在哪里?了|怎么还没|为什么还没|咋还没|啥时候到|什么时候到|哪天到|发货了?吗|发货了?没)",
    rf"(?:帮|给|替)我(?:查|看|找|催)(?:一?下|查|看|一查|一看)?.{{0,12}}{_RECORD_ZH}",
    rf"(?:查|看)(?:一?下|查|看|一查|一看)我(?:的|家|这个|上个|本|[上这]).{{0,6}}{_RECORD_ZH}",
    r"我(?:现在|目前|这边|账户里|账号里|这个月|上个?月|本月|家)?.{0,6}(?:还有|还剩|用了|花了|欠了?|余下|攒了)(?:多少|几).{0,6}",
    r"我(?:约|预约|订|买|退)的?.{1,8}(?:哪天|几号|什么时候|啥时候|几点)(?:来|送|到|上门|安装)",
    r"(?:为什么|为啥|怎么|咋)我的?(?:账号|帐号|账户|账单|电费|订单)(?:今天|昨天|上个?月|这个?月|突然)",
    r"我(?:上个?月|这个?月|本月|昨天|上周|去年).{0,6}(?:电费|账单|用电|用量|花费|消费).{0,4}(?:多少|几|高|贵|怎么)",
    r"我(?:昨天|上周|前天|上个?月|刚才?|刚刚).{0,3}(?:申请|退|买|寄|付|提交|下单).{0,10}(?:了吗|了没|没有|开好|到账)",
    # numbers that name one person or one order
    r"\b[\w.+-]+@[\w-]+\.\w{2,}\b",
    r"(?<![\d.,])(?:\+?\d[\s-]?){9,}\d(?![\d.,])",
    r"\b(?:order|invoice|case|ticket|booking|customer|contract|account) (?:no\.?|number|#)?\s*[:#]?\s*[A-Z]{0,4}-?\d{4,}\b",
    r"(?:订单|发票|工单|合同|客户|账户|快递|运单)(?:号码?|编号)?(?:是|为|：|:)?\s*[A-Za-z]{0,4}-?\d{5,}",
]

_TIME_BOUND = [
    r"\b(?:right now|at the moment|at present|as of (?:now|today)|tonight|this (?:morning|afternoon|evening|weekend|hour))\b",
    r"\b(?:today|yesterday)\b(?!['’]s (?:\w+ )?(?:world|society|age|youth))|\btomorrow\b(?!.{0,30}\b(?:need|"
    r"want)\b)(?<!\bneed it tomorrow)",
    r"\b(?:this|last|next|past|coming) (?:week|month)\b(?=.{0,25}$)(?<!\b(?:bought|ordered|paid|got|joined)\b.{0,30})",
    r"\b(?:for|on|by|until|before|coming|this|next|last) (?:this |next |last |coming )?(?:mon|tues|wednes|thurs|fri|satur|"
    r"sun)day\b"
    r"(?=.{0,3}$)",
    r"\bwhat(?:'s| is) the (?:time|date)\b(?! (?:of|for|zone|difference|limit|when))|\bwhat time is it\b",
    r"\b(?:currently|now)\b\s*[?.!]*$|\bcurrent (?:price|rate|tariff|weather|temperature|time|status|exchange rate|version)\b",
    r"\bthe (?:latest|newest) (?:\w+ ){0,2}(?:news|version|price|score|release)\b",
    r"(?:今天|今日|今晚|今早|今夜|明天|明日|明晚|明早|昨天|昨日|昨晚|后天|前天|此刻|眼下|此时此刻)",
    r"(?:本周|这周|上周|下周|这(?:个)?(?:星期|礼拜)|上(?:个)?(?:星期|礼拜)|下(?:个)?(?:星期|礼拜)|本月|这个月|上个?月|下个?月)(?=.{0,14}(?:价|多少|几|差|贵|便宜))",
    r"(?:现在|目前|当前|眼下|现时).{0,8}(?:几点|几号|价|多少钱|一度|最新|哪一?版|天气|利率|汇率|晚上|早上|下午|中午|\d+点|[一二三四五六七八九十]+点)",
    # a date without a year is another day next year
    r"\b\d{1,2}(?:st|nd|rd|th)? (?:of )?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b(?!,? \d{4})",
    r"\b(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)[a-z]* \d{1,2}(?:st|nd|rd|th)?\b(?!,? \d{4})",
    r"(?<![年\d])\d{1,2}月\d{1,2}[日号]",
    r"(?:实时|最新的?(?:价格|消息|新闻|版本|行情|汇率)|现在是?几点|星期几了?$)",
]

# The word of the moment names a thing here: every day has its "tomorrow's price", and its page says when it comes.
_TIMELESS = regex.compile(
    r"(?:每天|每日|一般|通常|平时).{0,14}(?:明天|今天|今日|明日)|"
    r"\b(?:every day|each day|usually|normally)\b.{0,40}\b(?:today|tomorrow)\b"
    r"|\bhow are (?:you|things)\b.{0,12}\btoday\b|今天(?:过得|心情|好吗|开心)|\b(?:tried|twice|typed)\b.{0,20}\btoday\b"
    r"|\bhow can i help you today\b",
    _I,
)

# What would happen to anyone: "When is my account data gone after I close the account?"
_SUPPOSED = regex.compile(
    r"\b(?:if|once|after|before|when) (?:i|we) (?!did|was|had|made|paid|ordered|asked|sent)|如果我|要是我|假如我", _I
)

# An instruction with material: the cues of time and person stand in the material, not in the question.
_INSTRUCTION = [
    r"\b(?:translate|translation of|summari[sz]e|paraphrase|rewrite|rephrase|proofread|"
    r"correct (?:this|the following) (?:text|sentence|paragraph|grammar)|put (?:this|it|that|the following) into|"
    r"how (?:do|would|can) (?:you|i|we) say)\b|[\"'”’」] in (?:english|chinese|french|german|spanish|italian|japanese)\b",
    r"(?:翻译|译成|译为|翻成|译一下|(?:[中英法德日韩俄]文|[英法德日韩俄]语|汉语)(?:怎么说|怎么讲|是什么意思|啥意思)|怎么说[:：]?[“「\"']|润色|改写|缩写|总结(?:一下)?(?:这|以下|下面)|"
    r"概括(?:一下)?(?:这|以下|下面)|改成(?:书面|口语))",
]

_MATERIAL = [
    r"```|\bdef \w+\(|\bselect\b.+\bfrom\b|[{};]\s*$|</?\w+>|\bTraceback\b|^import \w+|=>|::",
    r"\d\s*[+*^=×÷]\s*[\d(xy]|\d\s+[/x-]\s+\d|\b(?:solve|integrate|differentiate|factori[sz]e|simplify) (?:the |this |"
    r"for )?\w*\s*[\dx(]|\\frac|√|∫",
    r"https?://|www\.",
    r"[:：]\s*\S.{120,}$",
    r"\n\s*\S.*\n",
]

_RULES_PERSONAL = [regex.compile(pattern, _I) for pattern in _PERSONAL]
_RULES_TIME = [regex.compile(pattern, _I) for pattern in _TIME_BOUND]
_RULES_INSTRUCTION = [regex.compile(pattern, _I) for pattern in _INSTRUCTION]
_RULES_MATERIAL = [regex.compile(pattern, _I | regex.DOTALL) for pattern in _MATERIAL]


def cacheable(asked: Asked) -> tuple[bool, str]:
    """Say whether an answer to this question may be kept and served again, and why not.

    Returns:
        True and "ok"; or False and "pasted", "personal" (the asker's own affairs, or data that names a person) or
        "time_bound" (the answer is another one tomorrow). A time or a person that only earlier turns name is seen as well.
    """
    text = asked["text"]
    if len(text) > MAX_KEPT_CHARS:
        return False, "pasted"
    if _any(_RULES_INSTRUCTION, text):
        return True, "ok"
    if _any(_RULES_PERSONAL, text) and not _SUPPOSED.search(text):
        return False, "personal"
    if _is_time_bound(text) or _follows_a_moment(asked):
        return False, "time_bound"
    return True, "ok"


def alike_reason(asked: Asked) -> str:
    """Return why the question may not be matched by likeness, "" when it may.

    "follow_up": its meaning is in the earlier turns, of which the vector knows little. "templated": an instruction with
    material (a text to translate, code, a sum), where the instruction makes all of them alike and the material decides.
    """
    if asked["history"]:
        return "follow_up"
    return "templated" if is_templated(asked["text"]) else ""


def is_templated(text: str) -> bool:
    """Say whether the text is an instruction with material, or too long to be compared by one vector."""
    too_long = len(text) > MAX_ALIKE_CHARS[detect_language(text)]
    return too_long or _any(_RULES_INSTRUCTION, text) or _any(_RULES_MATERIAL, text)


def _follows_a_moment(asked: Asked) -> bool:
    """A short follow-up ("And the day after?") inherits the moment of the question before it."""
    earlier = [turn["content"] for turn in asked["history"] if turn["role"] == "user"]
    return bool(earlier) and len(asked["text"]) <= 40 and _is_time_bound(earlier[-1])


def _is_time_bound(text: str) -> bool:
    return _any(_RULES_TIME, text) and not _TIMELESS.search(text)


def _any(rules: list[regex.Pattern[str]], text: str) -> bool:
    return any(rule.search(text) for rule in rules)
