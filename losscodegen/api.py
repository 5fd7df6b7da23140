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
from losscodegen.ir.loss import Accuracy, Gradient, Loss
from losscodegen.language.parse import load_losses, losses_from_text
from losscodegen.language.spec import spec_text as spec_text_of
from losscodegen.language.write import toml_key, toml_value
from losscodegen.pipeline import check_text, generate, generate_text

if TYPE_CHECKING:
    import sympy

    from losscodegen.judge.certificate import Certificate
    from losscodegen.teach.model import Explanation

_PREFIX = "losscodegen_in_memory"

Mode = TypeVar("Mode", Gradient, Accuracy)


def load(
    path: str | Path, *, gradient: str | None = None, accuracy: str | None = None
) -> LossModule:
    """The module that a spec file describes: its classes and functions as attributes.

    Args:
        path: A spec file, or the name of a bundled one (``"huber"``).
        gradient: ``"auto"``, ``"autograd"`` or ``"symbolic"``, in place of what the spec says.
        accuracy: ``"relative"`` or ``"absolute"``, in place of what the spec says.

    Raises:
        LossCodegenError: if there is no such file, or for every problem in it.
    """
    spec = _spec_file(path)
    source = generate(
        spec,
        gradient=_mode("gradient", gradient, Gradient),
        accuracy=_mode("accuracy", accuracy, Accuracy),
    )
    module = import_text(source.name.removesuffix(".py"), source.text)
    module.__spec_text__, module.__spec_file__ = spec_text_of(spec), spec.name
    return module


def check(spec: str | Path | CompiledLoss, **options: Any) -> Certificates:
    """Judge what a spec compiles to, value and gradient, against interval arithmetic.

    Args:
        spec: A spec file, the name of a bundled one (``"huber"``), or a compiled loss.
        options: ``points``, ``seed``, ``dtypes``, ``strict``, ``accuracy``, ``through``, as the
            command line has them.

    Raises:
        LossCodegenError: if there is no such file, or for every problem in it.
    """
    if isinstance(spec, CompiledLoss):
        return Certificates(
            check_text(spec.spec, spec.source, file="compiled_loss.toml", **options)
        )
    path = _spec_file(spec)
    accuracy = _mode("accuracy", options.get("accuracy"), Accuracy)
    if accuracy is not None:
        options["accuracy"] = accuracy
    text = spec_text_of(path)
    source = generate_text(text, file=path.as_posix(), accuracy=accuracy)
    return Certificates(check_text(text, source.text, file=path.as_posix(), **options))


def explain(spec: str | Path | CompiledLoss) -> Explanation:
    """A loss told step by step: derivatives, what floating point does to it, what each guard saves.

    Args:
        spec: A spec file with one loss, the name of a bundled one, or a compiled loss.

    Raises:
        LossCodegenError: if there is no such file, it has several losses, or for every problem.
    """
    from losscodegen.teach.explain import explain as explained

    if isinstance(spec, CompiledLoss):
        return explained(_only(losses_from_text(spec.spec), "the spec"))
    path = _spec_file(spec)
    return explained(_only(load_losses(path), str(path)))


def _spec_file(path: str | Path) -> Path:
    """A file, or the bundled spec of this name."""
    spec = Path(path)
    if not spec.exists() and spec.suffix == "":
        bundled = resources.specs_directory() / f"{spec}.toml"
        return bundled if bundled.is_file() else spec
    return spec


def _only(losses: Sequence[Loss], where: str) -> Loss:
    if len(losses) != 1:
        names = ", ".join(loss.name for loss in losses)
        raise fail("several-losses", f"{where} has several losses: {names}")
    return losses[0]


def _mode(key: str, word: str | None, modes: type[Mode]) -> Mode | None:
    if word is None:
        return None
    try:
        return modes(word)
    except ValueError:
        words = ", ".join(repr(mode.value) for mode in modes)
        raise fail(key, f"{key} must be one of {words}, got {word!r}") from None


def import_text(name: str, text: str) -> LossModule:
    """A module made of generated source, importable by pickle and readable in tracebacks."""
    package = sys.modules.setdefault(_PREFIX, ModuleType(_PREFIX))
    package.__path__ = []
    qualified = f"{_PREFIX}.{name}"
    module = LossModule(qualified)
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


class LossModule(ModuleType):
    """A module made of a spec: the attributes of the generated one, and a face for notebooks."""

    __spec_text__: str = ""
    __spec_file__: str = ""

    def _losses(self) -> tuple[Loss, ...]:
        return losses_from_text(self.__spec_text__, self.__spec_file__)

    def _repr_html_(self) -> str:
        from losscodegen.teach.notebook import losses_html

        return losses_html(self._losses())

    def _repr_latex_(self) -> str:
        from losscodegen.teach.notebook import losses_latex

        return losses_latex(self._losses())


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CompiledLoss:
    """What `compile_loss` gives: the class, its source, and the judge's word on it."""

    cls: type
    source: str
    spec: str
    certificate: Certificate | None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """An instance of the class."""
        return self.cls(*args, **kwargs)

    def __repr__(self) -> str:
        judged = self.certificate.verdict if self.certificate else "not judged"
        return f"<{self.cls.__name__}, compiled, {judged}>"

    def _repr_html_(self) -> str:
        from losscodegen.teach.notebook import compiled_html

        (loss,) = losses_from_text(self.spec)
        return compiled_html(loss, self.source, self.certificate)

    def _repr_latex_(self) -> str:
        from losscodegen.teach.notebook import losses_latex

        return losses_latex(losses_from_text(self.spec))


class Certificates(tuple["Certificate", ...]):
    """The certificates of the losses of a spec, in its order."""

    __slots__ = ()

    @property
    def passed(self) -> bool:
        """Whether all of them passed."""
        return all(certificate.passed for certificate in self)

    def _repr_html_(self) -> str:
        return "".join(certificate._repr_html_() for certificate in self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        for number, certificate in enumerate(self):
            printer.text("\n\n" * bool(number))
            certificate._repr_pretty_(printer, cycle)


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
    return compile_text(text, verify=verify)


def compile_text(
    text: str,
    *,
    file: str = "compiled_loss.toml",
    gradient: str | None = None,
    accuracy: str | None = None,
    verify: bool = True,
    **options: Any,
) -> CompiledLoss:
    """`compile_loss` for the text of a spec file with one loss.

    Args:
        text: The spec.
        file: What messages and the header of the module call it.
        gradient: ``"auto"``, ``"autograd"`` or ``"symbolic"``, in place of what the spec says.
        accuracy: ``"relative"`` or ``"absolute"``, in place of what the spec says.
        verify: Whether to judge the module; the certificate is None if not.
        options: Of the judge, as for `check`.

    Raises:
        LossCodegenError: with every problem of the spec.
    """
    loss = _only(losses_from_text(text, file), "the spec")
    word = _mode("accuracy", accuracy, Accuracy)
    source = generate_text(
        text, file=file, gradient=_mode("gradient", gradient, Gradient), accuracy=word
    )
    module = import_text(f"compiled_loss_{loss.function}", source.text)
    module.__spec_text__, module.__spec_file__ = text, file
    certificate = None
    if verify:
        judged = {**options, **({} if word is None else {"accuracy": word})}
        (certificate,) = check_text(text, source.text, file=file, **judged)
    return CompiledLoss(
        cls=getattr(module, loss.name),
        source=source.text,
        spec=text,
        certificate=certificate,
    )


def spec_text(name: str, table: Mapping[str, Any]) -> str:
    """A spec file with one loss."""
    lines = [f"[{toml_key(name)}]"]
    lines += [
        f"{toml_key(str(key))} = {toml_value(value)}" for key, value in table.items()
    ]
    return "\n".join(lines) + "\n"
