"""The generated replacements of torch.nn's losses, by the class that each of them replaces."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from torch import nn

FOLDER = Path(__file__).parents[1] / "generated" / "torch_nn"


@cache
def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"torch_nn_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found  # where pickle looks for a class
    spec.loader.exec_module(found)
    return found


@cache
def replacements() -> dict[type[nn.Module], type[nn.Module]]:
    """``{torch.nn.HuberLoss: HuberLoss, ...}``."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        for name in module(path).__all__:
            if name[0].isupper() and hasattr(nn, name):
                found[getattr(nn, name)] = getattr(module(path), name)
    return found


MAPPING = replacements()
