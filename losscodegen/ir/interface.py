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
class Interface:
    """A class to replace: ``forward`` pairs the names of a call with the arguments they are.

    ``constructor`` may hold ``*`` before what is keyword-only, and the legacy arguments of torch
    that say how to reduce.
    """

    constructor: tuple[str, ...] = ()
    forward: tuple[tuple[str, str], ...] = ()
    class_axis_without_batch: bool = False
    compare: str | None = None
    at_construction: tuple[Clause, ...] = ()
    at_call: tuple[Clause, ...] = ()
