"""The reference of error codes, each with a spec that brings it about."""

from __future__ import annotations

from losscodegen.teach.codes import CODES, explain_code
from losscodegen_docs.markdown import code, listing, prose, table, target


def errors() -> str:
    """An overview, then an entry for every code."""
    overview = table(
        ("code", "meaning"),
        (
            (f"[{code(c)}](#{error_anchor(c)})", prose(explain_code(c).meaning))
            for c in CODES
        ),
    )
    return overview + "\n" + "\n".join(map(_entry, CODES))


def error_anchor(name: str) -> str:
    return f"error-{name}"


def _entry(name: str) -> str:
    story = explain_code(name)
    parts = [f"{target(error_anchor(name))}## {name}\n", prose(story.meaning) + "\n"]
    if story.example:
        parts.append(listing(story.example, "toml"))
    if story.message:
        parts.append(listing(story.message))
    parts.append(prose(story.mend) + "\n")
    return "\n".join(parts)
