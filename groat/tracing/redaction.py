"""Take out of a text what names or opens something: identity numbers, cards, telephones, mail, keys; in Chinese and English.

What has a check digit is checked, so that order numbers and amounts stay; what is missed is said in ``docs/tracing.md``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import regex

_DIGIT: Final = r"[0-9０-９]"
_WIDE: Final = {ord("０") + digit: str(digit) for digit in range(10)} | {ord("Ｘ"): "X", ord("ｘ"): "X", ord("＠"): "@"}
_NO_DIGIT_BEFORE, _NO_DIGIT_AFTER = rf"(?<!{_DIGIT})", rf"(?!{_DIGIT})"


@dataclass(frozen=True)
class Rule:
    """One kind of thing that is taken out."""

    label: str
    may_be_in: Callable[[str], bool]
    """Tells quickly, and never wrongly, that a text holds no such thing."""
    pattern: regex.Pattern[str]
    holds: Callable[[str], bool]
    """Tells of what matched, with its digits and letters in half width and no separators, whether it is such a thing."""

    def replacement(self, found: regex.Match[str]) -> str:
        """Return what stands in the place of what matched."""
        return f"[{self.label}]" if self.holds(_bare(found[0])) else found[0]


def redact(text: str) -> str:
    """Return the text with everything that a rule knows replaced by the rule's label in brackets; linear in its length."""
    for rule in RULES:
        if rule.may_be_in(text):
            text = rule.pattern.sub(rule.replacement, text)
    return text


def is_chinese_id(number: str) -> bool:
    """Say whether 17 digits and a check character are a resident identity number (GB 11643-1999: ISO 7064, MOD 11-2)."""
    if len(number) != 18 or not number[:17].isdigit():
        return False
    month, day = int(number[10:12]), int(number[12:14])
    weights = [2 ** (17 - place) % 11 for place in range(17)]
    rest = sum(int(digit) * weight for digit, weight in zip(number[:17], weights, strict=True)) % 11
    return 1 <= month <= 12 and 1 <= day <= 31 and "10X98765432"[rest] == number[17].upper()


def is_card(number: str) -> bool:
    """Say whether 13 to 19 digits have the check digit of a bank card (ISO/IEC 7812: Luhn)."""
    if not 13 <= len(number) <= 19 or not number.isdigit() or len(set(number)) == 1:
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


_NUMBER: Final = regex.compile(rf"{_DIGIT}(?:[^\p{{L}}\n]{{0,2}}{_DIGIT}){{6}}")
_SECRETS: Final = tuple(
    "sk pk rk lsv2 ghp gho ghs glpat xox hf akia asia aiza ltai eyj bearer passw secret key 密码 口令 密钥 private".split()
)


def _has_number(text: str) -> bool:
    return _NUMBER.search(text) is not None


def _has_at(text: str) -> bool:
    return "@" in text or "＠" in text


def _has_secret(text: str) -> bool:
    lowered = text.lower()
    return any(word in lowered for word in _SECRETS)


def _always(number: str) -> bool:
    return True


def _bare(text: str) -> str:
    return regex.sub(r"[\s().\-–—]", "", text.translate(_WIDE))


RULES: Final = (
    Rule(
        "key",
        _has_secret,
        regex.compile(
            r"(?<![\w-])(?:(?:sk|pk|rk|lsv2|ghp|gho|ghs|glpat|xox[abprs]|hf|AKIA|ASIA|AIza|LTAI)[-_]?[\w-]{16,}"
            r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)|(?<=\b[Bb]earer\s)[\w.~+/-]{16,}=*"
            r"|(?<=(?:password|passwd|secret|api[_ -]?key|密码|口令|密钥)\s{0,2}(?:is|[:=：＝是为])\s{0,2})[^\s,;，；。]{4,64}"
            r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.{0,8000}?)-----END [A-Z ]*PRIVATE KEY-----",
            regex.IGNORECASE,
        ),
        _always,
    ),
    Rule(
        "mail",
        _has_at,
        regex.compile(r"[A-Za-z0-9._%+-]{1,64}[@＠](?:[\p{L}\p{N}-]{1,63}\.){1,8}[\p{L}]{2,24}"),
        _always,
    ),
    Rule(
        "id",
        _has_number,
        regex.compile(
            rf"{_NO_DIGIT_BEFORE}{_DIGIT}{{6}}[ -]?{_DIGIT}{{8}}[ -]?{_DIGIT}{{3}}[0-9０-９XxＸｘ](?![0-9０-９A-Za-z])"
        ),
        is_chinese_id,
    ),
    Rule(
        "id",
        _has_number,
        regex.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"),
        _always,
    ),
    Rule(
        "card",
        _has_number,
        regex.compile(rf"(?<![0-9０-９+]){_DIGIT}(?:[ -]?{_DIGIT}){{12,18}}{_NO_DIGIT_AFTER}"),
        is_card,
    ),
    Rule(
        "phone",
        _has_number,
        regex.compile(
            rf"(?<![0-9０-９.])(?:(?:\+|00)?86[ -]?)?[1１][3-9３-９]{_DIGIT}(?:[ -]?{_DIGIT}){{8}}{_NO_DIGIT_AFTER}"
            r"|(?<![\d.])0\d{2,3}[-— ]\d{7,8}(?!\d)"
            r"|(?<![\d.])\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){5,12}(?!\d)"
            r"|(?<![\d.-])\(?[2-9]\d{2}\)?[ .-][2-9]\d{2}[ .-]\d{4}(?![\d-])"
        ),
        _always,
    ),
)
