"""``losscodegen completion``: names of losses, rules and errors while one types."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem, get_completion_class

from losscodegen.cli.files import spec_names
from losscodegen.cli.settings import common

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@common
def completion(shell: str) -> None:
    """Print the script that completes commands, options and names in a shell.

    \b
    bash  eval "$(losscodegen completion bash)"                in ~/.bashrc
    zsh   eval "$(losscodegen completion zsh)"                 in ~/.zshrc, after compinit
    fish  losscodegen completion fish | source                 in ~/.config/fish/config.fish
    """
    root = click.get_current_context().find_root()
    name = root.info_name or "losscodegen"
    variable = f"_{name}_COMPLETE".replace("-", "_").upper()
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(root.command, {}, name, variable).source(), nl=False)


def specs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of the project and the library, or files."""
    return _matching(spec_names(), incomplete)


def explained(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What ``explain`` knows: specs, rules and error codes."""
    from losscodegen.compiler.rules import REFUTED, RULES
    from losscodegen.teach.codes import CODES

    rules = [row.name for row in RULES] + [row.name for row in REFUTED]
    return _matching((*spec_names(), *rules, *CODES), incomplete)


def _matching(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Names that begin so, or files if there are none.

    A folder is completed as soon as its name is there, and not with all that is in it.
    """
    found = [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
    if "/" not in incomplete:
        found = [name for name in found if "/" not in name]
    if not found:
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(name) for name in sorted(found)]
