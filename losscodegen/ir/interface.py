"""The calling convention of a class that a loss stands in for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One thing that happens before the loss is computed, if ``when`` holds; always if it is None.

    Exactly one of these: raise ``error`` with ``message``; warn with ``warning``; broadcast the
    arguments of these names; return what the class ``instead`` gives for the same arguments; give
    arguments new values. ``instead`` may go with new values and with a ``result``, an expression
    over ``loss``.
    Conditions, values and the fields of messages are Python expressions over arguments, checked
    and normalised by `losscodegen.language.calling`.
    """

    when: str | None = None
    error: str = ""
    message: str = ""
    warning: str = ""
    broadcast: tuple[str, ...] = ()
    instead: str = ""
    values: tuple[tuple[str, str], ...] = ()
    result: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A linear layer that the class holds as ``name``: the arguments that are its weight and bias.

    The weight has the axes (classes, any others, features), the bias all but the last.
    """

    name: str
    weight: str
    bias: str


LAYER_ARGUMENTS = {
    "in_features": "in_features: int",
    "num_classes": "num_classes: int",
    "out_features": "out_features: tuple[int, ...] = ()",
    "bias": "bias: bool = False",
    "device": "device: torch.device | str | None = None",
    "dtype": "dtype: torch.dtype | None = None",
    "options": "options: object = None",
}
"""What a constructor may take to make the layer, and how a signature writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A class to replace: ``forward`` pairs the names of a call with the arguments they are.

    ``constructor`` may hold ``*`` before what is keyword-only, the legacy arguments of torch that
    say how to reduce, and those that make the layer. The ``optional`` arguments may be None until
    a clause gives them a value.
    """

    constructor: tuple[str, ...] = ()
    forward: tuple[tuple[str, str], ...] = ()
    class_axis_without_batch: bool = False
    compare: str | None = None
    optional: tuple[str, ...] = ()
    layer: Layer | None = None
    at_construction: tuple[Clause, ...] = ()
    at_call: tuple[Clause, ...] = ()
