"""Chinese numerals."""

from typing import Final

HAN_DIGITS: Final = dict(zip("零〇一二两三四五六七八九", (0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
HAN_SCALES: Final = {"十": 10, "百": 100, "千": 1_000, "万": 10_000, "亿": 100_000_000}
HAN_NUMERAL: Final = "".join(HAN_DIGITS) + "".join(HAN_SCALES)
"""Every character that a numeral is written with."""


def han_number(numeral: str) -> int:
    """Return the value of a whole Chinese numeral, such as 三千零五 or 二〇二六; KeyError for any other character."""
    total, section, digit = 0, 0, None
    for char in numeral:
        if char in HAN_DIGITS:
            digit = HAN_DIGITS[char] if digit is None else digit * 10 + HAN_DIGITS[char]
            continue
        scale = HAN_SCALES[char]
        if scale >= 10_000:
            total, section, digit = (total + section + (digit or 0)) * scale, 0, None
        else:
            section, digit = section + (1 if digit is None else digit) * scale, None
    return total + section + (digit or 0)
