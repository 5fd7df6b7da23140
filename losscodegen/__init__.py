"""Loss functions written as formulas, compiled into numerically stable PyTorch modules.

>>> import losscodegen
>>> huber = losscodegen.load("huber")  # doctest: +SKIP
>>> huber.HuberLoss(delta=2.0)  # doctest: +SKIP
HuberLoss(delta=2.0, reduction='mean')

The names are imported on first use, so that ``import losscodegen`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from losscodegen.api import check, compile_loss, explain, load
    from losscodegen.errors import LossCodegenError

__version__ = "0.1.0"

__all__ = [
    "LossCodegenError",
    "__version__",
    "check",
    "compile_loss",
    "explain",
    "load",
]

_HOMES = {
    "LossCodegenError": "losscodegen.errors",
    "check": "losscodegen.api",
    "compile_loss": "losscodegen.api",
    "explain": "losscodegen.api",
    "load": "losscodegen.api",
    # What `%load_ext losscodegen` calls; nothing else imports IPython.
    "load_ipython_extension": "losscodegen.notebook",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
