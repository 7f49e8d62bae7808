"""Read a request for a chat completion: the conversation, the knobs of the run, and how the answer is wanted."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graph.context import Context
from graph.passing import Handed
from groat.errors import BadInput
from serve.web.keys import Caller
from serve.web.openai.errors import Refused
from serve.web.openai.parameters import left_out
from serve.web.openai.tools import is_with_tools, read_tools

MODELS: Final[Mapping[str, Literal["auto", "cheap", "expensive"]]] = {
    "groat": "auto",
    "groat:cheap": "cheap",
    "groat:expensive": "expensive",
}
"""Name of a model of this server -> tier that answers."""
HEADERS: Final = {
    "x-groat-tenant": "tenant",
    "x-groat-max-quality-loss": "max_quality_loss",
    "x-groat-max-cost-usd": "max_cost_usd",
    "x-groat-collection": "collection",
    "x-groat-no-cache": "no_cache",
}
"""For those who can set headers and not fields."""


class Part(BaseModel):
    """A piece of a message."""

    type: str
    text: str = ""


class Message(BaseModel):
    """One turn."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] | None = None


class JsonSchema(BaseModel):
    """The structure of an answer."""

    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class ResponseFormat(BaseModel):
    """The form of an answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(BaseModel):
    """What a stream ends with."""

    include_usage: bool = False


class Options(BaseModel):
    """What this server adds to a request, under ``groat``; each has the meaning of the knob of its name."""

    model_config = ConfigDict(extra="forbid")

    tenant: str | None = None
    max_quality_loss: float | None = None
    max_cost_usd: float | None = None
    language: Literal["auto", "zh", "en"] | None = None
    collection: str | None = None
    deadline_s: float | None = None
    no_cache: bool = False


class Envelope(BaseModel):
    """What every request for a completion says around its conversation; the other parameters: ``openai.parameters``."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    groat: Options = Options()


class Body(Envelope):
    """A request that groat answers."""

    messages: Annotated[list[Message], Field(min_length=1)]
    response_format: ResponseFormat | None = None


class ToolsBody(Envelope):
    """A request with tools, which a model answers; its other fields are the model's to read."""

    messages: Annotated[list[dict[str, Any]], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked of the graph, and how the answer is wanted."""

    model: str
    messages: list[AnyMessage]
    context: Context
    stream: bool
    include_usage: bool
    handed: Handed | None = None
    """With it the conversation is passed on to a model, with the caller's tools."""
    left_out: list[str] = field(default_factory=list)
    """Parameters of the request that have no effect."""


def read_request(raw: object, headers: Mapping[str, str], caller: Caller) -> Wanted:
    """Return what a request asks for.

    Args:
        raw: its JSON.
        headers: names in lower case; a field goes before the header of the same meaning.
        caller: who asks; its tenant is the only one it may ask for.

    Raises:
        Refused: it cannot be read, asks for what this server does not do, or for another's tenant.
    """
    if not isinstance(raw, dict):
        raise Refused("send a JSON object with model and messages")
    with_tools = is_with_tools(raw)
    body = _body(ToolsBody if with_tools else Body, {**raw, "groat": {**_from_headers(headers), **_object(raw.get("groat"))}})
    if body.n not in (None, 1):
        raise Refused("one answer is given to a question; leave n out, or set it to 1", param="n")
    if body.model not in MODELS:
        raise Refused(
            f"this server has the models {', '.join(MODELS)}; name one of them",
            param="model",
            status=404,
            code="model_not_found",
        )
    try:
        context = _context(body, caller)
    except Refused:
        raise
    except BadInput as error:
        raise Refused(str(error)) from error
    answered = isinstance(body, Body)
    return Wanted(
        model=body.model,
        messages=[_message(one, number) for number, one in enumerate(body.messages)] if isinstance(body, Body) else [],
        context=context,
        stream=bool(body.stream),
        include_usage=body.stream_options is not None and body.stream_options.include_usage,
        handed=None if answered else read_tools(raw, streams=bool(body.stream)),
        left_out=left_out(raw) if answered else [],
    )


def _body(form: type[Body | ToolsBody], raw: dict[str, Any]) -> Body | ToolsBody:
    try:
        return form.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(f"{where}: {first['msg'].lower()}", param=where) from error


def _object(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused("groat is an object of options", param="groat")
    return value


def _from_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {field: headers[name] for name, field in HEADERS.items() if name in headers}


def _context(body: Body | ToolsBody, caller: Caller) -> Context:
    options = body.groat
    if caller.tenant is not None and options.tenant not in (None, caller.tenant):
        raise Refused("this key belongs to another tenant; leave tenant out", param="groat.tenant", status=403, code="tenant")
    if options.tenant is not None and not options.tenant.strip():
        raise Refused("the tenant is empty; name one, or leave it out", param="groat.tenant")
    given = {
        name: value
        for name in ("max_quality_loss", "max_cost_usd", "language", "collection", "deadline_s")
        if (value := getattr(options, name)) is not None
    }
    context = Context(
        tenant=caller.tenant or options.tenant or "default",
        tier=MODELS[body.model],
        use_cache=not options.no_cache,
        **given,
    )
    form = body.response_format if isinstance(body, Body) else None
    if form is None or form.type == "text":
        return context
    if form.type == "json_schema" and form.json_schema is None:
        raise Refused("response_format of the type json_schema needs json_schema.schema", param="response_format")
    try:
        return replace(context, response_schema={"type": "object"} if form.json_schema is None else form.json_schema.schema_)
    except BadInput as error:
        raise Refused(str(error), param="response_format") from error


def _message(one: Message, number: int) -> AnyMessage:
    text = _text(one.content, number)
    match one.role:
        case "user":
            return HumanMessage(text)
        case "assistant":
            return AIMessage(text)
        case _:
            return SystemMessage(text)


def _text(content: str | list[Part] | None, number: int) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    for part in content:
        if part.type != "text":
            raise Refused(
                f"only text is answered; a part of the type {part.type!r} is not", param=f"messages.{number}.content"
            )  # fmt: skip
    return "\n".join(part.text for part in content)
