"""Does a question mean the same without the conversation before it?

A question that stands alone may be served, and answered, as if nobody had said anything before; a follow-up may not. Nobody
can tell the two apart with certainty by their words ("How much is delivery?" after "What does a battery cost?"), so whatever
gives a reason to doubt makes a question a follow-up: that costs a model call, and the other mistake a wrong answer.
"""

from collections.abc import Sequence
from typing import Final, Literal

import regex

from groat.text import content_words, plain_wording
from groat.types import Turn

Lean = Literal["", "pending", "told", "reference", "connective", "comparison", "ellipsis", "short", "long", "topic"]
"""Why a question needs its earlier turns: the turn before is open ("pending"), an earlier one told or ordered something that
may hold on ("told"), the question points back ("reference"), goes on ("connective"), compares with what it does not name
("comparison"), is no whole question ("ellipsis"), names too little ("short"), holds too much to be sure ("long"), or speaks of
the same thing ("topic")."""

_LEAST: Final = 3.0
"""What a question must name to stand alone, in words; two Chinese characters count as one."""
_LONGEST: Final = 300
"""Characters beyond which there is nearly always something that points back."""

_POINTS_EN = (
    r"it|its|it's|itself|they|them|their|theirs|this|that|that's|these|those|he|she|him|his|her|hers|such|same|here|then|"
    r"(?<!\b(?:is|are|was|were|will|be) )there(?! (?:is|are|was|were|be)\b)|"
    r"ones?(?! (?:day|week|month|year|hour|minute|of)s?\b)|"
    r"others?|another|else|instead|too|also|either|neither|both|former|latter|above|below|previous|previously|earlier|prior|"
    r"before|after that|again|next|last|rest|further|still|yet|already|just now|respectively|aforementioned|"
    r"(?:first|second|third|fourth|last) (?:one|option|step|point|part|question|way)|(?:option|step|point|part) (?:[a-e]|\d+)|"
    r"you (?:said|say|mean|meant|mention(?:ed)?|told|wrote|suggest(?:ed)?|list(?:ed)?|gave|explained|described|just)|"
    r"your (?:last |first |previous )?(?:answer|reply|response|list|suggestion|example|explanation)"
)
_POINTS_ZH = (
    r"它|他|她|这|那|此|其(?!实)|上面|上述|以上|上边|前面|前述|前者|后者|刚才|刚刚|刚说|方才|之前|先前|下面|以下|下述|"
    r"同样|一样|相同|同上|另外|另一|另(?:个|种)|别的|两者|二者|哪者|也|又|再|继续|接着|"
    r"还(?![款钱书贷清本债原是])|^还|该(?!怎|如何|不该|去|找|给|用)|呢(?=[\s\p{P}]|$)|"
    r"上(?:一?个|一?条|一?步)|下(?:一?个|一?条|一?步)|第[一二三四五六七八九十\d]+(?:个|种|条|点|步|款|项|部分)|"
    r"你(?:们)?(?:刚|说|提|讲|给|列|推荐|回答|写|建议)"
)
_POINTS = regex.compile(rf"\b(?:{_POINTS_EN})(?![\w'’])|{_POINTS_ZH}")
_GOES_ON = regex.compile(
    r"^(?:(?:and|or|but|so|then|also|plus|well|ok|okay|yes|yeah|yep|no|nope|not|sure|right|exactly|great|thanks|sorry|hmm|wait|"
    r"actually|i mean|i meant|what about|how about|what if|what else|why not|only|just|even|except|unless|because|since|until|"
    r"if|as|like|versus|vs|than|more|less)\b|(?:with|without|for|from|to|at|in|on|by|of|about)\b(?! (?:which|what|how|whom)\b)|"
    r"和|跟|或|但|可是|不过|而|所以|因此|然后|对|好|嗯|是的?[\s\p{P}]|不|没|如果|要是|假如|假设|万一|除了|比如|例如|换|改成|"
    r"具体|详细|举|展开|关于|至于|以后)"
)
_COMPARES = regex.compile(
    r"\b(?:cheaper|better|worse|faster|slower|longer|shorter|larger|bigger|smaller|higher|lower|newer|older|sooner|later|easier|"
    r"more|less|fewer|different|similar|equal|enough)\b(?! than\b)|"
    r"更(?![改换新正名])|比较(?:好|快|贵|便宜|大|小)|(?<!对)比(?![如例赛])"
)
_AUX = (
    r"do|does|did|is|are|was|were|am|can|could|will|would|shall|should|may|might|must|have|has|had|don't|doesn't|didn't|isn't|"
    r"aren't|can't|won't|wouldn't|shouldn't"
)
_ASKS_EN = regex.compile(
    rf"^(?:(?:(?:in|on|at|for|to|by|from|with|of|about) )?"
    rf"(?:what|which|who|whom|whose|when|where|why|how)\b.*\b(?:{_AUX}|to)\b|"
    rf"(?:what|who|when|where|how|why)['’]s\b|(?:{_AUX})\b|"
    r"(?:explain|show|list|describe|give|compare|define|summari[sz]e|find|recommend|name|calculate) )"
)
_ASKS_ZH = regex.compile(
    r"怎么|怎样|如何|咋|什么|啥|多少|多久|多长|多大|多高|多远|几[个天次年月号点岁位种]|哪|谁|为何|吗|是否|"
    r"(?P<verb>\p{Han})不(?P=verb)|有没有|能否|可否|介绍|解释|说明|列出|推荐"
)
_FUNCTION_ZH = regex.compile(
    r"怎么样|怎么办|怎么|怎样|如何|为什么|为啥|什么|多少|多久|多长|时间|时候|哪里|哪儿|哪个|哪些|哪种|能不能|可不可以|是不是|有没有|会不会|"
    r"要不要|可以|应该|需要|一下|请问|请|我们|你们|您|我|你|的|了|吗|呢|吧|啊|是|有|没|能|可|会|要|想|得|在|到|把|被|给|让|和|与|或|不|多|少|"
    r"才|就|都|很|最|办|做|用|去|来|行|算|几|个|啥|咋|哪|谁|对|从|为|里|上|下"
)
_FUNCTION_EN: Final = frozenset(
    "long much many get got use used need want possible able time way make let know thing kind sort work go take mean does "
    "doe explain show list describe give compare define find recommend name calculate really exactly usually normally".split()
)
_TELLS = regex.compile(
    r"(?:^|[,.;!?]\s*|\b(?:and|but|since|because|as|that)\s+)(?:i|we|my|our|i'm|i’m|i've|i’ve|we're|we've)\b|"
    r"\b(?:from now on|answer (?:in|briefly|as|only)|reply (?:in|briefly|as|only)|pretend|act as|you are|imagine|assume|"
    r"suppose|always|never|remember|call me|in (?:english|chinese|french|german|spanish|japanese))\b|"
    r"(?:^|[\s\p{P}])(?:我|本人|咱|俺)|以后|从现在|记住|假设|假如|假定|扮演|你是|叫我|称呼|"
    r"用(?:中文|英文|英语|汉语)|简短|简单地?说|只回答|都要|一律"
)
_BACK = regex.compile(r"[?？][\s\p{P}\p{S}]*$")


def leans_on_earlier(text: str, history: Sequence[Turn]) -> Lean:
    """Return why a question may not be taken without its earlier turns, "" when it means the same alone. Pure.

    Args:
        text: the question.
        history: the earlier turns, oldest first.
    """
    if not history:
        return ""
    # A turn that was not answered, or answered with a question, waits for this one.
    if history[-1]["role"] == "user" or _BACK.search(history[-1]["content"]):
        return "pending"
    if len(text) > _LONGEST:
        return "long"
    earlier = [plain_wording(turn["content"]) for turn in history if turn["role"] == "user"]
    if not earlier or any(_TELLS.search(turn) or not _asks(turn) for turn in earlier):
        return "told"
    said = plain_wording(text)
    return _by_itself(said) or ("topic" if _named(said) & _named("\n".join(turn["content"] for turn in history)) else "")


def _by_itself(said: str) -> Lean:
    """Return what in the question alone shows that something went before."""
    if _GOES_ON.search(said):
        return "connective"
    if _POINTS.search(said):
        return "reference"
    if _COMPARES.search(said):
        return "comparison"
    if not _asks(said):
        return "ellipsis"
    return "short" if _weight(said) < _LEAST else ""


def _asks(said: str) -> bool:
    return bool(_ASKS_EN.search(said) or _ASKS_ZH.search(said))


def _named(text: str) -> set[str]:
    """Return the words that name something, Chinese ones as pairs of characters."""
    return {word for word in content_words(_FUNCTION_ZH.sub(" ", plain_wording(text))) if word not in _FUNCTION_EN}


def _weight(said: str) -> float:
    left = _FUNCTION_ZH.sub(" ", said)
    han = len(regex.findall(r"\p{Han}", left))
    latin = {word for word in content_words(regex.sub(r"\p{Han}", " ", left)) if word not in _FUNCTION_EN}
    return han / 2 + len(latin)
