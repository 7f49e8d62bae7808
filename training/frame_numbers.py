"""Numbers, amounts, times and dates, as English and Chinese write them."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

Made: TypeAlias = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""Parts, English forms, Chinese forms."""

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_MONTHS = "January February March April May June July August September October November December".split()
_DIGITS = "零一二三四五六七八九"
_UNITS = ((1000, "千"), (100, "百"), (10, "十"))


def english_words(number: int) -> str:
    """Write a number from 0 to 9999 in words."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, one = divmod(number, 10)
        return _TENS[tens] + (f"-{_ONES[one]}" if one else "")
    base, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    head, rest = divmod(number, base)
    return f"{_ONES[head]} {name}" + (f" {english_words(rest)}" if rest else "")


def chinese_words(number: int, counting: bool = False) -> str:
    """Write a number from 0 to 9999 in Chinese numerals; ``counting`` writes a lone 2 as it stands before a measure word."""
    if number < 10:
        return "两" if counting and number == 2 else _DIGITS[number]
    text, gap = "", False
    for base, name in _UNITS:
        digit, number = divmod(number, base)
        if digit:
            text += ("零" if gap else "") + ("两" if digit == 2 and base > 10 else _DIGITS[digit]) + name
        gap = bool(text) and not digit
    if number:
        text += ("零" if gap else "") + _DIGITS[number]
    return text.removeprefix("一") if text.startswith("一十") else text


_QUANTITIES: Mapping[str, tuple[tuple[int, ...], Mapping[str, tuple[str, str]]]] = {
    "length": (
        (2, 3, 5, 6, 8, 10, 12, 15, 20, 25, 30, 50, 60, 80, 100, 150, 180, 200, 400, 500),
        {
            "m": ("meters|m|metres", "米|m"),
            "ft": ("feet|ft", "英尺|ft"),
            "cm": ("cm|centimeters", "厘米|cm|公分"),
            "in": ("inches|in", "英寸"),
            "km": ("km|kilometers", "公里|千米|km"),
            "mi": ("miles", "英里"),
        },
    ),
    "weight": (
        (2, 3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 100, 150, 200, 250, 500),
        {
            "kg": ("kg|kilograms|kilos", "公斤|千克|kg"),
            "lb": ("pounds|lb|lbs", "磅"),
            "g": ("grams|g", "克|g"),
            "oz": ("ounces|oz", "盎司"),
        },
    ),
    "volume": (
        (2, 3, 4, 5, 6, 8, 10, 12, 20, 30, 50, 100, 200, 250, 500, 750),
        {
            "ml": ("ml|milliliters", "毫升|ml"),
            "l": ("liters|litres", "升"),
            "cup": ("cups", "杯"),
            "tbsp": ("tablespoons|tbsp", "汤匙"),
            "gal": ("gallons", "加仑"),
        },
    ),
    "temperature": (
        (20, 25, 30, 37, 38, 39, 40, 60, 75, 90, 100, 120, 150, 160, 180, 200, 220),
        {"c": ("degrees Celsius|°C", "摄氏度|℃"), "f": ("degrees Fahrenheit|°F", "华氏度|℉")},
    ),
    "dose": (
        (2, 5, 10, 15, 20, 25, 50, 75, 100, 150, 200, 250, 400, 500, 650, 800),
        {"mg": ("mg|milligrams", "毫克|mg"), "mcg": ("mcg|micrograms", "微克"), "ml": ("ml", "毫升|ml"), "g": ("grams", "克")},
    ),
    "storage": (
        (2, 4, 5, 8, 10, 15, 16, 20, 30, 32, 50, 64, 100, 128, 256, 500, 512),
        {"mb": ("MB|megabytes", "MB|兆"), "gb": ("GB|gigabytes", "GB|G"), "tb": ("TB|terabytes", "TB|T")},
    ),
    "speed": (
        (20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 150, 200),
        {"kmh": ("km/h|kph|kilometers per hour", "公里每小时|km/h"), "mph": ("mph|miles per hour", "英里每小时|mph")},
    ),
    "shorttime": (
        (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 45, 50),
        {"min": ("minutes|min|mins", "分钟"), "h": ("hours|hrs", "小时|个小时|个钟头"), "sec": ("seconds|sec", "秒|秒钟")},
    ),
    "money": (
        (
            5,
            8,
            10,
            12,
            15,
            20,
            25,
            30,
            40,
            50,
            60,
            75,
            80,
            99,
            100,
            120,
            150,
            200,
            250,
            300,
            500,
            800,
            1000,
            1200,
            2000,
            3000,
            8000,
        ),
        {
            "usd": ("dollars|USD|US dollars", "美元|美金"),
            "cny": ("yuan|RMB", "元|块|块钱|元人民币"),
            "eur": ("euros|EUR", "欧元"),
            "gbp": ("pounds|GBP", "英镑"),
        },
    ),
    "duration": (
        (2, 3, 4, 5, 6, 8, 9, 10, 11, 15, 16, 18, 20, 25, 40, 45, 50),
        {
            "d": ("days", "天"),
            "w": ("weeks", "周|个星期"),
            "mon": ("months", "个月"),
            "y": ("years|yrs", "年"),
        },
    ),
}
_SAME_LENGTH: Mapping[tuple[int, str], tuple[str, str]] = {
    (2, "w"): ("14 days|a fortnight", "14天|十四天"),
    (3, "w"): ("21 days", "21天"),
    (2, "d"): ("48 hours", "48小时"),
    (3, "d"): ("72 hours", "72小时"),
    (6, "mon"): ("half a year", "半年"),
    (18, "mon"): ("a year and a half|one and a half years", "一年半"),
    (2, "y"): ("24 months", "24个月"),
    (3, "y"): ("36 months", "36个月"),
    (2, "h"): ("120 minutes", "120分钟"),
}
"""Other ways to write a length of time."""
_MOST_WORDS = 20
"""Numbers up to here, and round ones, are also written in words."""


def made_types() -> Mapping[str, tuple[tuple[str, ...], list[Made]]]:
    """Return for each type the kinds of its parts and its values."""
    types: dict[str, tuple[tuple[str, ...], list[Made]]] = {
        name: (("dose" if name == "dose" else "number", "unit"), list(_quantities(name))) for name in _QUANTITIES
    }
    types["percent"] = (("percentage",), [_percent(n) for n in (*range(1, 21), 25, 30, 35, 40, 45, 50, 60, 70, 75, 80, 90, 95)])
    types["clock"] = (("time",), [_clock(half) for half in range(12, 46)])
    types["date"] = (("date", "date"), [_date(month, day) for month in range(1, 13) for day in range(1, 29)])
    types["year"] = (("date",), [((str(n),), (str(n),), (f"{n}年",)) for n in range(2008, 2027)])
    types["count"] = (("quantity",), [_count(n) for n in (*range(2, 13), 15, 18, 20, 25, 30, 40, 50, 60, 100)])
    types["age"] = (("number",), [_count(n) for n in range(3, 81)])
    types["childage"] = (("number",), [_count(n) for n in range(2, 18)])
    types["month"] = (("date",), [((name,), (name,), (f"{n}月", f"{chinese_words(n)}月")) for n, name in enumerate(_MONTHS, 1)])
    types["codenumber"] = (("number",), [((str(n),), (str(n), f"#{n}"), (str(n), f"{n}号")) for n in range(101, 1000, 7)])
    types["errorcode"] = (
        ("number",),
        [((str(n),), (str(n),), (str(n),)) for n in (400, 401, 403, 404, 408, 429, 500, 502, 503, 504)],
    )
    return types


def _quantities(name: str) -> Iterator[Made]:
    numbers, units = _QUANTITIES[name]
    for number in numbers:
        for unit, (english, chinese) in units.items():
            en = [f"{number} {form}" for form in english.split("|")]
            zh = [f"{number}{form}" for form in chinese.split("|")]
            if number <= _MOST_WORDS or number % 50 == 0:
                en.append(f"{english_words(number)} {english.split('|')[0]}")
                zh.append(chinese_words(number, counting=True) + chinese.split("|")[0])
            if name == "money":
                en.append({"usd": "$", "cny": "¥", "eur": "€", "gbp": "£"}[unit] + str(number))
            if (number, unit) in _SAME_LENGTH:
                more_en, more_zh = _SAME_LENGTH[number, unit]
                en += more_en.split("|")
                zh += more_zh.split("|")
            yield (str(number), unit), tuple(en), tuple(zh)


def _percent(number: int) -> Made:
    english = (f"{number}%", f"{number} percent", f"{number} %", f"{english_words(number)} percent")
    return (str(number),), english, (f"{number}%", f"百分之{chinese_words(number)}", f"{number}％")


def _count(number: int) -> Made:
    return (str(number),), (str(number), english_words(number)), (str(number), chinese_words(number, counting=True))


def _date(month: int, day: int) -> Made:
    name = _MONTHS[month - 1]
    end = "th" if day in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    english = (f"{name} {day}", f"{day} {name}", f"{name[:3]} {day}{end}", f"the {day}{end} of {name}")
    chinese = (f"{month}月{day}日", f"{month}月{day}号", f"{chinese_words(month)}月{chinese_words(day)}号")
    return (str(month), str(day)), english, chinese


def _clock(half: int) -> Made:
    """Write a time of the day, given in half hours after midnight, from 6:00 to 22:30."""
    hour, minute = half // 2, 30 * (half % 2)
    noon = "am" if hour < 12 else "pm"
    short = (hour - 1) % 12 + 1
    part = "早上" if hour < 9 else "上午" if hour < 12 else "中午" if hour == 12 else "下午" if hour < 18 else "晚上"
    clock = f"{hour}:{minute:02}"
    spoken = chinese_words(short, counting=True)
    if minute:
        return (
            (clock,),
            (f"{short}:30 {noon}", clock, f"{short}:30{noon}"),
            (f"{part}{short}点半", clock, f"{part}{spoken}点半"),
        )
    return (
        (clock,),
        (f"{short} {noon}", f"{short}{noon}", clock, f"{short}:00 {noon}"),
        (f"{part}{short}点", clock, f"{part}{spoken}点"),
    )
