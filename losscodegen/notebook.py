"""``%load_ext losscodegen``: the cell magic ``%%loss``, whose cell is a spec.

The one module that imports IPython. A cell is read as a spec file is; nothing in it is executed,
and IPython puts no variables into it.
"""

from __future__ import annotations

import keyword

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import no_var_expand
from IPython.core.magic_arguments import MagicArgumentParser

from losscodegen.api import CompiledLoss, compile_text
from losscodegen.ir.loss import Accuracy, Gradient

CELL = "cell"
"""What messages call the text of a cell."""


def _parser() -> MagicArgumentParser:
    parser = MagicArgumentParser(
        "%%loss", description="Compile the loss whose spec is the cell, in TOML."
    )
    add = parser.add_argument
    add("name", nargs="?", help="The name that the compiled loss gets.")
    add("--check", action="store_true", help="Judge it, too.")
    add("--points", type=int, help="Random points per dtype of --check.")
    for option, modes in (("--gradient", Gradient), ("--accuracy", Accuracy)):
        words = [mode.value for mode in modes]
        add(option, choices=words, help="In place of what the spec says.")
    return parser


def load_ipython_extension(shell: InteractiveShell) -> None:
    """What IPython calls for ``%load_ext losscodegen``."""
    parser = _parser()

    def loss(line: str, cell: str) -> CompiledLoss:
        given = parser.parse_argstring(line)
        name = given.name
        if name is not None and (not name.isidentifier() or keyword.iskeyword(name)):
            raise UsageError(f"{name!r} is no name of a variable")
        # The line of the magic is the first one of the cell: lines count as they are seen.
        compiled = compile_text(
            f"\n{cell}",
            file=CELL,
            gradient=given.gradient,
            accuracy=given.accuracy,
            verify=given.check,
            **({} if given.points is None else {"points": given.points}),
        )
        if name is not None:
            shell.push({name: compiled})
        return compiled

    loss.__doc__ = parser.format_help()
    shell.magics_manager.register_function(no_var_expand(loss), "cell", "loss")
