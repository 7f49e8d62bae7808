"""Every word of the page, in English and in Chinese."""

from typing import Final

from groat.types import Language

WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("groat review", "groat 审阅"),
    "skip": ("Skip to content", "跳到正文"),
    "runs": ("Runs", "运行"),
    "causes": ("Causes", "原因"),
    "ladder": ("Savings", "节省"),
    "log_in": ("Log in", "登录"),
    "log_out": ("Log out", "退出"),
    "key": ("Key", "密钥"),
    "key_hint": (
        "One of this server's GROAT_API_KEYS whose role is reviewer.",
        "本服务 GROAT_API_KEYS 中角色为 reviewer 的一个密钥。",
    ),
    "key_wrong": ("This key is not known, or it is no reviewer's.", "此密钥未知，或不是审阅者的密钥。"),
    "other_language": ("中文", "English"),
    "shortcuts": ("Keys", "快捷键"),
    "shortcuts_move": ("next, previous run", "下一条、上一条"),
    "shortcuts_open": ("open", "打开"),
    "shortcuts_filter": ("filter", "筛选"),
    "shortcuts_pages": ("runs, causes, savings", "运行、原因、节省"),
    "shortcuts_mark": ("right, wrong", "正确、错误"),
    "shortcuts_help": ("these keys", "显示快捷键"),
    "close": ("Close", "关闭"),
    "filter": ("Filter", "筛选"),
    "clear": ("Clear", "清除"),
    "any": ("any", "不限"),
    "since": ("From", "起始日"),
    "until": ("To", "截止日"),
    "tenant": ("Tenant", "租户"),
    "language": ("Language", "语言"),
    "cache": ("Cache", "缓存"),
    "tier": ("Model", "模型"),
    "verdict": ("Verdict", "判定"),
    "mark": ("Mark", "标记"),
    "time": ("Time (UTC)", "时间（UTC）"),
    "question": ("Question", "问题"),
    "path": ("Path", "路径"),
    "cost": ("Cost", "费用"),
    "baseline": ("All expensive", "全用贵模型"),
    "none_found": ("No run fits.", "没有符合的运行。"),
    "none_kept": (
        "No run is kept yet. Runs are kept when GROAT_KEEP_RUNS says so; docs/blame.md tells how.",
        "还没有保存任何运行。由 GROAT_KEEP_RUNS 决定是否保存，见 docs/blame.md。",
    ),
    "older": ("Older", "较旧"),
    "no_text": ("(text not kept)", "（未保存文本）"),
    "no_answer": ("(no answer)", "（没有回答）"),
    "verified": ("verified", "已验证"),
    "unverified": ("not verified", "未验证"),
    "decisions": ("Decisions", "决策"),
    "passages": ("Passages", "段落"),
    "sources": ("Sources", "来源"),
    "kept_of": ("{after} of {before} tokens were sent; they are marked.", "{before} 个词元中发送了 {after} 个，已标出。"),
    "attempts": ("Attempts", "尝试"),
    "attempt": ("Attempt {number}", "第 {number} 次"),
    "evidence": ("Evidence", "依据"),
    "charges": ("Charges", "账目"),
    "total": ("Total", "合计"),
    "versions": ("Versions", "版本"),
    "marks": ("Marks", "标记"),
    "right": ("Right", "正确"),
    "wrong": ("Wrong", "错误"),
    "note": ("Note", "备注"),
    "reference": ("What would be right", "正确答案"),
    "saved_mark": ("The mark is kept.", "标记已保存。"),
    "examine": ("Find the cause", "查找原因"),
    "examine_hint": (
        "Asks the question again with one part changed at a time. The calls are paid for, under their own heading.",
        "每次只改变一个部分，重新提问。调用会计费，并单独列账。",
    ),
    "cause": ("Cause", "原因"),
    "missed_by": ("Missed by", "漏检于"),
    "confidence": ("Confidence", "置信度"),
    "no_cause": ("Not examined yet.", "尚未查找。"),
    "counterfactuals": ("Asked again, one part changed", "改变一个部分后重问"),
    "as_it_was": ("As it was", "原样"),
    "rightly": ("Right", "答对"),
    "of": ("of", "/"),
    "share": ("Share", "占比"),
    "number": ("Number", "数量"),
    "causes_by_day": ("Bad answers by day and cause", "每日坏回答及其原因"),
    "causes_none": ("No bad answer was examined in this time.", "这段时间没有查找过坏回答。"),
    "ladder_of": ("Where the money of this day stayed", "当天的钱省在哪里"),
    "ladder_none": ("Nothing was asked on this day.", "当天没有提问。"),
    "ladder_note": (
        "From the ledger, at list prices; questions whose cost or baseline is unknown are left out of the bars: {left_out} of "
        "{questions}.",
        "来自账本，按标价计算；费用或基准未知的问题不计入图中：{questions} 个问题中的 {left_out} 个。",
    ),
    "saving_baseline": ("All expensive", "全用贵模型"),
    "saving_hit_exact": ("Answered from the cache: equal", "缓存：相同问题"),
    "saving_hit_semantic": ("Answered from the cache: alike", "缓存：相似问题"),
    "saving_cheap": ("Answered by the cheap model", "由便宜模型回答"),
    "saving_expensive": ("Expensive model, shorter context", "贵模型，压缩上下文"),
    "saving_unverified": ("Not verified", "未通过验证"),
    "saving_failed": ("Failed", "失败"),
    "saving_beside": ("Audits, replays and the like", "抽查、重放等"),
    "saving_paid": ("Paid", "实付"),
    "questions": ("Questions", "问题数"),
    "day": ("Day (UTC)", "日期（UTC）"),
    "show": ("Show", "显示"),
    "day_before": ("Day before", "前一天"),
    "day_after": ("Day after", "后一天"),
    "step": ("Step", "步骤"),
    "change": ("Change", "变化"),
    "left": ("Left to pay", "余下费用"),
    "not_found": ("There is no such run, or it is another tenant's.", "没有这条运行，或它属于其他租户。"),
    "newest": ("Newest", "最新"),
    "document": ("Document", "文档"),
    "box": ("Box", "步骤"),
    "purpose": ("For", "用途"),
    "model": ("Model", "模型"),
    "outcome": ("Outcome", "结果"),
    "tokens_in": ("Tokens in", "输入词元"),
    "tokens_out": ("Tokens out", "输出词元"),
    "second": ("and also", "另有"),
    "means": ("What it means", "含义"),
    "causes_of": (
        "{runs} runs kept, {bad} of them bad, {found} examined.",
        "保存了 {runs} 条运行，其中 {bad} 条为坏回答，已查找 {found} 条。",
    ),
    "replay_cost": ("{calls} model calls for it, {cost}.", "为此调用模型 {calls} 次，{cost}。"),
    "not_examined": ("The run was kept without its texts, so it cannot be asked again.", "保存时未保留文本，无法重问。"),
    "cache_exact": ("hit, equal", "命中（相同）"),
    "cache_semantic": ("hit, alike", "命中（相似）"),
    "cache_miss": ("miss", "未命中"),
    "cache_off": ("off", "关闭"),
    "cache_error": ("failed", "出错"),
    "tier_cheap": ("cheap", "便宜"),
    "tier_expensive": ("expensive", "贵"),
    "verdict_bad": ("bad", "坏"),
    "verdict_good": ("good", "好"),
    "step_of": ("Step", "处置"),
    "step_accept": ("accepted", "接受"),
    "step_fix": ("fix", "修正"),
    "step_escalate": ("escalated", "升级"),
    "step_degrade": ("degraded", "降级"),
    "step_decompress": ("full context", "取消压缩"),
    "step_exhausted": ("given up", "放弃"),
    "language_en": ("English", "英文"),
    "language_zh": ("Chinese", "中文"),
    "mark_user": ("user", "用户"),
    "mark_validator": ("validation", "验证"),
    "mark_evaluator": ("evaluator", "评测"),
    "mark_person": ("reviewer", "审阅者"),
    "origin_wrong_hit": ("cache: wrong hit", "缓存：误命中"),
    "origin_stale": ("cache: stale", "缓存：过期"),
    "origin_retrieval": ("retrieval", "检索"),
    "origin_compression": ("compression", "压缩"),
    "origin_router": ("router", "路由"),
    "origin_model_cheap": ("cheap model", "便宜模型"),
    "origin_model_expensive": ("expensive model", "贵模型"),
    "origin_validation": ("validation", "验证"),
    "origin_knowledge": ("documents", "文档"),
    "origin_unanswerable": ("unanswerable", "无法回答"),
    "origin_no_fault": ("no fault", "没有错误"),
    "origin_unclear": ("unclear", "不明"),
    "origin_not_blamed": ("not examined", "未查找"),
    "origin_means_wrong_hit": ("The kept answer belongs to another question.", "缓存的回答属于另一个问题。"),
    "origin_means_stale": ("The documents have changed since the answer was kept.", "回答缓存之后文档已更改。"),
    "origin_means_retrieval": ("The passages that answer were not found.", "没有检索到能回答的段落。"),
    "origin_means_compression": ("What answers was left out of the shortened context.", "压缩时删掉了能回答的内容。"),
    "origin_means_router": ("The cheap model was chosen for what it cannot answer.", "把便宜模型答不了的问题交给了它。"),
    "origin_means_model_cheap": ("The cheap model slipped where it is usually right.", "便宜模型偶然答错。"),
    "origin_means_model_expensive": ("The expensive model was wrong with all it needs before it.", "贵模型在资料齐全时答错。"),
    "origin_means_validation": ("A right answer was rejected.", "正确的回答被拒绝。"),
    "origin_means_knowledge": ("The documents hold no answer, or a wrong one.", "文档中没有答案，或答案有误。"),
    "origin_means_unanswerable": ("Nothing could have answered this question.", "这个问题无法回答。"),
    "origin_means_no_fault": ("Asked again, the answer was right as it was.", "重问表明原回答正确。"),
    "origin_means_unclear": ("The replays do not single out one part.", "重问无法确定是哪个部分。"),
    "box_check_cache": ("check cache", "查缓存"),
    "box_retrieve": ("retrieve", "检索"),
    "box_route": ("route", "路由"),
    "box_compress": ("compress", "压缩"),
    "box_answer_cheap": ("answer, cheap", "便宜模型"),
    "box_answer_expensive": ("answer, expensive", "贵模型"),
    "box_validate": ("validate", "验证"),
    "box_remember": ("remember", "记住"),
    "path_says": ("The question went through: {boxes}.", "问题依次经过：{boxes}。"),
}
"""Name of a word -> (English, Chinese)."""


class Words:
    """The words of one language."""

    def __init__(self, language: Language) -> None:
        """Choose the language."""
        self.language = language

    def __call__(self, name: str, **values: object) -> str:
        """Return a word, ``{...}`` in it filled in. KeyError: there is no word of that name."""
        return WORDS[name][self.language == "zh"].format(**values)


def preferred(accepts: str) -> Language:
    """Return the language that a browser's ``Accept-Language`` puts first, of the two there are."""
    ranked = sorted((_weighed(part) for part in accepts.split(",")), key=lambda one: -one[1])
    for tag, weight in ranked:
        if weight > 0 and tag.startswith(("zh", "en")):
            return "zh" if tag.startswith("zh") else "en"
    return "en"


def _weighed(part: str) -> tuple[str, float]:
    tag, _, parameter = part.strip().lower().partition(";")
    name, _, value = parameter.strip().partition("=")
    try:
        return tag, float(value) if name == "q" else 1.0
    except ValueError:
        return tag, 0.0
