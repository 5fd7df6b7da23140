"""The pages of the documentation that are made of the project's own tables.

A page says where with a line ``<!-- generated: functions -->``, which becomes Markdown before
Sphinx reads it. Nothing is written beside the sources.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    from losscodegen_docs.fill import code_hash

    # Pages are read anew when the code is another, not only when their own text is.
    app.add_config_value("losscodegen_code", code_hash(), "env", types=(str,))
    app.connect("source-read", _fill)
    app.connect("build-finished", _tidy)
    app.connect("autodoc-process-docstring", _sections)
    app.connect("doctree-read", _dashes)
    app.connect("doctree-read", _last_lines)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _fill(app: Sphinx, page: str, source: list[str]) -> None:
    from losscodegen.cli.generate import collecting_rarely
    from losscodegen_docs.fill import Parts, fill

    with collecting_rarely():
        source[0] = fill(source[0], Parts(_cache(app)))


def _cache(app: Sphinx) -> Path:
    """Where parts that take long are kept; it may be deleted at any time."""
    return Path(app.srcdir) / "_build" / "cache"


def _tidy(app: Sphinx, error: Exception | None) -> None:
    from losscodegen.store import Store

    Store(_cache(app)).prune()


def _sections(
    app: Sphinx, what: Any, name: str, thing: object, options: Any, lines: list[str]
) -> None:
    """Reads ``Args:`` and the like.

    The extension napoleon would also take what stands before a colon in the docstring of an
    attribute for its type.
    """
    from sphinx.ext.napoleon.docstring import GoogleDocstring

    if what in ("function", "method", "class", "exception"):
        found = GoogleDocstring(list(lines), what=what, name=name, obj=thing)
        lines[:] = found.lines()


def _dashes(app: Sphinx, tree: Any) -> None:
    """Between a parameter and what is said of it stands a dash.

    Sphinx writes two hyphens and leaves them to the typographer, who would take those of options.
    """
    from docutils import nodes

    for text in list(tree.findall(nodes.Text)):
        if text.astext() == " -- ":
            text.parent.replace(text, nodes.Text(" \N{EN DASH} "))


def _last_lines(app: Sphinx, tree: Any) -> None:
    """A session ends with an empty line for doctest, which a reader need not see."""
    from docutils import nodes

    for block in tree.findall(nodes.literal_block):
        block.rawsource = block.rawsource.rstrip()
        block.children[:] = [nodes.Text(block.astext().rstrip())]
