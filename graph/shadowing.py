"""A new configuration beside the running one: it answers a share of the live questions, and nobody is served what it says.

Nothing that it answers is kept in the cache, and what it costs stands in the ledger under "shadow".
"""

import io
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from dotenv import dotenv_values
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from graph.context import Context
from graph.recording import Ends, EndsSeen
from graph.route_auditing import messages_of
from graph.settings import Settings, read_settings
from groat.cache.audit import chosen
from groat.cache.background import Background
from groat.costs import ShadowBooks
from groat.errors import SettingsError
from groat.tracing import names
from groat.types import Asked, Attempt
from nodes import Knobs
from nodes.validate import Needs, Update, Validate

if TYPE_CHECKING:
    from graph.decompressing import Recorded
    from graph.route_auditing import Watched
    from graph.services import Services

SHADOWS: Final = "shadow.jsonl"
"""The file of the comparisons, in the folder of data, readable by its owner only."""
SHADOW_RUN: Final[RunnableConfig] = {"run_name": "groat shadow", "metadata": {names.RUN_PURPOSE: "shadow"}}
"""How runs of the new configuration are told from questions."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """The new configuration.

    Attributes:
        services: its engines; embeddings, documents, budgets and ledger are those of the running one.
        share: of the questions that are not served from the cache, 0..1.
        keep_text: whether questions and answers are written down, for a judge or people to compare.
        path: of the comparisons.
        background: where it answers, after the question is over.
    """

    services: "Services"
    share: float
    keep_text: bool
    path: Path
    background: Background

    def ended(self, state: Needs, update: Update, knobs: Knobs) -> None:
        """Have the new configuration answer a question that has just ended, if it is drawn."""
        if not chosen(f"shadow {state['run']}", self.share):
            return
        attempts, run, asked = state["attempts"], state["run"], state["asked"]
        running = _told(
            update["answer"], update["verified"], update["cost_usd"], (time.time() - state["asked_at"]) * 1000, attempts
        )  # fmt: skip

        async def answer() -> None:
            if (await self.services.budgets.standing(asked["tenant"])).over:
                return
            # Imported here: the graph is built from the services, which hold this.
            from graph.build import build_graph

            context = replace(cast(Context, knobs), use_cache=False, stream="hold")
            begun = time.perf_counter()
            output = await build_graph(self.services).ainvoke(
                {"messages": messages_of(asked)}, config=SHADOW_RUN, context=context
            )  # fmt: skip
            took_ms = (time.perf_counter() - begun) * 1000
            new = _told(output["answer"], output["verified"], output["cost_usd"], took_ms, output["attempts"])
            self._write(run, asked, running, new)

        self.background.submit(answer)

    def _write(self, run: str, asked: Asked, running: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        row = {
            "run": run, "at": time.time(), "lang": asked["language"], "tenant": asked["tenant"], "question": asked["text"],
            "running": running, "new": new,
        }  # fmt: skip
        if not self.keep_text:
            row |= {"question": "", "running": {**running, "answer": ""}, "new": {**new, "answer": ""}}
        try:
            self.path.touch(mode=0o600)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        except OSError as error:
            _LOG.warning("a comparison with the new configuration was not written down: %s", error.strerror)


def _told(answer: str, verified: bool, cost: str | None, took_ms: float, attempts: list[Attempt]) -> dict[str, Any]:
    return {
        "answer": answer, "verified": verified, "cost_usd": cost, "latency_ms": round(took_ms, 1),
        "cheap": all(attempt["tier"] == "cheap" for attempt in attempts),
    }  # fmt: skip


def with_shadow(services: "Services", settings: Settings, environ: Mapping[str, str]) -> "Services":
    """Return the services with the new configuration beside them, where one is set.

    Args:
        services: the running ones.
        settings: the running ones.
        environ: of the process; the file of the new configuration goes before it.

    Raises:
        SettingsError: the file cannot be read, or a value in it cannot be used.
    """
    if settings.shadow_config is None or not settings.shadow_share:
        return services
    # Imported here: it holds this.
    from graph.services import open_services

    try:
        text = settings.shadow_config.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"GROAT_SHADOW_CONFIG names {settings.shadow_config}, which cannot be read; name a file") from error
    changed = {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value is not None}
    new = read_settings({**environ, **changed}, home=settings.data_dir)
    engines = replace(
        open_services(new, embeddings=services.embedder),
        knowledge=services.knowledge, embedder=services.embedder, books=ShadowBooks.beside(services.books),
        budgets=services.budgets, tenants=services.tenants, audits=None, route_audits=None, recorder=None, decompressions=None,
    )  # fmt: skip
    shadow = Shadow(
        services=engines, share=settings.shadow_share, keep_text=settings.shadow_keep_text, path=settings.data_dir / SHADOWS,
        background=Background(at_once=1),
    )  # fmt: skip
    return replace(services, shadow=shadow)


@dataclass(frozen=True, kw_only=True)
class Shadowed:
    """The box ``validate``, which tells the new configuration of every question that has ended."""

    box: "Validate | Watched | Recorded | EndsSeen"
    shadow: Shadow

    async def __call__(self, state: Ends, runtime: Runtime[Knobs]) -> Update:
        """Return what the box returns."""
        update = await self.box(state, runtime)
        if "answer" in update and runtime.context.tier == "auto":
            self.shadow.ended(state, update, runtime.context)
        return update
