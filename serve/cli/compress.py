"""``groat compress``: fit the compressor on one's own rows, and show what it keeps."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from evals.quick_vectors import QuickEmbedder
from groat.compression import Compressor, LearnedStop
from groat.compression.explain import Explained, explain, lines_of, page
from groat.compression.learned import within
from groat.compression.selection import tokens_of
from groat.embedding.bundled import BundledEmbedder
from groat.errors import BadInput
from groat.knowledge.documents import ReadFailure
from groat.knowledge.files import find_files
from groat.knowledge.readers import read_documents
from groat.knowledge.splitting import embedded_texts, split
from groat.text import clean_question, detect_language
from groat.types import Asked, Passage
from serve.cli.bench_compress import SkipBad, Words, read
from serve.cli.bench_route import VECTORS
from serve.cli.compress_records import kept_rows
from serve.cli.output import JsonOption, console, write_json

_LOSSES = (0.01, 0.02, 0.05, 0.1)
_PASSAGE_TOKENS = 260
"""As the knowledge base cuts them."""

compress_app = typer.Typer(help="Shorten what is sent to the model.", no_args_is_help=True, rich_markup_mode=None)


@compress_app.callback()
def compress() -> None:
    """Shorten what is sent to the model."""


def fit_command(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the rule goes, as JSON.")],
    data: Annotated[list[Path] | None, typer.Option(help="Compression rows to fit on, .jsonl or .jsonl.gz.")] = None,
    records: Annotated[bool, typer.Option("--records", help="Fit on what was recorded here as well.")] = False,
    rows: Annotated[int | None, typer.Option(min=1, help="So many rows of each file, evenly spread; all without it.")] = None,
    helpcentre: Annotated[bool, typer.Option("--helpcentre", help="Fit on the help centre's own questions as well.")] = False,
    words: Words = False,
    vectors: Annotated[Path, typer.Option(help="Folder where vectors are kept between measurements.")] = VECTORS,
    skip_bad: SkipBad = False,
    json_file: JsonOption = None,
) -> None:
    """Fit the order of sentences and the stop rule on labelled rows; print what each promised loss keeps."""
    if not data and not records:
        raise BadInput("name rows to fit on: --data FILE..., or --records")
    if helpcentre and words:
        raise BadInput("--helpcentre searches with vectors; leave --words out")
    # Imported here: scikit-learn takes a second to import, and every other command would wait for it.
    from evals.fit_compression import helpcentre_rows, labelled
    from evals.vectors import VectorFile
    from groat.compression.fit import card_of, fit

    found = [row for path in dict.fromkeys(data or []) for row in read(path, rows, skip_bad)]
    found += kept_rows() if records else []
    embedder = None if words else VectorFile(QuickEmbedder(threads=os.cpu_count() or 1), vectors)

    async def run() -> LearnedStop:
        if helpcentre and embedder is not None:
            found.extend(await helpcentre_rows(embedder))
        name = "none" if embedder is None else embedder.name
        return fit(await labelled(found, embedder), embedder=name, date=datetime.now(UTC).date().isoformat())

    stop = asyncio.run(run())
    if embedder is not None:
        embedder.save()
    try:
        out.write_text(stop.written(), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"the file {out} cannot be written ({error.strerror}); choose another for --out") from error
    if json_file is not None:
        write_json(card_of(stop), json_file)
        return
    shown = console()
    table = Table("context", "rows", *(f"at most {loss:.0%}" for loss in _LOSSES), box=None)
    for kind, limits in stop.limits.items():
        chosen = [within(limits, "expensive", loss) for loss in _LOSSES]
        kept = [1.0 if limit is None else limit.kept for limit in chosen]
        table.add_row(kind, str(limits[0].rows), *(f"{share:.0%}" for share in kept))
    shown.print(table)
    shown.print(f"{len(found)} rows, version {stop.version}; kept shares of the tokens above; written to {out}", markup=False)


def explain_command(
    question: Annotated[str, typer.Argument(help="The question.")],
    files: Annotated[list[Path], typer.Argument(help="Documents: what groat ingest reads.")],
    max_loss: Annotated[float, typer.Option(help="Largest share of questions whose answer may be lost.")] = 0.02,
    max_tokens: Annotated[int | None, typer.Option(help="Most tokens to keep; wins over the promise.")] = None,
    rule: Annotated[Path | None, typer.Option(help="A rule of your own; the shipped one without it.")] = None,
    words: Words = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with the kept sentences marked.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Show which sentences of the documents would be sent for a question, and why."""
    stop = LearnedStop.load(rule)
    explained, passages = asyncio.run(_explained(stop, clean_question(question), files, max_loss, max_tokens, words))
    if html is not None:
        try:
            html.write_text(page(explained, passages), encoding="utf-8")
        except OSError as error:
            raise BadInput(f"the file {html} cannot be written ({error.strerror}); choose another for --html") from error
    if json_file is not None:
        write_json(explained, json_file)
        return
    shown = console()
    shown.print(explained["reason"], markup=False)
    for line in explained["lines"]:
        mark = "+" if line["kept"] else " "
        shown.print(f"{mark} {line['rank']:>3} {line['document']}: {line['text']}", markup=False)
        if line["kept"]:
            shown.print(f"      {', '.join(line['because'])}", markup=False)
    if html is not None:
        shown.print(f"page written to {html}", markup=False)


async def _explained(
    stop: LearnedStop, question: str, files: list[Path], max_loss: float, max_tokens: int | None, words: bool
) -> tuple[Explained, list[Passage]]:
    pieces = _pieces(files)
    passages = [passage for passage, _ in pieces]
    embedder = None if words else BundledEmbedder()
    language = detect_language(question)
    asked: Asked = {
        "text": question, "language": language, "answer_language": language, "search_text": question, "history": [],
        "tenant": "default",
    }  # fmt: skip
    plan = Compressor(stop).plan(
        asked, passages, tier="expensive", max_loss=max_loss, max_tokens=max_tokens,
        question_vector=None if embedder is None else await embedder.query(question),
        sentence_vectors=[] if embedder is None else [await embedder.passages(texts) for _, texts in pieces],
    )  # fmt: skip
    before = tokens_of(passages)
    if isinstance(plan, str):
        whole: Explained = {"question": question, "reason": f"everything is sent: {plan}", "tokens_before": before,
                            "tokens_after": before, "chances": {}, "lines": lines_of(passages)}  # fmt: skip
        return whole, passages
    return explain(stop, plan, before), passages


def _pieces(files: list[Path]) -> list[tuple[Passage, list[str]]]:
    """Return the passages of the documents in the order given, as the ingest cuts them, with the texts for their vectors."""
    found: list[tuple[Passage, list[str]]] = []
    for path in find_files(files).files:
        for document in read_documents(path):
            if isinstance(document, ReadFailure):
                raise BadInput(f"{document.source}: {document.sentence}")
            for number, piece in enumerate(split(document, _PASSAGE_TOKENS)):
                passage: Passage = {
                    "id": f"{document.id}#{number}", "document_id": document.id, "version": "", "title": document.title,
                    "heading": piece.heading, "text": piece.text, "language": piece.language,
                    "sentences": piece.sentences, "score": 0.0, "similarity": None,
                }  # fmt: skip
                found.append((passage, embedded_texts(document.title, piece)))
    return found
