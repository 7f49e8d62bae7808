"""Read labelled rows from a data set of LangSmith."""

from collections.abc import Callable, Collection, Iterator

from langsmith import Client
from langsmith.utils import LangSmithAuthError, LangSmithError, LangSmithNotFoundError

from groat.errors import BadInput, SettingsError
from groat.routing.rows import Known, Labelled, collected


def read_dataset(
    name: str,
    client: Client | None = None,
    *,
    on_bad: Callable[[str], None] | None = None,
    ignore: Collection[str] = (),
    known: Known | None = None,
) -> list[Labelled]:
    """Return the rows of a data set; each example is a row, its fields divided among inputs and outputs as one likes.

    The question may be called ``question`` or ``input`` in place of ``prompt``. Reads over the network, 100 examples at a time.

    Args:
        name: of the data set.
        client: of LangSmith; without one LANGSMITH_API_KEY and LANGSMITH_ENDPOINT of the environment say where.
        on_bad: is told of each broken example, which is then left out; None stops at the first.
        ignore: fields that are skipped though no row has them.
        known: outcomes that were read before.

    Raises:
        BadInput: there is no such data set, it holds no row, or an example is broken.
        SettingsError: LangSmith refuses the key, or cannot be reached.
    """
    where = f"the LangSmith data set {name!r}"
    try:
        rows = collected(
            _examples(client or _client(), name), where, name, on_bad=on_bad, strict=True, ignore=ignore, known=known
        )
    except LangSmithNotFoundError as error:
        raise BadInput(f"{where} does not exist; check its name, and the workspace of the key") from error
    except LangSmithAuthError as error:
        raise SettingsError("LangSmith refuses the key; check LANGSMITH_API_KEY and LANGSMITH_WORKSPACE_ID") from error
    except LangSmithError as error:
        raise SettingsError(
            f"{where} cannot be read ({type(error).__name__}); check the network, LANGSMITH_ENDPOINT and LANGSMITH_API_KEY"
        ) from error
    if not rows:
        raise BadInput(f"{where} holds no row that can be used; docs/data-formats.md says what a row holds")
    return rows


def _client() -> Client:
    # It only reads: without the look at the server that sending traces needs, whose failure it would log by itself.
    return Client(auto_batch_tracing=False, info={})


def _examples(client: Client, name: str) -> Iterator[tuple[str, object]]:
    for example in client.list_examples(dataset_name=name):
        raw = {**(example.inputs or {}), **(example.outputs or {})}
        for other in ("question", "input"):
            if other in raw and "prompt" not in raw:
                raw["prompt"] = raw.pop(other)
        yield f"example {example.id}", raw
