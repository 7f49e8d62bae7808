"""The commands, and how their failures are told."""

import logging
import sys

import typer

from groat.errors import GroatError
from serve.cli.ask import ask_command
from serve.cli.batch import batch_command
from serve.cli.bench import SeveralValues, bench_app
from serve.cli.blame import blame_app
from serve.cli.cache import cache_app, calibrate_command
from serve.cli.compress import compress_app, explain_command
from serve.cli.compress import fit_command as compress_fit_command
from serve.cli.compress_records import records_command
from serve.cli.demo import demo_command
from serve.cli.doctor import doctor_command
from serve.cli.documents import forget_command, ingest_command
from serve.cli.evaluate import eval_app
from serve.cli.judge import judge_app
from serve.cli.judge_fit import fit_command
from serve.cli.ladder import ladder_command, replay_command
from serve.cli.langsmith import feedback_command, langsmith_app
from serve.cli.ledger import ledger_command
from serve.cli.route import route_app
from serve.cli.route_compare import compare_command, models_command
from serve.cli.route_fit import fit_command as route_fit_command
from serve.cli.serve import serve_command
from serve.cli.workload import workload_app

app = typer.Typer(
    name="groat",
    help="Answers questions from your documents, in Chinese and English, for a small part of what one big model costs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("ask")(ask_command)
app.command("batch")(batch_command)
app.command("ingest")(ingest_command)
app.command("forget")(forget_command)
app.command("ledger")(ledger_command)
app.command("feedback")(feedback_command)
app.command("ladder", cls=SeveralValues)(ladder_command)
app.command("replay")(replay_command)
app.command("doctor")(doctor_command)
app.command("demo")(demo_command)
app.command("serve")(serve_command)
app.add_typer(bench_app, name="bench")
app.add_typer(langsmith_app, name="langsmith")
app.add_typer(blame_app, name="blame")
judge_app.command("fit", cls=SeveralValues)(fit_command)
app.add_typer(judge_app, name="judge")
cache_app.command("calibrate", cls=SeveralValues)(calibrate_command)
app.add_typer(cache_app, name="cache")
route_app.command("fit", cls=SeveralValues)(route_fit_command)
route_app.command("compare", cls=SeveralValues)(compare_command)
route_app.command("models", cls=SeveralValues)(models_command)
app.add_typer(route_app, name="route")
compress_app.command("fit", cls=SeveralValues)(compress_fit_command)
compress_app.command("explain")(explain_command)
compress_app.command("records")(records_command)
app.add_typer(compress_app, name="compress")
app.add_typer(eval_app, name="eval")
app.add_typer(workload_app, name="workload")


def main() -> None:
    """Run the command; a failure that groat understands is one sentence on standard error and exit code 1."""
    # It reports each oddity of a broken PDF on standard error; the file's own sentence says what matters.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        app()
    except GroatError as error:
        sys.stderr.write(f"groat: {_one_line(str(error))}\n")
        sys.exit(1)
    except OSError as error:
        # Reached only where no engine stood between: standard output closed, a data folder without permission.
        what = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"groat: {what}{error.strerror or error}; check permissions, space and GROAT_DATA_DIR\n")
        sys.exit(1)
    except UnicodeEncodeError as error:
        # An argument that is no UTF-8 arrives as lone surrogates, which neither a database nor a terminal takes.
        sys.stderr.write(f"groat: an argument is not UTF-8, or the output cannot show the text ({error.encoding}); use UTF-8\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()
