"""What the paths for programs take and give, as OpenAPI 3.1: for whoever makes clients, or tries to break them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from groat import __version__
from serve.web.documents import Documents, Invalidate, Text
from serve.web.openai.requests import MODELS, Body

_REFS: Final = "#/components/schemas/{model}"
_ERROR: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_REFUSALS: Final[Mapping[str, str]] = {
    "400": "The request cannot be answered as it is; the message says what to change.",
    "401": "No key of this server.",
    "402": "A budget is spent.",
    "403": "The key may not do that, or belongs to another tenant.",
    "404": "There is none of that name.",
    "405": "There is no such method here.",
    "408": "The request did not arrive in time.",
    "409": "The id belongs to a document from a file.",
    "413": "The request is too large.",
    "429": "Over a limit; Retry-After says when to come again.",
    "501": "The documents are kept elsewhere.",
    "502": "The model behind failed.",
    "503": "A store failed; Retry-After says when to come again.",
    "504": "The model behind did not answer in time.",
}
_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "x-groat-tenant": {"type": "string", "minLength": 1},
    "x-groat-max-quality-loss": {"type": "number", "minimum": 0, "maximum": 1},
    "x-groat-max-cost-usd": {"type": "number", "minimum": 0},
    "x-groat-collection": {"type": "string", "maxLength": 200},
    "x-groat-no-cache": {"type": "boolean"},
}
_EMBEDDINGS: Final = {
    "type": "object",
    "required": ["input"],
    "properties": {
        "model": {"type": "string"},
        "input": {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "minItems": 1, "maxItems": 256, "items": {"type": "string", "minLength": 1}},
            ]
        },
        "encoding_format": {"enum": ["float", "base64", None]},
    },
}


async def described(request: Request) -> Response:
    """Return the description."""
    return JSONResponse(description())


@lru_cache(maxsize=1)
def description() -> dict[str, Any]:
    """Return the description of the paths for programs."""
    schemas: dict[str, Any] = {"Error": _ERROR, "Embeddings": _EMBEDDINGS}
    for form in (Body, Text, Documents, Invalidate):
        _add(form, schemas)
    id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 200}}
    model = {"name": "model", "in": "path", "required": True, "schema": {"enum": list(MODELS)}}
    tenant = {"name": "x-groat-tenant", "in": "header", "schema": {"type": "string", "minLength": 1}}
    options = [{"name": name, "in": "header", "schema": form} for name, form in _OPTIONS.items()]
    return {
        "openapi": "3.1.0",
        "info": {"title": "groat", "version": __version__, "description": "docs/endpoint.md"},
        "security": [{"key": []}],
        "components": {"schemas": schemas, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "paths": {
            "/v1/chat/completions": {"post": _operation("complete", "Answer a conversation.", body="Body", parameters=options)},
            "/v1/models": {"get": _operation("models", "List the models.")},
            "/v1/models/{model}": {"get": _operation("model", "Return one model.", parameters=[model])},
            "/v1/embeddings": {"post": _operation("embed", "Return the vectors of texts.", body="Embeddings")},
            "/v1/groat/documents": {
                "post": _operation("put_documents", "Add or change documents.", body="Documents", parameters=[tenant])
            },
            "/v1/groat/documents/{id}": {
                "get": _operation("document", "Return the version of a document.", parameters=[id, tenant]),
                "put": _operation("put_document", "Add or change a document.", body="Text", parameters=[id, tenant]),
                "delete": _operation("remove_document", "Remove a document and its answers.", parameters=[id, tenant]),
            },
            "/v1/groat/invalidate": {
                "post": _operation("invalidate", "Forget answers.", body="Invalidate", parameters=[tenant])
            },
        },
    }


def _add(form: type[BaseModel], schemas: dict[str, Any]) -> None:
    schema = form.model_json_schema(ref_template=_REFS)
    schemas |= schema.pop("$defs", {})
    schemas[form.__name__] = schema


def _operation(
    id: str, summary: str, *, body: str | None = None, parameters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": _REFS.format(model="Error")}}}
    told: dict[str, Any] = {
        "operationId": id,
        "summary": summary,
        "parameters": parameters or [],
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": {"type": "object"}}}},
            **{status: {"description": meaning, "content": error} for status, meaning in _REFUSALS.items()},
        },
    }
    if body is not None:
        content = {"application/json": {"schema": {"$ref": _REFS.format(model=body)}}}
        told["requestBody"] = {"required": True, "content": content}
    return told
