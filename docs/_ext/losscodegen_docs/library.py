"""The losses of the library, by family."""

from __future__ import annotations

from losscodegen.ir.loss import Loss
from losscodegen.language.mathematics import one_line
from losscodegen.language.parse import load_losses
from losscodegen.resources import bundled_specs, specs_directory
from losscodegen_docs.markdown import code, prose, table, target


def library() -> str:
    """A table for every family."""
    families: dict[str, list[tuple[str, Loss]]] = {}
    for path in bundled_specs():
        name = path.relative_to(specs_directory()).with_suffix("").as_posix()
        for loss in load_losses(path):
            families.setdefault(loss.family or "others", []).append((name, loss))
    return "\n".join(_family(f, rows) for f, rows in sorted(families.items()))


def family_anchor(family: str) -> str:
    return "family-" + "-".join(family.split())


def _family(family: str, rows: list[tuple[str, Loss]]) -> str:
    body = table(
        ("class", "spec", "meaning"),
        (
            (code(o.name), code(name), f"{prose(o.summary)}<br>{code(one_line(o))}")
            for name, o in rows
        ),
    )
    title = family[:1].upper() + family[1:]
    return f"{target(family_anchor(family))}## {title}\n\n{body}"
