"""The Python API: specs become classes in memory, without a file being written."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from losscodegen import resources
from losscodegen.errors import fail
from losscodegen.ir.loss import Accuracy, Gradient
from losscodegen.language.parse import losses_from_text
from losscodegen.language.write import toml_key, toml_value
from losscodegen.pipeline import check_text, generate, generate_text

if TYPE_CHECKING:
    import sympy

    from losscodegen.judge.certificate import Certificate

_PREFIX = "losscodegen_in_memory"

Mode = TypeVar("Mode", Gradient, Accuracy)


def load(
    path: str | Path, *, gradient: str | None = None, accuracy: str | None = None
) -> ModuleType:
    """The module that a spec file describes: its classes and functions as attributes.

    Args:
        path: A spec file, or the name of a bundled one (``"huber"``).
        gradient: ``"auto"``, ``"autograd"`` or ``"symbolic"``, in place of what the spec says.
        accuracy: ``"relative"`` or ``"absolute"``, in place of what the spec says.

    Raises:
        LossCodegenError: if there is no such file, or for every problem in it.
    """
    spec = Path(path)
    if not spec.exists() and spec.suffix == "":
        bundled = resources.specs_directory() / f"{spec}.toml"
        spec = bundled if bundled.is_file() else spec
    source = generate(
        spec,
        gradient=_mode("gradient", gradient, Gradient),
        accuracy=_mode("accuracy", accuracy, Accuracy),
    )
    return import_text(source.name.removesuffix(".py"), source.text)


def _mode(key: str, word: str | None, modes: type[Mode]) -> Mode | None:
    if word is None:
        return None
    try:
        return modes(word)
    except ValueError:
        words = ", ".join(repr(mode.value) for mode in modes)
        raise fail(key, f"{key} must be one of {words}, got {word!r}") from None


def import_text(name: str, text: str) -> ModuleType:
    """A module made of generated source, importable by pickle and readable in tracebacks."""
    package = sys.modules.setdefault(_PREFIX, ModuleType(_PREFIX))
    package.__path__ = []
    qualified = f"{_PREFIX}.{name}"
    module = ModuleType(qualified)
    module.__file__ = f"<{qualified}>"
    linecache.cache[module.__file__] = (
        len(text),
        None,
        text.splitlines(True),
        module.__file__,
    )
    sys.modules[qualified] = module
    exec(
        compile(text, module.__file__, "exec"), module.__dict__
    )  # our own output, no spec text
    setattr(package, name, module)
    return module


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledLoss:
    """What `compile_loss` gives: the class, its source, and the judge's word on it."""

    cls: type
    source: str
    spec: str
    certificate: Certificate | None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """An instance of the class."""
        return self.cls(*args, **kwargs)


def compile_loss(
    loss: str | sympy.Expr,
    inputs: Mapping[str, str | Mapping[str, Any]] | Sequence[sympy.Symbol],
    params: Mapping[Any, Any] | None = None,
    *,
    name: str = "CustomLoss",
    verify: bool = True,
    **keys: Any,
) -> CompiledLoss:
    """Compile a loss given as strings, or as a SymPy expression with its symbols.

    Args:
        loss: The unreduced loss, in the spec language or as a SymPy expression.
        inputs: Declarations by symbol (``{"x": "real[...]"}``), or SymPy symbols.
        params: Declarations by symbol (``{"delta": "positive = 1.0"}``), or defaults by SymPy
            symbol.
        name: The class name, in CamelCase.
        verify: Whether to judge the module; the certificate is None if not.
        keys: Any further key of a spec: ``let``, ``indices``, ``laws``, ``gradient``,
            ``accuracy``, ...

    Raises:
        LossCodegenError: for whatever a spec file would be refused for.
    """
    if isinstance(loss, str):
        if not isinstance(inputs, Mapping):
            raise fail(
                "inputs", f"inputs must map symbols to declarations, got {inputs!r}"
            )
        table = {
            "inputs": dict(inputs),
            "params": dict(params or {}),
            "loss": loss,
            **keys,
        }
        text = spec_text(name, {key: value for key, value in table.items() if value})
    else:
        from losscodegen.language.symbolic import spec_text_from_sympy

        if isinstance(inputs, Mapping):
            raise fail(
                "inputs", "inputs must be SymPy symbols where the loss is SymPy's"
            )
        text = spec_text_from_sympy(loss, inputs, params or {}, name=name)
        if keys:
            text += "".join(
                f"{key} = {toml_value(value)}\n" for key, value in keys.items()
            )
    module = "compiled_loss"
    file = f"{module}.toml"
    source = generate_text(text, file=file)
    (parsed,) = losses_from_text(text, file)
    cls = getattr(import_text(f"{module}_{parsed.function}", source.text), parsed.name)
    certificate = check_text(text, source.text, file=file)[0] if verify else None
    return CompiledLoss(cls=cls, source=source.text, spec=text, certificate=certificate)


def spec_text(name: str, table: Mapping[str, Any]) -> str:
    """A spec file with one loss."""
    lines = [f"[{toml_key(name)}]"]
    lines += [
        f"{toml_key(str(key))} = {toml_value(value)}" for key, value in table.items()
    ]
    return "\n".join(lines) + "\n"
