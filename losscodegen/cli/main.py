"""The command group, and the one place where an exception becomes a message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from losscodegen import __version__
from losscodegen.cli.catalogue import functions, rules, schema, show
from losscodegen.cli.check import check
from losscodegen.cli.completion import completion
from losscodegen.cli.explain import explain
from losscodegen.cli.generate import generate
from losscodegen.cli.grade import grade
from losscodegen.cli.listing import list_losses
from losscodegen.cli.new import new
from losscodegen.cli.output import internal_problem, print_problems
from losscodegen.cli.report import report
from losscodegen.cli.serve import serve
from losscodegen.cli.settings import CLEAN, FAILED, Settings
from losscodegen.cli.watch import watch
from losscodegen.errors import LossCodegenError

INTERRUPTED, PIPE_CLOSED = 130, 141
"""What shells expect of a program ended by SIGINT and by SIGPIPE."""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 clean, 1 findings (a stale file, a failed check), 2 could not run.",
)
@click.version_option(__version__, message="losscodegen %(version)s")
def program() -> None:
    """Compiles losses written as formulas into stable PyTorch modules, and verifies them.

    SPECS are TOML files or the names of bundled losses; left out, they are the files in specs/ or,
    where there are none, the whole bundled library.
    """


for command in (
    *(generate, check, list_losses, show, explain, grade, report, serve),
    *(functions, rules, new, schema, completion, watch),
):
    program.add_command(command)


def main() -> None:
    """The entry point of ``losscodegen`` and ``python -m losscodegen``."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs a command line and returns its exit code; every exception ends here."""
    settings = Settings()
    try:
        result = program.main(
            list(arguments),
            prog_name="losscodegen",
            standalone_mode=False,
            obj=settings,
        )
        sys.stdout.flush()
    except LossCodegenError as error:
        print_problems(error.diagnostics, settings)
        return FAILED
    except click.ClickException as error:
        error.show()
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of the output is gone. What is still buffered must not be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except Exception as error:
        print_problems((internal_problem(error, settings),), settings)
        return FAILED
    return result if isinstance(result, int) else CLEAN
