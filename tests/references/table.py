"""The table of reference implementations: what each loss of the library is compared with.

A reference is written from the paper or from another library's definition, in plain Python, NumPy,
SciPy or torch.nn.functional, and never from the formula of the spec. Its parameters are called as
the symbols of the spec; tensors arrive as NumPy arrays, an optional tensor that was left out as
None. It returns the unreduced loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[Any]
Arguments = dict[str, Any]
Value = Callable[..., Any]
Change = Callable[[Arguments, np.random.Generator], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One row.

    stem: the spec that it speaks about.
    value: the unreduced loss.
    mean: the loss reduced by ``"mean"``, where that is no plain mean over the elements.
    change: adjusts drawn arguments, where the declarations alone do not make good ones.
    settings: scalars to try besides the defaults and drawn ones, such as those that switch
        branches.
    tolerance: relative; larger only for references that integrate numerically.
    """

    stem: str
    value: Value
    mean: Value | None = None
    change: Change | None = None
    settings: tuple[Mapping[str, float], ...] = ()
    tolerance: float = 1e-9


class Table(dict[str, Reference]):
    """References by the stem of their spec."""

    def add(
        self,
        *,
        mean: Value | None = None,
        change: Change | None = None,
        settings: tuple[Mapping[str, float], ...] = (),
        tolerance: float = 1e-9,
    ) -> Callable[[Value], Value]:
        """Enters the decorated function, which is called like the stem of its spec."""

        def enter(value: Value) -> Value:
            stem = value.__name__
            assert stem not in self, f"two references for {stem}"
            self[stem] = Reference(
                stem=stem,
                value=value,
                mean=mean,
                change=change,
                settings=settings,
                tolerance=tolerance,
            )
            return value

        return enter


def each(function: Callable[..., float], *arrays: Any) -> Array:
    """``function`` of the entries of arrays that broadcast against each other."""
    broadcast = np.broadcast_arrays(*arrays)
    entries = zip(*(a.ravel() for a in broadcast), strict=True)
    values = [function(*(e.item() for e in entry)) for entry in entries]
    return np.array(values, dtype=float).reshape(broadcast[0].shape)


def rows(function: Callable[..., float], *arrays: Any) -> Array:
    """``function`` of the rows along the last axis of arrays of the same leading shape."""
    lead = arrays[0].shape[:-1]
    flat = [np.reshape(a, (-1, a.shape[-1])) for a in arrays]
    values = [function(*row) for row in zip(*flat, strict=True)]
    return np.array(values, dtype=float).reshape(lead)


def samples(function: Callable[..., float], logits: Array, *targets: Array) -> Array:
    """``function`` of each row along axis 1 of ``logits``, and of the targets that go with it."""
    moved = np.moveaxis(logits, 1, -1)
    lead = moved.shape[:-1]
    flat = moved.reshape(-1, moved.shape[-1])
    others = [
        (
            np.moveaxis(t, 1, -1).reshape(-1, t.shape[1])
            if t.ndim == logits.ndim
            else t.ravel()
        )
        for t in targets
    ]
    values = [function(*row) for row in zip(flat, *others, strict=True)]
    return np.array(values, dtype=float).reshape(lead)


def tensor(value: Any) -> torch.Tensor | None:
    """An array as a tensor of the same dtype; None stays None."""
    return None if value is None else torch.from_numpy(np.array(value))


def tensors(*values: Any) -> list[torch.Tensor]:
    """Arrays as tensors."""
    return [torch.from_numpy(np.array(value)) for value in values]


def ignoring(target: str, option: str = "ignore_index") -> Change:
    """Replaces about a third of the entries of ``target``, not all, by the value of ``option``."""

    def change(arguments: Arguments, rng: np.random.Generator) -> None:
        drop = rng.random(arguments[target].shape) < 0.3
        drop.flat[0] = False
        arguments[target] = np.where(drop, arguments[option], arguments[target])

    return change


def in_turn(*changes: Change) -> Change:
    """All ``changes``, one after the other."""

    def change(arguments: Arguments, rng: np.random.Generator) -> None:
        for one in changes:
            one(arguments, rng)

    return change


def empty_row(arguments: Arguments, rng: np.random.Generator) -> None:
    """Masks the whole first row of the mask ``m``."""
    arguments["m"][0] = 0.0


def weighted_mean(value: Value, weight: Value) -> Value:
    """The sum of ``value`` over the sum of ``weight``, both functions of the arguments."""

    def mean(**arguments: Any) -> float:
        shares = np.asarray(weight(**arguments), dtype=float)
        losses = np.asarray(value(**arguments), dtype=float)
        return float(losses.sum() / np.broadcast_to(shares, losses.shape).sum())

    return mean
