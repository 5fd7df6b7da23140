"""What an explanation consists of: frozen data that every format is printed from.

Nothing here computes anything. `losscodegen.teach.explain.explain` makes an `Explanation` of a
loss; pages, terminals and JSON are made of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from losscodegen.ir.nodes import Expr

Numbers = float | tuple["Numbers", ...]
"""A number or a tensor, written as nested tuples."""

Inputs = tuple[tuple[str, "Numbers | str | None"], ...]
"""A point: a number, a tensor, a word or nothing by the symbol that formulas have for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A formula in the notations that it is shown in.

    ``text`` is the language of specs, with ``d/dx[...]`` for a derivative that is still to be
    taken; ``plain`` is mathematics on one line of plain text and ``latex`` the same in LaTeX.
    ``expr`` is the expression itself: a derivative still to be taken is a read of a name in
    ``pending``, which says what is to be differentiated.
    """

    text: str
    plain: str
    latex: str
    expr: Expr | None = field(default=None, compare=False, repr=False)
    pending: tuple[tuple[str, Expr], ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """One rule of calculus at one place: ``before = after``, for these very expressions.

    ``rule`` is its name (``chain rule, logarithm``), ``law`` what it says (``(log u)' = u'/u``).
    """

    rule: str
    law: str
    before: Formula
    after: Formula


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivationStep:
    """A line of a derivation: ``before = after``, by the rules in ``applied``.

    ``before`` is the line above, ``after`` this one; the rules each change one part of it.
    """

    rule: str
    before: Formula
    after: Formula
    applied: tuple[Applied, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """The derivative of one thing by one element of one variable, line by line.

    ``of`` is ``loss`` or the name of a definition, ``wrt`` the symbol of the variable and
    ``element`` what is differentiated by (``x[b, j]``). ``left`` is the left side of every line
    (``dL/dx``), ``start`` the derivative still to be taken. ``result`` equals the ``after`` of the
    last step. ``note`` says what holds at kinks, and is empty where there are none.
    """

    of: str
    wrt: str
    element: Formula
    left: Formula
    start: Formula
    steps: tuple[DerivationStep, ...]
    result: Formula
    note: str = ""
    mirrors: str = ""
    """The variable by which the derivative is the very opposite, if there is one before this."""


class Trouble(Enum):
    """What goes wrong in floating point; the value is the word that is printed."""

    NAN = "not a number"
    OVERFLOW = "overflow"
    UNDERFLOW = "underflow"
    CANCELLATION = "cancellation"
    SATURATION = "saturation"
    DEAD_BRANCH = "dead branch"
    ZERO_TIMES_INFINITY = "0 * inf"
    ROUNDING = "rounding"
    SECOND = "second derivative"
    TOGETHER = "with others"
    UNSEEN = "not seen at these inputs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One number as two forms compute it, beside the truth from ball arithmetic.

    ``order`` is ``value`` or ``derivative``, of the sum of all entries by the entry ``wrt``
    (``x``, ``x[0, 2]``). ``naive`` is what the form as typed gives in ``dtype``, ``guarded`` the
    form that replaces it (None where only the first was asked for). ``exact`` is the truth in
    decimal digits, ``true`` the same rounded to the dtype. Bits are those of the ``precision``
    significant ones that are wrong: 0 to ``precision``.
    """

    order: str
    dtype: str
    precision: int
    inputs: Inputs
    exact: str
    true: float
    naive: float
    naive_bits: float
    guarded: float | None = None
    guarded_bits: float | None = None
    wrt: str = ""
    place: int = 0
    """Which entry, in a tensor with the last dim running fastest."""
    defaults: tuple[str, ...] = ()
    """The symbols among ``inputs`` that have their default value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardStory:
    """One guard: what was typed, what goes wrong with it, what stands there instead.

    ``before_code`` and ``after_code`` are what is measured: plain PyTorch over the symbols of the
    loss. ``count`` is how often the rule fired on this very expression.
    """

    rule: str
    trouble: Trouble
    sentence: str
    why: str
    source: str
    before: Formula
    after: Formula
    before_code: str
    after_code: str
    measured: tuple[Measured, ...]
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A symbol of the formula: what it stands for and where it lies."""

    name: str
    latex: str
    argument: str
    role: str
    domain: str
    default: str | None
    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Source text of Python: the formula as typed, or the module that is generated."""

    text: str
    language: str = "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything there is to say about a loss, in the order in which it is said.

    ``measured`` are the worst points of the formula as typed as a whole, one for each order and
    dtype, beside the generated module. ``derivations`` come in the order in which they are needed:
    those of definitions before those of the loss.
    """

    name: str
    title: str
    family: str
    summary: str
    description: str
    reference: str
    symbols: tuple[Symbol, ...]
    definitions: tuple[tuple[Formula, Formula], ...]
    left: Formula
    formula: Formula
    derivations: tuple[Derivation, ...]
    naive: Code
    measured: tuple[Measured, ...]
    guards: tuple[GuardStory, ...]
    generated: Code
    gradient: str
    """How the module differentiates: ``autograd`` or ``symbolic``."""

    def _repr_html_(self) -> str:
        """What notebooks show."""
        from losscodegen.teach.notebook import explanation_html

        return explanation_html(self)

    def _repr_latex_(self) -> str:
        """The formula and its derivatives."""
        from losscodegen.teach.notebook import explanation_latex

        return explanation_latex(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython shows in a terminal: the text of ``losscodegen explain``."""
        from losscodegen.teach.blocks import blocks
        from losscodegen.teach.show import as_text

        printer.text(as_text(blocks(self)).rstrip())


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStory:
    """One row of the rule table, or of the refuted ones, with its witness measured.

    ``refuted`` rules have no guard: ``measured`` is then the counterexample, with the pattern as
    the form that is right and the replacement as the form that is wrong.
    """

    name: str
    refuted: bool
    pattern: Formula
    replacement: Formula
    let: tuple[str, ...]
    condition: str
    unless: str
    phase: str
    purpose: str
    why: str
    source: str
    trouble: Trouble
    measured: tuple[Measured, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeStory:
    """What one error code means: an input that triggers it, the message, and how to mend it."""

    code: str
    meaning: str
    mend: str
    example: str
    message: str
    mended: str = ""
