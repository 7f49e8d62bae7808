"""The knobs of one run. Studio makes its form from this."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from groat.errors import BadInput
from groat.validation import check_schema


@dataclass(frozen=True, kw_only=True)
class Context:
    """What one run may change. Everything has a default that is safe to leave."""

    tenant: Annotated[str, Field(description="Whose documents and answers may be used. Tenants never see each other's.")] = (
        "default"
    )
    tier: Annotated[
        Literal["auto", "cheap", "expensive"],
        Field(description="Which model must answer; auto leaves it to the router and to validation."),
    ] = "auto"
    use_cache: Annotated[bool, Field(description="Serve kept answers, and keep this one.")] = True
    max_quality_loss: Annotated[
        float,
        Field(
            ge=0, le=1, description="Largest mean loss of quality against the expensive model, 0 to 1; 0.01 is one per cent."
        ),
    ] = 0.01
    max_cost_usd: Annotated[
        float | None,
        Field(
            description="Most that this question may cost, in dollars; empty for no limit. What has no known price is too dear."
        ),
    ] = None
    language: Annotated[
        Literal["auto", "zh", "en"],
        Field(description="Language of the answer; auto takes that of the question."),
    ] = "auto"
    collection: Annotated[
        str,
        Field(
            max_length=200,
            description="Collection or subject of the question, as your application names it; empty for none. The router "
            "learns what each model does on it.",
        ),
    ] = ""

    deadline_s: Annotated[
        float,
        Field(
            gt=0, le=3600, description="Longest time for the question, in seconds; every wait inside is held to what is left."
        ),
    ] = 120.0
    stream: Annotated[
        Literal["hold", "live"],
        Field(
            description="hold: tokens are passed on once the answer is accepted. live: at once, with an event when replaced."
        ),
    ] = "hold"
    response_schema: Annotated[
        dict[str, Any] | None,
        Field(description="JSON Schema (2020-12) that the answer must fit; empty for prose."),
    ] = None

    tools: Annotated[
        list[dict[str, Any]] | None,
        Field(
            description="Tools that your application offers with the question. groat calls none; an answer that was given with "
            "them serves only questions with the same ones."
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse values that mean nothing, whoever sent them."""
        if not isinstance(self.tenant, str) or not self.tenant.strip():
            raise BadInput("the tenant is empty; name one, or leave it out for 'default'")
        if self.tier not in ("auto", "cheap", "expensive"):
            raise BadInput(f"the tier {self.tier!r} is not known; it is auto, cheap or expensive")
        if self.language not in ("auto", "zh", "en"):
            raise BadInput(f"the language {self.language!r} is not known; it is auto, zh or en")
        if not _is_number(self.max_quality_loss) or not 0 <= self.max_quality_loss <= 1:
            raise BadInput(f"max_quality_loss {self.max_quality_loss!r} is outside 0..1; 0.01 is one per cent")
        if self.max_cost_usd is not None and not (_is_number(self.max_cost_usd) and self.max_cost_usd >= 0):
            raise BadInput(f"max_cost_usd {self.max_cost_usd!r} is not an amount of dollars from 0; leave it out for no limit")
        if not isinstance(self.collection, str) or len(self.collection) > 200:
            raise BadInput("the collection is no text of at most 200 characters; name one, or leave it out")

        if not _is_number(self.deadline_s) or not 0 < self.deadline_s <= 3600:
            raise BadInput(f"deadline_s {self.deadline_s!r} is not a number of seconds above 0 and up to 3600")
        self._check_more()

    def _check_more(self) -> None:
        if self.stream not in ("hold", "live"):
            raise BadInput(f"the knob stream {self.stream!r} is not known; it is hold or live")
        if self.tools is not None and not (isinstance(self.tools, list) and all(isinstance(tool, dict) for tool in self.tools)):
            raise BadInput("the knob tools is no list of JSON objects; give the definitions of the tools, or leave it out")
        if self.response_schema is not None:
            check_schema(self.response_schema)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
