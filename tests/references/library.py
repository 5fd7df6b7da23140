"""All references in one table."""

from __future__ import annotations

from tests.references import (
    batches,
    binary,
    decisions,
    embedding,
    likelihood,
    margins,
    multiclass,
    pairs,
    ranking,
    regression,
    shapes,
    similarity,
)
from tests.references.table import Reference

MODULES = (
    regression,
    likelihood,
    binary,
    multiclass,
    shapes,
    embedding,
    decisions,
    pairs,
    similarity,
    ranking,
    batches,
    margins,
)

REFERENCES: dict[str, Reference] = {
    stem: row for module in MODULES for stem, row in module.TABLE.items()
}
