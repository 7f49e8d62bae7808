"""The pages for coming in and going out."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from serve.web.forms import read_form
from serve.web.guard import Door
from serve.web.review.render import page
from serve.web.sessions import COOKIE, LASTS_S


class Access:
    """Login and logout."""

    def __init__(self, door: Door) -> None:
        """Keep the door."""
        self._door = door

    async def login(self, request: Request) -> Response:
        """Show the form, or begin a session for the key that it sent."""
        if request.method != "POST":
            return page(request, "login.html", refused=False)
        caller = self._door.keys.caller((await read_form(request)).get("key", "").strip())
        if caller is None or not caller.reviews:
            return page(request, "login.html", status=401, refused=True)
        response = RedirectResponse("/review", 303)
        response.set_cookie(
            COOKIE, self._door.sessions.begin(caller), max_age=LASTS_S, httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return response

    async def logout(self, request: Request) -> Response:
        """End the session."""
        self._door.sessions.end(request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE)
        return response
