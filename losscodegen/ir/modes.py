"""Words by which a spec says how it is compiled; the command line offers them without the rest."""

from __future__ import annotations

from enum import Enum


class Gradient(Enum):
    """What backward does; the value is the word of the language."""

    AUTO = "auto"
    """Whichever of the others is better, as far as the op table knows."""
    AUTOGRAD = "autograd"
    """Differentiates the operations that computed the loss."""
    SYMBOLIC = "symbolic"
    """Evaluates the derivative of the formula, stabilised like a formula of its own."""


class Accuracy(Enum):
    """What errors are measured beside; the value is the word of the language."""

    RELATIVE = "relative"
    """The result itself: small results keep their digits."""
    ABSOLUTE = "absolute"
    """What results usually are: digits that small ones lose beside them are not paid for. Nor are
    numbers that are neither 0 nor, in magnitude, between 1/ORDINARY and ORDINARY of `loss`."""
