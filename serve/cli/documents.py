"""``groat ingest`` and ``groat forget``: what is known, and what is no longer."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from graph.asking import forget_conversations
from graph.decompressing import RECORDS, open_compression_records
from graph.recording import open_runs
from groat.errors import BadInput, SettingsError, UnreadableDocument
from groat.knowledge import IngestReport, KnowledgeBase
from groat.knowledge import Progress as Step
from serve.application import Application, load_application
from serve.cli.output import JsonOption, TenantOption, console, write_json


def ingest_command(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders: Markdown, text, HTML, PDF, JSONL.")],
    tenant: TenantOption = "default",
    json_file: JsonOption = None,
) -> None:
    """Add or update documents; answers that stand on changed ones are forgotten."""
    report, invalidated = asyncio.run(_ingest(paths, tenant))
    counts = {
        "added": len(report.added),
        "changed": len(report.changed),
        "unchanged": len(report.unchanged),
        "removed": len(report.removed),
        "answers_invalidated": invalidated,
    }
    if json_file is not None:
        failed = [{"file": str(path), "reason": reason} for path, reason in report.failed]
        notes = [{"file": str(path), "note": note} for path, note in report.notes]
        write_json({**counts, "failed": failed, "notes": notes}, json_file)
    else:
        out = console()
        for path, note in report.notes:
            out.print(f"{path}: {note}", markup=False, style="dim")
        out.print(", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items()), markup=False)
    if report.failed:
        raise UnreadableDocument("; ".join(f"{path}: {reason}" for path, reason in report.failed))


async def _ingest(paths: list[Path], tenant: str) -> tuple[IngestReport, int]:
    app = load_application()
    report = await ingest(app, paths, tenant)
    changed = [*report.changed, *report.removed]
    return report, await app.services.answers.invalidate(changed, tenant=tenant)


async def ingest(app: Application, paths: list[Path], tenant: str) -> IngestReport:
    """Ingest with a progress bar on standard error."""
    knowledge = own_knowledge(app)
    err = console()
    err.stderr = True
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Without a terminal the bar would leave nothing but an empty line.
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("reading", total=None)

        def show(step: Step) -> None:
            bar.update(task, description=step.phase, completed=step.done, total=step.total)

        return await knowledge.ingest(paths, tenant=tenant, progress=show)


def forget_command(
    document: Annotated[
        str | None, typer.Option(metavar="ID", help="This document, with the answers that stand on it.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Everything of this tenant; with --document, of this tenant only.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All documents and answers of all tenants.")] = False,
    answers_only: Annotated[bool, typer.Option("--answers", help="Keep the documents, forget the answers.")] = False,
    json_file: JsonOption = None,
) -> None:
    """Remove documents with their answers and kept runs, or answers alone; with a whole tenant, its conversations too."""
    if everything == (document is not None or tenant is not None):
        raise BadInput("say what to forget: --document ID, --tenant T, or --all")
    counts = asyncio.run(_forget(document, tenant, answers_only))
    if json_file is not None:
        write_json(counts, json_file)
    else:
        console().print(", ".join(f"{number} {name}" for name, number in counts.items()) + " forgotten")


async def _forget(document: str | None, tenant: str | None, answers_only: bool) -> dict[str, int]:
    app = load_application()
    knowledge = own_knowledge(app)
    documents = 0
    # Documents first: should the second step fail, answers on missing documents are still never served.
    if not answers_only:
        if document is not None:
            documents = await knowledge.forget_document(document, tenant=tenant)
        elif tenant is not None:
            documents = await knowledge.forget_tenant(tenant)
        else:
            documents = await knowledge.forget_all()
    answers = await app.services.answers.forget(
        document_id=document, tenant=tenant, everything=document is None and tenant is None
    )
    conversations = runs = 0
    if not answers_only:
        runs = await open_runs(app.settings).forget(tenant=tenant, document=document)
        if document is None:
            conversations = await forget_conversations(app.services, app.settings.data_dir, tenant=tenant)
            if (app.settings.data_dir / RECORDS).exists():
                await open_compression_records(app.settings).forget(tenant)
    return {"documents": documents, "answers": answers, "conversations": conversations, "runs": runs}


def own_knowledge(app: Application) -> KnowledgeBase:
    """Return the knowledge base of the application, which must be our own to be written to.

    Raises:
        SettingsError: a foreign retriever stands in for it.
    """
    if not isinstance(app.services.knowledge, KnowledgeBase):
        raise SettingsError("the documents are kept by another retriever; change them there")
    return app.services.knowledge
