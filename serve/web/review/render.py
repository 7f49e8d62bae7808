"""Put what is known into the templates."""

import datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from groat.types import Language
from serve.web.review.charts import amount
from serve.web.review.words import Words, preferred
from serve.web.sessions import COOKIE

LANGUAGE_COOKIE = "groat_language"
STATIC = Path(__file__).parent / "static"

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["word"] = lambda name, prefix, words: words(prefix + name)
_TEMPLATES.globals["when"] = lambda at: datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
_TEMPLATES.globals["amount"] = lambda value, sign=False: amount(None if value is None else Decimal(value), sign=sign)


def words_for(request: Request) -> Words:
    """Return the words of the language in the address, else of the one chosen before, else of what the browser prefers."""
    for wish in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if wish in ("en", "zh"):
            language: Language = "zh" if wish == "zh" else "en"
            return Words(language)
    return Words(preferred(request.headers.get("accept-language", "")))


def page(request: Request, template: str, *, here: str = "", status: int = 200, **values: object) -> HTMLResponse:
    """Return a page.

    Args:
        request: whose language and address count.
        template: name of the file in ``templates``.
        here: which entry of the navigation is the current one.
        status: HTTP status.
        values: what the template names.
    """
    words = words_for(request)
    other = "en" if words.language == "zh" else "zh"
    text = _TEMPLATES.get_template(template).render(
        t=words,
        here=here,
        caller=request.state.caller,
        session=COOKIE in request.cookies,
        other_language="?" + urlencode({**request.query_params, "lang": other}),
        link=lambda **changed: urlencode(
            {name: value for name, value in {**request.query_params, **changed}.items() if value not in ("", None)}
        ),
        **values,
    )
    response = HTMLResponse(text, status)
    if "lang" in request.query_params:
        response.set_cookie(LANGUAGE_COOKIE, words.language, max_age=365 * 86_400, httponly=True, samesite="strict")
    return response
