"""One form for a question however it is asked: "How can I pay?" is "How to pay?", 怎么付款呢 is 如何付款.

Only ways of asking that never change the answer are made one, and only where the words around them leave no doubt. "How can
I" followed by what somebody does asks for the way; "can I" asks for leave and "how did I" for what happened, so they stay.
怎么 asks for the way or for the reason (怎么没到账), so it becomes 如何 only before a verb of ``_DEEDS`` in a clause without a
negation, without 了 and without anybody else's doing. 怎么才能 may ask what it takes, so it stays apart from 怎么.
What asks about words themselves is left alone.
"""

import regex

from groat.text.language import detect_language
from groat.text.wording import plain_wording

_ROUNDS = 8
"""Passes after which the form is taken as it is: one pass lays open what the next one sees, and two or three do."""

_ABOUT_WORDS = regex.compile(
    r"[\"“”‘《》「」『』`*=<>{}\[\]\\]|(?<!\w)'|'(?!\w)|\b(?:spell\w*|spelt|words?|phrases?|sentences?|translat\w+|pronounc\w+|"
    r"grammar\w*|contractions?|abbreviat\w+|synonyms?|say|said|write|mean(?:s|ing)?|called|titled?|lyrics|songs?|quotes?)\b|"
    r"意思|翻译|怎么[读写说念拼]|如何[读写说念拼]|读音|拼音|英[文语]|单词|词|字|造?句|成语|方言|歌|书名"
)
"""What may ask about wording, where one word does not stand for another."""

# --- English ---------------------------------------------------------------------------------------------------------------

_CONTRACTED = regex.compile(
    r"\b(?:(?P<who>what|where|who|how|when|why|that|there|here|it|he|she)'s|"
    r"(?P<loose>what|where|how)s(?= (?:the|my|a|an|your)\b)|"
    r"(?P<am>i)'m|(?P<are>you|we|they|what|where|how)'re|(?P<have>i|you|we|they)'ve|(?P<will>i|you|we|they|it)'ll|"
    r"(?P<do>do|does|did|is|are|was|were|has|have|had|could|would|should|must)n't|(?P<dont>do|does|did|is|are)nt|"
    r"(?P<can>can)(?:'t| not(?! only\b))|(?P<wont>won)'t)\b(?!['-])"
)
_WHOLE = {
    "who": " is", "loose": " is", "am": " am", "are": " are", "have": " have", "will": " will", "do": " not", "dont": " not"
}  # fmt: skip
_HAS = regex.compile(r" (?:been|got|gone|had|become|happened|changed|\w+ed)\b")
"""Follows "what's" that is "what has"."""
_STATES = (
    "look|sound|feel|seem|appear|rank|score|compare|differ|vary|stand|rate|smell|taste|perform|fare|come|belong|be|been|have|owe|"
    "need|want|not|no|ever|never|still|already|only|just|even|also|always|usually|often|normally|actually|really|suddenly|possibly|"
    "like|love|believe|expect|miss|die|keep|end|exist|live|sleep|think|react|respond|act|behave|do|deserve|count|fail|work"
)
"""After "how do I" these ask for what is, after "how can I" for what may be, and some for a reason."""
_HOW = regex.compile(rf"^how (?:(?:do|can|does|could) (?:i|one)|to) (?!(?:{_STATES})\b|get (?:\w+ )?\w+ed\b)(?=\p{{L}})")
_WAY = regex.compile(
    r"^what (?:is the (?:way|method|procedure|process)|are the steps) to "
    rf"(?!(?:the|a|an|my|your|our|their|his|her|its|this|that|these|those|{_STATES})\b)(?=\p{{L}}+ \p{{L}})"
)
_WHERE = regex.compile(
    r"^where (?:(?:do|can|could) (?:i|one)|to) (?=(?:find|get|buy|see|check|download|view|change|update|enter|upload|submit|"
    r"apply|register|sign up|return|order|locate|edit|set up|cancel|manage|add|watch|purchase|report)\b)"
)
_OPENING = regex.compile(
    r"^(?:(?:so|ok|okay|well|um)[, ]+|(?:(?:can|could|will|would) (?:you|someone|somebody|anyone|anybody) (?:please |kindly )?"
    r"(?:tell me|explain(?: to me)?|show me|let me know(?! when))|(?:explain(?: to me)?|show me|let me know(?! when))|"
    r"does (?:anyone|anybody) (?:here )?know|i (?:need|would like|want) to know)[, ]+)"
    r"(?=(?:how|what|where|when|which|who|why)\b)"
)
_MUST = regex.compile(r"^do i have to (?=\p{L})")


def _plain_english(text: str) -> str:
    text = _OPENING.sub("", text.replace("’", "'"))
    if not _ABOUT_WORDS.search(text):
        text = _CONTRACTED.sub(_spelled_out, text)
    text = _HOW.sub("how to ", _WAY.sub("how to ", text))
    return _MUST.sub("do i need to ", _WHERE.sub("where to ", text))


def _spelled_out(found: regex.Match[str]) -> str:
    kind = str(found.lastgroup)
    if kind in {"who", "loose"} and _HAS.match(found.string, found.end()):
        return str(found[0])
    return {"can": "cannot", "wont": "will not"}.get(kind) or found[kind] + _WHOLE[kind]


# --- Chinese ---------------------------------------------------------------------------------------------------------------

_DEEDS = (
    "修改|更改|更换|设置|设定|申请|办理|查询|查看|查找|注册|登录|登陆|绑定|解绑|开通|开启|下载|安装|卸载|使用|制作|学习|提高|提升|选择|选购|购买|联系|"
    "充值|提现|还款|转账|计算|处理|解决|激活|重置|找回|恢复|删除|清理|清除|清洗|添加|加入|参加|升级|更新|连接|预约|预订|发送|邮寄|投诉|举报|上传|导出|导入|"
    "打印|复制|保存|分享|创建|去除|治疗|预防|减肥|避免|防止|教育|种植|锻炼|缓解|保养|鉴别|区分|辨别|判断|识别|取消|关闭|打开|退款|退货|退订|退出|换货|付款|"
    "支付|缴费|报名|借款|贷款|领取|获得|获取|得到|成为|操作|验证|认证|解锁|调整|消除|赚钱|注销|开户|开票|订购|订票|挂号|练习|训练|培养|"
    "改(?!版|期)|查|买|用|做(?!.?.?梦|主)|选|学|订|修|治|煮|洗"
)
_DOUBT = regex.compile(
    r"[不没无未别勿了过着这那总老又就都也才被]|还(?!款|钱|贷)|失败|异常|错|慢|贵|拒|满|卡住|卡死|闪退|中断|超时|受限|限制|冻结|重复|的$|得.?$"
)
"""Makes a question with 怎么 one for the reason, or one about what has been done."""
_OTHERS = regex.compile(r"[你您他她它们谁员商客司友公婆妈爸师生人方店行台统家官府警]")
"""Signs of somebody else: 商家怎么取消订单 may ask why."""
_WAY_ZH = regex.compile(
    rf"^(?P<topic>[^怎如咋何,，。!！?？;；\s]{{0,10}}?)(?:应该|应当|该|要|需要)?(?:怎么样|怎么|如何)"
    rf"(?P<deed>(?:{_DEEDS})(?![我你您他她它])[^怎如何什哪,，。!！?？;；\s]*)$"
)
_METHOD_ZH = regex.compile(
    rf"^(?P<deed>(?:{_DEEDS})[^怎如何什哪的,，。!！?？;；\s]{{1,12}})的(?:方法|办法|步骤|流程)是(?:什么|怎样的|怎么样的)$"
)
_PLACE_ZH = regex.compile(
    r"^(?P<topic>[^怎如咋何哪在,，。!！?？;；\s]{0,10}?)在?哪里(?:可以|能够|能)?(?P<deed>(?:修改|更改|更换|设置|查询|查看|下载|购买|申请|办理|领取|报名|充值|"
    r"缴费|打印|买|查|找)[^怎如何什哪,，。!！?？;；\s]*)$"
)
_OWN = regex.compile(r"^我(?:们)?(?:想|要)?(?=$|应该|应当|该|要|需要|怎|如)")
_WORDS_ZH = (
    (regex.compile(r"啥(?!子)"), "什么"),
    (regex.compile(r"咋(?![舌呼])"), "怎么"),
    (regex.compile(r"哪儿"), "哪里"),
    (regex.compile(r"(?<=[在去到从])哪(?=$|[可能买查看找下修更设申办])"), "哪里"),
    (regex.compile(r"(?<![因作成称认以])为何(?![物人事种时地])"), "为什么"),
    (regex.compile(r"何时"), "什么时候"),
    (regex.compile(r"能否"), "能不能"),
    (regex.compile(r"可否"), "可不可以"),
    (regex.compile(r"(?:应该|应当|该|要)怎么办$"), "怎么办"),
    (regex.compile(r"(?:怎么样|怎样|怎么|如何)才(?:能够|能|可以)(?=\p{Han})"), "如何才能"),
    (regex.compile(r"(?<!管|论)怎样(?=\p{Han})(?![的了吗呢啊呀才都也])"), "如何"),
    (regex.compile(r"(?<=\p{Han}{2}|[a-z\d]{2})(?<!管|论)(?:怎样|如何)$"), "怎么样"),
)
_ASKS_ZH = regex.compile(r"怎么|怎样|如何|什么|哪|多少|几|为何|谁|吗|还是|[能是可要有会][不没]|多[久长大高远]")
_LAST_ZH = regex.compile(r"(?<=[\p{L}\d])[呢啊呀哦噢喔哟]+$")
_OPENING_ZH = regex.compile(
    r"^(?:[你您]?(?:能不能|可不可以|能否|可否|可以|能)(?:请|麻烦)?[你您]?(?:告诉我|跟我说|给我讲)(?:一下|下)?|"
    r"(?:有谁|谁|有人|大家|有没有人)知道|"
    r"谁能告诉我|我?[想要](?:了解|咨询|请教)(?:一下|下)?|求问|问一?下)[,，:： ]*"
    r"(?=[^\n]*(?:怎么|怎样|如何|什么|哪|多少|几|为何|多[久长]))"
)


def _plain_chinese(text: str) -> str:
    text = _OPENING_ZH.sub("", text)
    if _ABOUT_WORDS.search(text):
        return text
    shorter = _LAST_ZH.sub("", text)
    if _ASKS_ZH.search(shorter):
        text = shorter
    for words, plain in _WORDS_ZH:
        text = words.sub(plain, text)
    return _place(_way(text))


def _way(text: str) -> str:
    if method := _METHOD_ZH.match(text):
        text = f"如何{method['deed']}"
    found = _WAY_ZH.match(text)
    if found is None or _DOUBT.search(found["topic"] + found["deed"]):
        return text
    topic = _OWN.sub("", found["topic"])
    return text if _OTHERS.search(topic) else f"{topic}如何{found['deed']}"


def _place(text: str) -> str:
    found = _PLACE_ZH.match(text)
    if found is None or _DOUBT.search(found["topic"] + found["deed"]):
        return text
    topic = _OWN.sub("", found["topic"])
    return text if _OTHERS.search(topic) else f"{topic}哪里{found['deed']}"


def question_form(question: str) -> str:
    """Return one form for all questions that differ only in politeness, kind of characters, and the way of asking.

    Idempotent; about 0.05 ms. A form is for comparing, not for reading: some are no good English.
    """
    text = plain_wording(question)
    framed = _plain_chinese if detect_language(text) == "zh" else _plain_english
    for _ in range(_ROUNDS):
        plain = plain_wording(framed(text))
        if plain == text:
            break
        text = plain
    return text
