"""Recognise what needs no documents: small talk and translations."""

import regex

from groat.text import fold
from groat.types import QuestionKind

_POLITE_EN = (
    r"(?:hi+|hello|hey|howdy|good (?:morning|afternoon|evening|day|night)|thanks?(?: you)?(?: so much| a lot| very much)?|"
    r"thx|cheers|ta|much appreciated|bye+|goodbye|see you(?: later)?|take care|have a (?:nice|good|great) \w+|"
    r"nice to meet you|how are you(?: doing)?(?: today)?|how's it going|what's up|"
    r"who are you|what are you|what(?:'s| is) your name|"
    r"are you (?:a |an )?(?:human|robot|bot|real person|ai|machine|person)|"
    r"what can you (?:do|help(?: me)? with)|ok(?:ay)?|great|perfect|brilliant|lovely|cool|got it|that helped|"
    r"that(?:'s| is| was) (?:great|helpful|all|perfect|very helpful|brilliant)|"
    r"you(?:'re| are) (?:great|the best|very helpful|a star)|"
    r"(?:tell|know) (?:me )?(?:a|any) jokes?|(?:am i|is this) (?:talking|speaking|chatting) (?:to|with) "
    r"(?:a |an )?(?:human|robot|bot|real person|person|ai|machine)|or|a|an|robot|bot|human|"
    r"there|again|everyone|all|mate|friend|please|so|very|much|really|for (?:the|your) (?:quick )?(?:help|answer|reply|time))"
)
_POLITE_ZH = (
    r"(?:你好|您好|请问|哈喽|哈啰|嗨|在吗|在不在|有人吗|在么|早上好|上午好|中午好|下午好|晚上好|早安|晚安|早|大家好|"
    r"谢谢(?:你|您|啦|了)?|多谢|感谢|非常感谢|辛苦(?:了|啦)|麻烦(?:你|您)?了|再见|拜拜|回头见|"
    r"你是谁|您是谁|你叫什么(?:名字)?|你是(?:真人|机器人|人工智能|AI|ai|人)(?:吗|还是(?:真人|机器人))?|是真人(?:客服)?吗|"
    r"你(?:会|能)(?:做|干)(?:什么|些什么|啥)|你能帮我(?:做)?(?:什么|些什么|啥)|"
    r"好的?|明白(?:了)?|知道了|收到|"
    r"太好了|太棒了|真棒|厉害|你真(?:好|棒|厉害)|没(?:事|问题)了|解决了|帮(?:了)?大忙(?:了)?|"
    r"问题|不好意思|打错字?了?|说错了|发错了|讲个?笑话|呀|啊|哦|啦|呢|吧|哈+|嗯+|客服|小瓦|亲|朋友|你|您|了|的|很|帮助|回答|解答|今天(?:过得)?(?:怎么样|好吗)|最近好吗|吃了吗)"
)
_SMALL_TALK = regex.compile(rf"(?:{_POLITE_EN}|{_POLITE_ZH}|[\s\p{{P}}\p{{S}}])+", regex.IGNORECASE)
_TONGUE = r"(?:english|chinese|mandarin|cantonese|french|german|spanish|italian|portuguese|japanese|korean|russian|arabic)"
_TONGUE_ZH = r"(?:英文|英语|英語|中文|汉语|漢語|普通话|日文|日语|韩文|韩语|法文|法语|德文|德语|西班牙语|俄语)"
_TRANSLATION = regex.compile(
    rf"\btranslat(?:e|ion)\b|\b(?:say|put|write|turn|render)\b.{{1,300}}\b(?:in|into)\s+{_TONGUE}\b"
    rf"|\bwhat(?:'s| is| does)\b.{{1,300}}\bin\s+{_TONGUE}\b|\b(?:into|to)\s+{_TONGUE}\s*:"
    rf"|(?:翻|译|譯)(?:译|譯)?(?:一下|下面|这|這|成|为|為|下|:|$)|[中英]译[中英]"
    rf"|{_TONGUE_ZH}.{{0,4}}(?:怎么|怎麼|如何)(?:说|說|讲|写|寫|表达)|(?:这句|這句|这个词|这段){_TONGUE_ZH}.{{0,6}}(?:意思|怎么)",
    regex.IGNORECASE | regex.DOTALL,
)
_LONGEST_SMALL_TALK = 80


def question_kind(question: str) -> QuestionKind:
    """Return what a question asks for.

    Small talk must consist of nothing but courtesies, so that "hi, how do I ...?" is none.
    """
    folded = fold(question)
    if len(folded) <= _LONGEST_SMALL_TALK and _SMALL_TALK.fullmatch(folded):
        return "small_talk"
    if _TRANSLATION.search(folded):
        return "translation"
    return "knowledge"
