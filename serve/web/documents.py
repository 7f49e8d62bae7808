"""Documents and answers, changed by somebody else's pipeline: ``/v1/groat/documents`` and ``/v1/groat/invalidate``."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from graph.recording import open_runs
from groat.errors import GroatError, UnreadableDocument
from groat.knowledge import IngestReport, KnowledgeBase
from groat.knowledge.documents import MAX_ID_CHARS, SourceDocument
from groat.knowledge.given import Form, given_document
from serve.application import Application
from serve.web.bodies import Bounds, read_json
from serve.web.keys import Caller
from serve.web.openai.errors import Refused, reply_to

MOST: Final = 1000
"""Documents, or ids, in one request."""
_Read = TypeVar("_Read", bound=BaseModel)


class Text(BaseModel):
    """What a document says."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1)]
    title: str = ""
    lang: Annotated[str, Field(pattern=r"^(zh|en|)$")] = ""
    category: str = ""
    updated: str = ""
    form: Form = "markdown"


class Document(Text):
    """A document with its name."""

    id: Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]


class Documents(BaseModel):
    """Documents to add or change; those that are not named stay as they are."""

    model_config = ConfigDict(extra="forbid")

    documents: Annotated[list[Document], Field(min_length=1, max_length=MOST)]


class Invalidate(BaseModel):
    """Whose answers to forget: those that stand on these documents, or all of the tenant's."""

    model_config = ConfigDict(extra="forbid")

    documents: Annotated[list[str], Field(max_length=MOST)] = []
    all: bool = False


@dataclass(frozen=True)
class DocumentsPage:
    """Changes what the application knows. Only for keys of a writer or owner, within their tenant."""

    application: Application
    bounds: Bounds

    async def one(self, request: Request) -> Response:
        """Add or change the document that the address names, return its version, or remove it.

        With a document go the answers that stand on it, and the kept runs that saw it.
        """
        match request.method:
            case "PUT":
                return await _told(self._put_one(request))
            case "DELETE":
                return await _told(self._remove(request))
            case _:
                return await _told(self._show(request))

    async def put_many(self, request: Request) -> Response:
        """Add or change documents."""
        return await _told(self._put_many(request))

    async def invalidate(self, request: Request) -> Response:
        """Forget answers and keep the documents."""
        return await _told(self._invalidate(request))

    async def _put_one(self, request: Request) -> dict[str, Any]:
        tenant, knowledge = _writable(request), self._knowledge()
        text = _read(Text, await read_json(request, self.bounds))
        return await self._put(knowledge, [Document(id=request.path_params["id"], **text.model_dump())], tenant)

    async def _put_many(self, request: Request) -> dict[str, Any]:
        tenant, knowledge = _writable(request), self._knowledge()
        return await self._put(knowledge, _read(Documents, await read_json(request, self.bounds)).documents, tenant)

    async def _put(self, knowledge: KnowledgeBase, documents: Sequence[Document], tenant: str) -> dict[str, Any]:
        given = [_given(document, place) for place, document in enumerate(documents)]
        names = [document.id for document in given]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise Refused(f"the id {twice!r} stands twice in this request; give each document its own", param="documents")
        report = await knowledge.put(given, tenant=tenant)
        invalidated = await self.application.services.answers.invalidate(report.changed, tenant=tenant)
        _check(report)
        return {
            "added": report.added,
            "changed": report.changed,
            "unchanged": report.unchanged,
            "answers_invalidated": invalidated,
        }

    async def _show(self, request: Request) -> dict[str, Any]:
        id = request.path_params["id"]
        versions = await self.application.services.knowledge.versions([id], tenant=_writable(request))
        if id not in versions:
            raise _unknown()
        return {"id": id, "version": versions[id]}

    async def _remove(self, request: Request) -> dict[str, Any]:
        tenant, id = _writable(request), request.path_params["id"]
        # The document first: should the second step fail, answers on a missing document are still never served.
        documents = await self._knowledge().forget_document(id, tenant=tenant)
        answers = await self.application.services.answers.forget(document_id=id, tenant=tenant)
        runs = await open_runs(self.application.settings).forget(tenant=tenant, document=id)
        if not documents:
            raise _unknown()
        return {"documents": documents, "answers_invalidated": answers, "runs": runs}

    async def _invalidate(self, request: Request) -> dict[str, Any]:
        tenant, wanted = _writable(request), _read(Invalidate, await read_json(request, self.bounds))
        if wanted.all == bool(wanted.documents):
            raise Refused("name documents, or say all, and not both", param="documents")
        answers = self.application.services.answers
        number = (
            await answers.forget(tenant=tenant) if wanted.all else await answers.invalidate(wanted.documents, tenant=tenant)
        )
        return {"answers_invalidated": number}

    def _knowledge(self) -> KnowledgeBase:
        knowledge = self.application.services.knowledge
        if not isinstance(knowledge, KnowledgeBase):
            raise Refused(
                "the documents are kept by another retriever; change them there", status=501, code="foreign_knowledge"
            )
        return knowledge


async def _told(work: Awaitable[dict[str, Any]]) -> Response:
    try:
        return JSONResponse(await work)
    except GroatError as error:
        return reply_to(error)


def _writable(request: Request) -> str:
    """Return the tenant whose documents may be changed.

    Raises:
        Refused: the key may not change any, or not that tenant's.
    """
    caller: Caller = request.state.caller
    wanted = request.headers.get("x-groat-tenant")
    if not caller.writes:
        told = "this key may not change documents; ask for one whose role is writer or owner"
        raise Refused(told, status=403, code="role")
    if caller.tenant is not None and wanted not in (None, caller.tenant):
        raise Refused("this key belongs to another tenant; leave x-groat-tenant out", status=403, code="tenant")
    if wanted is not None and not wanted.strip():
        raise Refused("x-groat-tenant is empty; name a tenant, or leave it out", param="x-groat-tenant")
    return caller.tenant or wanted or "default"


def _read(form: type[_Read], raw: object) -> _Read:
    try:
        return form.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(f"{where or 'the body'}: {first['msg'].lower()}", param=where or None) from error


def _given(document: Document, place: int) -> SourceDocument:
    try:
        return given_document(**document.model_dump())
    except UnreadableDocument as error:
        raise Refused(str(error), param=f"documents.{place}") from error


def _check(report: IngestReport) -> None:
    """Tell of documents that were not taken, without the places of files on this server."""
    if report.failed:
        raise Refused(
            f"{len(report.failed)} documents have an id that a document from a file of this server has; give them others, or "
            "remove those first. The other documents were taken",
            status=409,
            code="id_taken",
        )


def _unknown() -> Refused:
    return Refused("this tenant has no document of that id", status=404, code="document_not_found")
