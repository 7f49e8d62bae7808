"""What stands before every page: who calls, from where, and what a browser may load."""

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.web.keys import LOCAL, Caller, Keys
from serve.web.openai.errors import Refused, reply_to
from serve.web.sessions import COOKIE, Sessions

OPEN = ("/health", "/ready", "/login", "/static/")
"""Paths that need no key."""
READ = ("/review", "/metrics")
"""Paths that need the key of a reviewer."""
API = "/v1/"
"""What the paths for programs begin with."""
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


class Guard:
    """Lets in whom the door knows, refuses what another site sent, and says what a browser may load.

    Args:
        app: what is guarded.
        door: knows the callers; who was let in is ``request.state.caller``.
        origins: other sites whose pages may call the paths for programs, with a key.
    """

    def __init__(self, app: ASGIApp, door: Door, origins: Collection[str] = ()) -> None:
        """Keep the arguments."""
        self._app, self._door, self._origins = app, door, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or for a browser show the way to the login."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refused(Request(scope))
        await (self._app if refused is None else refused)(scope, receive, tell)

    def _refused(self, request: Request) -> Response | None:
        """Return what is said to who is not let in; None for who is."""
        path = request.url.path
        if request.method not in _READS and _from_elsewhere(request) and not self._is_allowed(request):
            return PlainTextResponse("this form was sent by another site\n", 403)
        caller = self._door.caller(request)
        request.state.caller = caller
        if caller is None and not path.startswith(OPEN):
            if self._door.keys and "text/html" in request.headers.get("accept", ""):
                return RedirectResponse("/login", 303)
            return self._turned_away(request)
        if caller is not None and not caller.reviews and path.startswith(READ):
            return PlainTextResponse("this key may ask, not review; ask for one whose role is reviewer\n", 403)
        return None

    def _is_allowed(self, request: Request) -> bool:
        # A session's cookie is no key: it is sent along by whatever site makes the browser call.
        bears_key = request.headers.get("authorization", "").lower().startswith("bearer ")
        return bears_key and request.url.path.startswith(API) and request.headers.get("origin") in self._origins

    def _turned_away(self, request: Request) -> Response:
        told, status = "without GROAT_API_KEYS this server answers on 127.0.0.1 and localhost alone", 403
        if self._door.keys:
            told, status = "send one of this server's keys: Authorization: Bearer KEY", 401
        if request.url.path.startswith(API):
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
