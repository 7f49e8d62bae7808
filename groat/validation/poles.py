"""What a clause asserts or denies: negations, and pairs of opposites such as before and after, or must and may."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import regex

from groat.text import fold

DENIED: Final = "denied"
"""Name of the axis on which every sign turns the whole clause round."""
MODAL: Final = "modal"
"""Must against may: differs only where neither is denied, since "must not" and "cannot" mean much the same."""

# Each line: axis, what counts as +1, what counts as -1. On the axis "denied" a -1 is a negation and +1 says nothing, but both
# are taken out of the words that are compared. Longer phrases stand in front of those that they hold.
_ENGLISH: Final[tuple[tuple[str, str, str], ...]] = (
    ("keep", r"no problem|n(?:o|ot) later than|at the latest|no\.? (?=\d)|not (?:yet )?(?:only|just) (?:if|when|after|once)|"
     r"whether or not|isn't it", r"(?!)"),
    ("only", r"(?<!not )\b(?:only|solely|exclusively)", r"not only|not just|not limited to"),
    ("bound", r"(?:at least|no less than|not less than|no fewer than|(?:a )?minimum(?: of)?|or more|or longer|more than|"
     r"longer than|above|higher than|exceed(?:s|ed|ing)?|upwards?)",
     r"(?:at most|no more than|not more than|no longer than|up to|(?:a )?maximum(?: of)?|or less|or fewer|less than|"
     r"fewer than|shorter than|below|lower than|(?:do(?:es)? )?not exceed|not (?:above|over|higher than))"),
    (DENIED, r"(?:can|could|may|might|will|would|shall|do|does|did|is|are|was|were|be|been|has|have|had|am)(?!n't|not)\b"
     r"(?! not)"
     r"|able to|allowed(?: to)?|permitted(?: to)?|every|both|always|available|possible|accepts?|accepted",
     r"(?:ca|could|wo|would|should|do|does|did|is|are|was|were|has|have|had|must|need|may)n['’]t|cannot|"
     r"(?:can|could|may|might|will|would|shall|do|does|did|is|are|was|were|be|been|has|have|had|must|should|need"
     r"|am) not(?! (?:only|just)\b)"
     r"(?: be)?(?: allowed(?: to)?| permitted(?: to)?| able to| available| possible)?|"
     r"no longer|not|never|no|without|neither|nor|none|nothing|nobody|nowhere|unable(?: to)?|impossible|unavailable|"
     r"forbidden|prohibited|banned|disallowed|refuse[sd]?|reject(?:s|ed)?|declined?|denie[sd]|excluding|excludes?|excluded|"
     r"hardly|fail(?:s|ed)? to|lacks?|void|dont|doesnt|isnt|arent|wont|cant|didnt"),
    (MODAL, r"must|have to|has to|needs? to|required(?: to)?|mandatory|compulsory|obliged to|obligatory",
     r"optional(?:ly)?|voluntary|voluntarily"),
    ("order", r"after(?:wards)?|later(?: than)?|following", r"before(?:hand)?|earlier(?: than)?|prior to|in advance"),
    ("switch", r"(?<=\bto |\bturn(?:s|ed|ing)? |\bswitch(?:es|ed|ing)? |\bis |\bare |it |them )on|enable[sd]?|activate[sd]?",
     r"off|disable[sd]?|deactivate[sd]?"),
    ("include", r"includ(?:es?|ed|ing)", r"(?!)"),
    ("sealed", r"unopened|sealed|unsealed", r"opened|unwrapped"),
    ("charge", r"free of charge|for free|at no (?:extra )?(?:cost|charge)|free", r"for a fee|charged|chargeable|at a charge"),
    ("condition", r"unless|except (?:if|when)", r"if|provided that|as long as"),
    ("first", r"first|earliest", r"last|latest"),
    ("change", r"increas(?:es?|ed|ing)|raise[sd]?|rise[sn]?|higher|larger|more|longer|faster|upgrad(?:es?|ed|ing)",
     r"decreas(?:es?|ed|ing)|reduc(?:es?|ed|ing)|lower(?:s|ed)?|falls?|smaller|less|fewer|shorter|slower"
     r"|downgrad(?:es?|ed|ing)"),
    ("hand", r"automatic(?:ally)?|by (?:it|them)sel(?:f|ves)", r"manual(?:ly)?|by hand"),
    ("place", r"inside|indoors?", r"outside|outdoors?"),
    ("time of day", r"daytime|by day", r"by night|at night|night-?time"),
)  # fmt: skip
_CHINESE: Final[tuple[tuple[str, str, str], ...]] = (
    ("keep", r"[用吃看听走进出拿放装改删登连收打]不[完了到上下起动开出清]|能不能|是不是|有没有|要不要|会不会|"
     r"可不可以?|需不需要|支不支持|不同|不错|不过|不管|不论|不断|不久|不锈钢|不然|要不|"
     r"差不多|不良|特别|分别|级别|区别|类别|性别|个别|"
     r"识别|别人|别的|未来|没收|无线|无论|是否|能否|可否|不好意思|对不起|不小心|会员|会议|社会|机会|功能|智能|能源"
     r"|能量|节能|性能|"
     r"有关|所有|有限公司|可能|可靠|有效期|有效|无效(?!退)|但是|还是|就是|于是|要是|总是|只是|若是|或者是|不知道怎么"
     r"|无人", r"(?!)"),
    ("bound", r"至少|最少|不少于|不低于|不小于|起码|以上|超过|超出|高于|大于|多于|长于|最低|下限",
     r"最多|至多|不(?:得|能|会|可)?(?:超过|高于|多于|大于|晚于)|以内|之内|以下|低于|小于|少于|短于|不到|不足|最高|上限"
     r"|未(?:超过|满)|"
     r"没有?(?:超过|满)"),
    ("only", r"只能|仅能|只有|只会|只限|仅限|只需|仅需|只|仅", r"不仅仅?|不只是?|不光|不限于|不止"),
    (DENIED, r"可以|允许|能够|能|会|可(?=\p{Han})|始终|总是|一直|已经?(?!知)|都|有(?!\p{Han}?限)|是|接受|包(?:含|括)|支持|得以",
     r"不可以|不能够?|无法|没法|不会|不可|不得|不准|不许|不允许|禁止|严禁|拒绝|不接受|不支持|不包(?:含|括)|不含|除外"
     r"|不必|不需要?|"
     r"无需|无须|不用|没有|没能|没|从不|从未|从来不|从来没有?|尚未|还未|未曾|未|并非|不是|并不|不再|不|勿|请勿|别(?!墅"
     r"|名)|无(?=\p{Han})|"
     r"免于|停止"),
    (MODAL, r"必须|必需|务必|一定要|需要?|须|应当?|得(?=先|由|在)", r"可选|自愿|随意"),
    ("order", r"以后|之后|晚于|后(?=才|再|,|，|的|\d|可|会|自|送|生|到|发)",
     r"以前|之前|早于|提前|事先|前(?=完|提|下|取|申|付|,|，|可|的)"),
    ("switch", r"开启|打开|启用|开通|接通", r"关闭|关掉|停用|禁用|关停"),
    ("charge", r"免费|免收|不收费|不收取", r"收费|付费|收取|有偿"),
    ("condition", r"除非", r"只要|如果|假如"),
    ("inside", r"以内|之内|室内", r"以外|之外|室外"),
    ("hand", r"自动", r"手动|人工"),
    ("change", r"增加|提高|上涨|上升|升级|延长|更高|更多|更长|更快", r"减少|降低|下降|下跌|降级|缩短|更低|更少|更短|更慢"),
    ("first", r"首次|第一次", r"末次|最后一次"),
    ("time of day", r"白天|日间", r"夜间|夜里|晚间"),
    ("trade", r"买入|购买|充电|充值", r"卖出|出售|放电|提现"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Signs:
    """The signs of one clause."""

    denials: int
    axes: dict[str, int]
    """Sum of the signs of each axis that the clause touches; 0 when it names both ends."""
    rest: str
    """The clause, folded, with a bar in place of every sign."""

    def opposes(self, other: "Signs") -> bool:
        """Tell whether the two say opposite things, given that they are about the same."""
        turned = (self.denials - other.denials) % 2
        for axis, sign in self.axes.items():
            against = other.axes.get(axis, 0)
            if sign * against < 0 and (axis != MODAL or not (self.denials or other.denials)):
                turned += 1
        return turned % 2 == 1


@lru_cache(maxsize=4096)
def signs(clause: str) -> Signs:
    """Return the signs of a clause; about 30 µs."""
    folded = fold(clause).replace("’", "'")
    axes: dict[str, int] = {}
    denials = 0
    for pattern, names in _TABLES:
        for match in pattern.finditer(folded):
            axis, sign = names[match.lastgroup or ""]
            if axis == DENIED:
                denials += sign < 0
            elif axis != "keep":
                axes[axis] = axes.get(axis, 0) + sign
        folded = pattern.sub(lambda match: match.group() if _kept(match) else " | ", folded)
    return Signs(denials=denials, axes=axes, rest=folded)


def _kept(match: "regex.Match[str]") -> bool:
    return match.lastgroup == "k1"


def _table(
    lines: Sequence[tuple[str, str, str]], before: str, behind: str
) -> tuple["regex.Pattern[str]", dict[str, tuple[str, int]]]:
    names: dict[str, tuple[str, int]] = {}
    parts: list[str] = []
    for number, (axis, plus, minus) in enumerate(lines):
        first, second = ("k1", "k2") if axis == "keep" else (f"p{number}", f"m{number}")
        names |= {first: (axis, 1), second: (axis, -1)}
        # What denies comes first: "is not" holds "is", 不可以 holds 可以.
        parts.append(f"(?P<{second}>{before}(?:{minus}){behind})|(?P<{first}>{before}(?:{plus}){behind})")
    return regex.compile("|".join(parts)), names


_TABLES: Final = (_table(_CHINESE, "", ""), _table(_ENGLISH, r"\b", r"\b"))
