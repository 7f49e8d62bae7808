"""Sentences that answer nothing: refusals, parts of the prompt, and the courtesies that may stand around an answer."""

from typing import Final

import regex

_SOURCE_EN: Final = (
    r"(?:documents?|documentation|context|sources?|passages?|materials?|articles?|excerpts?|knowledge base"
    r"|information (?:provided|given|I have)|"
    r"text provided|provided (?:text|information))"
)
_SOURCE_ZH: Final = r"(?:文档|文件|资料|上下文|材料|文章|知识库|来源|所给内容|提供的(?:内容|信息)|参考内容)"
_REFUSAL: Final = regex.compile(
    # The model speaks of itself.
    r"\bI(?:['’]m| am|['’]ve| have)? (?:(?:afraid|sorry|regret|apologi[sz]e)\b.{0,20}?\bI |really |simply |also )?"
    r"(?:cannot|can['’]?t|can not|could ?n[o'’]t|could not|wo['’]?n[’']?t|won['’]t|will not|do(?:n['’]t| not)"
    r"|did(?:n['’]t| not)|"
    r"was(?:n['’]t| not) able to|was unable to|not able to|unable to|must decline to|have to decline|['’]d rather not|"
    r"would rather not|prefer not to|not (?:in a position|permitted|allowed) to)"
    r" (?:actually |really |currently |possibly |be able to |here )?(?:help|answer|assist|provide|say|tell|find|know"
    r"|have (?:any |enough |access|the |that )|comment|"
    r"determine|offer|access|give|discuss|speak|see (?:any|that|this)|advise|respond|fulfil|comply"
    r"|recall)\b(?! (?:you )?(?:any )?(?:more|further)\b)"
    r"|\bI(?:['’]d| would) rather not\b|\bI(?:['’]m| am) (?:not (?:sure|certain|aware)|unsure|unaware|afraid (?:I"
    r"|that I|this|that))|\bI (?:must|have to) decline\b"
    r"|\bI have no (?:information|idea|knowledge|data|details|answer|access)\b|\bI lack\b|\b(?:can['’]?t|cannot"
    r"|unable to) (?:assist|help) (?:you )?with (?:that|this)\b"
    r"|\bas an? (?:AI|artificial|language model|large language|virtual assistant|chatbot|assistant)\b|\bnot possible for me\b"
    r"|\b(?:beyond|outside|out of)(?: of)? (?:my|what I|the scope of (?:my|what|this))\b|\bnot something I\b"
    r"|\bsomething I(?:['’]m| am) (?:unable|not)\b"
    # The documents are said to be silent.
    rf"|\b{_SOURCE_EN}\b.{{0,40}}?\b(?:do(?:es)?(?:n['’]t| not)|did(?:n['’]t| not)|fails? to|lacks?|(?:is|are) silent"
    rf"|(?:has|have|contains?|offers?|gives?) no)\b"
    r"(?: (?:actually |explicitly |directly |seem to |appear to )?(?:contain|mention|say|specify|answer|include|cover"
    r"|provide|state|address|"
    r"describe|tell|give|explain|discuss|have|information|answer|mention|details?|on))"
    rf"|\b(?:nothing|no (?:\w+ )?(?:information|answer|mention|details?|data|documents?"
    rf"|sources?))\b.{{0,50}}?(?:\b{_SOURCE_EN}\b|\babout (?:this|that)|"
    r"\bon (?:this|that)|\bfound\b|\banswers? (?:this|that|your))"
    rf"|\b(?:not|isn['’]t|aren['’]t|never) (?:\w+ly )?(?:mentioned|specified|stated|covered|available|found|included"
    rf"|described|addressed|given|answered|contained)\b"
    rf".{{0,20}}?\b{_SOURCE_EN}\b"
    r"|\b(?:could not|couldn['’]t|cannot|can['’]t) be (?:answered|determined)\b|\bthe answer (?:is|was) not (?:known"
    r"|available|given)\b"
    # The same in Chinese.
    r"|(?:我|本助手|小助手|本人)们?(?:们|也|还|真的|实在|目前|暂时|现在|可能|恐怕|确实|并|对此|这边|在.{1,10}?[中里])*"
    r"(?:无法|不能|没法|没有?办法|不知道|不清楚|不了解|不确定|不太(?:清楚|了解|确定|知道)|不便|不方便|无权|没有权限"
    r"|没有足够|没有任何|没有相关|没有关于|没有这方面|帮不|"
    r"回答不|答不|找不到|查不到|没找到|没有找到|未能|不会回答|不可以回答|拒绝)"
    r"|作为(?:一个|一名|一款)?(?:大型?|小型?)?(?:AI|人工智能|语言模型|大模型|智能助手|虚拟助手|聊天机器人|助手)"
    rf"|{_SOURCE_ZH}.{{0,8}}?(?:没有?|未|并未|并没有|不|无)(?:曾|能|有)?(?:对此)?(?:任何|具体|明确)?(?:提到|提及|说明"
    rf"|包含|涉及|给出|提供|记载|写明|写到|找到|内容|相关|有关|回答|足够|讲到|这方面|答案|介绍)"
    rf"|{_SOURCE_ZH}(?:中|里|内)?(?:都|也)?(?:查不到|找不到|看不到)"
    r"|(?:没有|未能?|找不到|查不到|没)(?:检索|查找|搜索|找|查|搜)?(?:到)?.{0,8}?(?:相关|有关|任何"
    r"|足够)的?.{0,4}?(?:信息|资料|内容|说明|文档|答案|记录)(?![是为])"
    r"|(?:无法|不能|没法)(?:就此|对此|直接|准确|为您|给您)?(?:回答|解答|作答|确定答案|给出(?:答案|意见|建议)|得知|判断"
    r"|提供(?:答案|帮助|意见|建议|相关|更多|该|此类)|发表|评论|协助您|帮(?:助|到)?您)"
    r"|恕(?:我)?(?:不能|无法|难)|(?:超出|不在|不属于)了?(?:我|本助手)的?|(?:帮|答|回答|解答)不了|帮不上|不便(?:回答"
    r"|透露|告知|评论)|(?:不知道|不清楚)(?:具体|答案|这)"
    r"|\[no answer\]",
    regex.IGNORECASE,
)
_LEAK: Final = regex.compile(
    r"</?(?:documents?|question|rejected|task)\b|Use only facts that stand in|The documents are data\b"
    r"|Do not follow instructions that stand"
    r"|Answer in as few words as|You answer users['’] questions from|name the document in square brackets"
    r"|do not repeat these rules"
    r"|(?:my|the) (?:system prompt|instructions (?:say|are|tell))|系统提示词|(?:我的|系统)指令(?:是|要求)",
    regex.IGNORECASE,
)
_COURTESY: Final = regex.compile(
    r"\s*(?:(?:I )?hope (?:this|that|it)\b.{0,30}helps?|(?:please )?(?:do not hesitate|don['’]t hesitate|feel free"
    r"|let (?:me|us) know)\b"
    r"|(?:please )?(?:contact|reach out|write|get in touch)\b.{0,30}(?:questions?|help|assistance)\b"
    r"|(?:many )?thank(?:s| you)\b|you(?:['’]re| are) welcome"
    r"|(?:that(?:['’]s| is) a )?(?:good|great) question|(?:hello|hi|hey)\b|(?:I(?:['’]m| am) )?(?:happy|glad) to help"
    r"|(?:if you (?:have|need)\b.{0,40}(?:questions?|help|else))"
    r"|sure\b|of course\b|certainly\b|have a (?:nice|great|good)|here (?:is|are)\b|is there anything else"
    r"|如(?:果)?(?:您)?(?:还)?有(?:其他|任何|更多|别的|什么)?(?:问题|疑问|需要)|欢迎(?:随时)?(?:联系|咨询|提问|告诉)"
    r"|希望.{0,12}(?:帮|有用)|(?:非常)?感谢|谢谢|祝您?"
    r"|您好|你好|好的|不客气|当然(?:可以)?|很高兴|这是个好问题|以下是|请随时|还有(?:什么|其他)|没问题)",
    regex.IGNORECASE,
)
_LONGEST_COURTESY: Final = 90
_PREFIX: Final = regex.compile(
    r"^\s*(?:(?:sure|of course|certainly|hello|hi|thanks|good question|well|according to (?:the|our"
    r"|your) (?:\w+ )?(?:documents?|documentation|guide|policy|sources?|help centre)|"
    r"based on (?:the|our) (?:\w+ )?(?:documents?|documentation|information|sources?))\s*[,.:!]\s*"
    r"|(?:好的|您好|你好|当然(?:可以)?|没问题|感谢您的提问|亲|(?:根据|按照)(?:现有|提供的|相关|以上|所给)?(?:资料|文档"
    r"|规定|文件|说明|信息))\s*[,，。.!！:：]\s*)+",
    regex.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Tell whether a sentence of an answer refuses it, or says that nothing is known."""
    return bool(_REFUSAL.search(text))


def is_leak(text: str) -> bool:
    """Tell whether an answer repeats parts of the prompt."""
    return bool(_LEAK.search(text))


def is_courtesy(sentence: str) -> bool:
    """Tell whether a sentence only greets, thanks or offers help: it says nothing that documents could support.

    One with a figure says something.
    """
    return len(sentence) <= _LONGEST_COURTESY and not regex.search(r"\d", sentence) and bool(_COURTESY.match(sentence))


def without_opening(sentence: str) -> str:
    """Return a sentence without "Sure," or 根据资料， in front."""
    return _PREFIX.sub("", sentence)
