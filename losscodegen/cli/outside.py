"""Losses of PyTorch that no spec can describe, each with the reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """A class that has no spec, and what its formula would need that the language has not."""

    name: str
    family: str
    why: str


OUTSIDE = (
    Outside(
        name="CTCLoss",
        family="torch.nn",
        why="sums over all alignments by dynamic programming, a recursion over time",
    ),
    Outside(
        name="TripletMarginWithDistanceLoss",
        family="torch.nn",
        why="takes its distance as an arbitrary Python function, which is no formula",
    ),
)
"""Out of scope as replacements for the classes of the same names."""
