"""What stands before every page: who calls, from where, and what a browser may load."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp

from serve.web.keys import LOCAL, Caller, Keys
from serve.web.openai.errors import Refused, reply_to
from serve.web.sessions import COOKIE, Sessions

OPEN = ("/health", "/login", "/static/")
"""Paths that need no key."""
READ = ("/review", "/metrics")
"""Paths that need the key of a reviewer."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_READS = ("GET", "HEAD")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # Pages hold users' questions: nobody between may keep them.
    "Cache-Control": "no-store",
}

Next = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Door:
    """Who is let in."""

    keys: Keys
    sessions: Sessions

    def caller(self, request: Request) -> Caller | None:
        """Return who calls; None for somebody unknown.

        A key in the header goes before the session's cookie. Without keys everybody is let in, and only calls that name
        this machine as their host: a page elsewhere that got a name of its own to point here is not.
        """
        if not self.keys:
            return LOCAL if _host(request.headers.get("host", "")) in LOOPBACK else None
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.keys.caller(key.strip())
        return self.sessions.caller(request.cookies.get(COOKIE, ""))


class Guard(BaseHTTPMiddleware):
    """Lets in whom the door knows, refuses forms that another site sent, and says what a browser may load."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        """Keep the door."""
        super().__init__(app)
        self._door = door

    async def dispatch(self, request: Request, call_next: Next) -> Response:
        """Return the page, a refusal, or for a browser the way to the login."""
        response = await self._answer(request, call_next)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    async def _answer(self, request: Request, call_next: Next) -> Response:
        if request.method not in _READS and _from_elsewhere(request):
            return PlainTextResponse("this form was sent by another site\n", 403)
        caller = self._door.caller(request)
        request.state.caller = caller
        if caller is None and not request.url.path.startswith(OPEN):
            if self._door.keys and "text/html" in request.headers.get("accept", ""):
                return RedirectResponse("/login", 303)
            return self._turned_away(request)
        if caller is not None and caller.role != "reviewer" and request.url.path.startswith(READ):
            return PlainTextResponse("this key may ask, not review; ask for one whose role is reviewer\n", 403)
        return await call_next(request)

    def _turned_away(self, request: Request) -> Response:
        told, status = "without GROAT_API_KEYS this server answers on 127.0.0.1 and localhost alone", 403
        if self._door.keys:
            told, status = "send one of this server's keys: Authorization: Bearer KEY", 401
        if request.url.path.startswith("/v1/"):
            response: Response = reply_to(Refused(told, status=status, code="invalid_api_key"))
        else:
            response = PlainTextResponse(f"{told}\n", status)
        if self._door.keys:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response


def _from_elsewhere(request: Request) -> bool:
    """Tell whether a browser says that another site sent this; programs say nothing."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")


def _host(value: str) -> str:
    return urlsplit(f"//{value}").hostname or ""
