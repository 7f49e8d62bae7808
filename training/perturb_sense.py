"""Turn the sense of a question: negation, direction, roles, scope, another question word."""

import random
from collections.abc import Callable, Iterator
from functools import cache

import regex

from training.perturb_words import Edit, bounded, cased, data, spaced, with_articles

_FLAGS = regex.IGNORECASE
_YES_NO = {
    "en": regex.compile(
        r"^(?:can|can't|could|is|isn't|are|aren't|do|don't|does|doesn't|did|didn't|should|will|would|has|have)\b", _FLAGS
    ),
    "zh": regex.compile(r"(?:吗|嘛|么|吧|没有|没)[?？。!！]*$"),
}
_CONDITION = {"en": regex.compile(r"\b(?:if|who|that)\b", _FLAGS), "zh": regex.compile(r"为什么|为何|怎么|如何|如果")}
_TAILED = regex.compile(
    r"(?:how (?:do (?:i|you)|can|to|should|much|long)|where (?:do|can)|(?:can|do|should|am) i|is it|what(?:'s| is) the best)\b",
    _FLAGS,
)
_END = regex.compile(r"[\s?？.。!！]*$")
_OBJECT = {"i": "me", "he": "him", "she": "her"}
_AUXILIARY = regex.compile(r"\b(?:do|does|did|can|will|would|should|shall|could) $", _FLAGS)
_SUBJECT = {form: subject for subject, form in _OBJECT.items()}


def sense_edits(text: str, lang: str, rng: random.Random) -> list[Edit]:
    """Return the edits that negation, order, roles, scope and question words allow; ``rng`` chooses among the new words."""
    edits = [*_order_edits(text, lang), *_role_edits(text, lang), *_scope_edits(text, lang, rng)]
    if not _YES_NO[lang].search(text) or _CONDITION[lang].search(text):
        edits.extend(_negation_edits(text, lang))
    edits.extend(_opening_edits(text, lang, rng))
    return edits


def _once(pattern: regex.Pattern[str], new: str) -> Callable[[str], str | None]:
    """Return a function that puts ``new`` for the first match."""

    def apply(text: str) -> str | None:
        match = pattern.search(text)
        if match is None:
            return None
        return text[: match.start()] + cased(new, match[0], text) + text[match.end() :]

    return apply


@cache
def _negations(lang: str) -> tuple[tuple[regex.Pattern[str], str], ...]:
    guards = "|".join(regex.escape(guard) for guard in data(lang).get("negation_guards", "").split())
    rules = []
    for rule in data(lang)["negations"]:
        mark = " / " if " / " in rule else " > "
        left, right = rule.split(mark)
        for old, new in [(left, right), (right, left)] if mark == " / " else [(left, right)]:
            skip = f"(?:{guards})(*SKIP)(*FAIL)|" if guards else ""
            rules.append((regex.compile(skip + bounded(regex.escape(old), lang), _FLAGS), new))
    return tuple(rules)


def _negation_edits(text: str, lang: str) -> list[Edit]:
    found = [Edit("negation", _once(pattern, new)) for pattern, new in _negations(lang) if pattern.search(text)]
    return found[:2]


@cache
def _orders(lang: str) -> tuple[tuple[regex.Pattern[str], bool], ...]:
    kinds = (("directions", False), ("commutative", True))
    return tuple((regex.compile(pattern, _FLAGS), keeps) for name, keeps in kinds for pattern in data(lang)[name])


def _order_edits(text: str, lang: str) -> Iterator[Edit]:
    for pattern, keeps in _orders(lang):
        match = pattern.search(text)
        if match is not None and match["x"].lower() != match["y"].lower():
            yield Edit("direction", _swapping(pattern, match["x"].lower(), match["y"].lower()), keeps)


def _swapping(pattern: regex.Pattern[str], x: str, y: str) -> Callable[[str], str | None]:
    def apply(text: str) -> str | None:
        match = pattern.search(text)
        if match is None or {match["x"].lower(), match["y"].lower()} != {x, y}:
            return None
        (x0, x1), (y0, y1) = match.span("x"), match.span("y")
        return text[:x0] + match["y"] + text[x1:y0] + match["x"] + text[y1:]

    return apply


@cache
def _roles(lang: str) -> regex.Pattern[str]:
    people = "|".join(sorted((regex.escape(spaced(word)) for word in data(lang)["people"].split()), key=len, reverse=True))
    verbs = "|".join(sorted((spaced(word) for word in data(lang)["role_verbs"].split()), key=len, reverse=True))
    if lang == "zh":
        link = "(?:是不是|会不会|为什么|是|就|都|也|老|会|很|要|真的|到底|不)?"
        someone = f"(?:[我你他她]的?)?(?:{people})们?"
        return regex.compile(f"(?P<x>{someone}){link}(?:{verbs})(?P<y>{someone})(?!们?的|[^，。？?吗么了怎呢喜不是我他她])")
    noun = rf"(?:(?:an?|the|my|your|his|her) )?(?:{people})"
    starts = "if that does do did will when why can should because and has is think would how but shall since know".split()
    ends = "if when and but after back again or because so in on for with anymore too more most first before now".split()
    before = rf"(?:^|(?<=\b(?:{'|'.join(starts)}) ))"
    after = rf"(?=\s*$|[?.,!]| (?:{'|'.join(ends)})\b)"
    return regex.compile(rf"{before}(?P<x>{noun}) (?P<verb>{verbs}) (?P<y>{noun}){after}", _FLAGS)


def _role_edits(text: str, lang: str) -> Iterator[Edit]:
    pattern = _roles(lang)
    match = pattern.search(text)
    if match is not None and match["x"].lower() != match["y"].lower():
        swap = _swapping(pattern, match["x"].lower(), match["y"].lower())
        yield Edit("role", swap if lang == "zh" else _english_roles(pattern))


def _english_roles(pattern: regex.Pattern[str]) -> Callable[[str], str | None]:
    def apply(text: str) -> str | None:
        match = pattern.search(text)
        if match is None:
            return None
        subject = _SUBJECT.get(match["y"].lower(), match["y"])
        other = _OBJECT.get(match["x"].lower(), match["x"])
        verb = match["verb"]
        one, new = match["x"].lower() in {"he", "she"}, subject.lower() in {"he", "she"}
        if subject.lower() == "i":
            subject = "I"
        if one and not new and verb.endswith("s") and verb != "miss":
            verb = verb[:-1]
        elif new and not one and not verb.endswith(("s", "ed")) and not _AUXILIARY.search(text[: match.start("x")]):
            verb += "s"
        return text[: match.start("x")] + f"{subject} {verb} {other}" + text[match.end("y") :]

    return apply


@cache
def _openings(lang: str) -> tuple[tuple[regex.Pattern[str], tuple[str, ...]], ...]:
    rules = []
    for rule in data(lang)["openings"]:
        left, right = rule.split(" > ")
        forms = "|".join(
            sorted((regex.escape(spaced(form)) for form in left.removeprefix("$").split("|")), key=len, reverse=True)
        )
        tail = r"\b" if lang == "en" else "(?![样办回了会着的种点些个没不还能可才这那是都就又只说有老总给被么样])"
        if left.startswith("$"):
            tail = "(?=$|[?？，,。.!！呢啊呀])"
        head = "^" if lang == "en" else "(?<![不没无])"
        rules.append((regex.compile(f"{head}(?:{forms}){tail}", _FLAGS), tuple(spaced(form) for form in right.split("|"))))
    return tuple(rules)


def _opening_edits(text: str, lang: str, rng: random.Random) -> Iterator[Edit]:
    for pattern, others in _openings(lang):
        if pattern.search(text):
            new = rng.choice(others)
            if new not in text.lower():
                yield Edit("question", _once(pattern, new[:1].upper() + new[1:] if lang == "en" else new))
                return


def _scope_edits(text: str, lang: str, rng: random.Random) -> Iterator[Edit]:
    if lang == "en":
        if _TAILED.match(text) and len(text) < 70:
            tail = spaced(rng.choice(data(lang)["tails"].split()))
            if (
                not any(word in text.lower() for word in tail.split() if len(word) > 4)
                and f" {tail.split()[0]} " not in text.lower()
            ):
                yield Edit("scope", _tailed(tail))
    else:
        head = rng.choice(data(lang)["heads"])
        before = regex.compile(
            f"(?<![才功可性不智只就都也还是有])(?={data(lang)['head_before']})".replace("(?=", "(?=(?:") + ")"
        )
        if before.search(text) and head not in text and (regex.search("[吗？?]|怎|如何|为", text)):
            yield Edit("scope", _headed(before, head))
    for quantifier, others in _quantified(lang):
        if quantifier.search(text):
            new = rng.choice(others)
            if new.lower() not in text.lower():
                yield Edit("scope", _once(quantifier, new))
    yield from _noun_edits(text, lang, rng)


def _tailed(tail: str) -> Callable[[str], str | None]:
    def apply(text: str) -> str | None:
        end = _END.search(text)
        at = len(text) if end is None else end.start()
        return None if "?" in text[:at] or tail in text else f"{text[:at]} {tail}{text[at:]}"

    return apply


def _headed(before: regex.Pattern[str], head: str) -> Callable[[str], str | None]:
    def apply(text: str) -> str | None:
        match = before.search(text)
        return None if match is None or head in text else text[: match.start()] + head + text[match.start() :]

    return apply


@cache
def _quantified(lang: str) -> tuple[tuple[regex.Pattern[str], tuple[str, ...]], ...]:
    rules = []
    for rule in data(lang)["quantifiers"] if lang == "en" else data(lang)["quantified"]:
        left, right = rule.split(" > ")
        find = bounded(regex.escape(spaced(left)), lang) + ("(?!市|是|有|不|没|会|能|好|说)" if lang == "zh" else "")
        if left == "all":
            find += r"(?! (?:of a|in|over|about|time|kinds?)\b)"
        rules.append((regex.compile(find, _FLAGS), tuple(spaced(word) for word in right.split())))
    return tuple(rules)


@cache
def _nouns(lang: str) -> tuple[tuple[regex.Pattern[str], tuple[str, ...]], ...]:
    rules = []
    for rule in data(lang)["nouns"]:
        left, right = rule.split(" : ")
        forms = "|".join(regex.escape(word) for word in left.split())
        before = (
            r"(?<=\b(?:my|an?|the|your|new|for|of|any) )" if lang == "en" else "(?<=^|[我的办开用在个换看把没绑新张部本买查])"
        )
        after = (
            r"\b(?! (?:card|number|account|name|fee|code|phone)s?\b)"
            if lang == "en"
            else "(?![号卡费壳版型里网银贷机店城院生])"
        )
        rules.append((regex.compile(f"{before}(?:{forms}){after}", _FLAGS), tuple(right.split())))
    if lang == "zh":
        for rule in data(lang)["quantifiers"]:
            left, right = rule.split(" > ")
            find = f"(?<![前期动部次量额分性低])(?:{'|'.join(left.split())})(?![日额方计记时成失的后期单])"
            rules.append((regex.compile(find), tuple(right.split())))
    return tuple(rules)


def _noun_edits(text: str, lang: str, rng: random.Random) -> Iterator[Edit]:
    for pattern, others in _nouns(lang):
        new = rng.choice(others)
        if pattern.search(text) and new not in text:
            yield Edit("scope", _narrowed(pattern, new, " " if lang == "en" else ""))


def _narrowed(pattern: regex.Pattern[str], new: str, gap: str) -> Callable[[str], str | None]:
    def apply(text: str) -> str | None:
        match = pattern.search(text)
        if match is None or new in text:
            return None
        return with_articles(text[: match.start()] + new + gap + text[match.start() :], new)

    return apply
