"""The compiler on one screen.

| stage     | in -> out                              |
| --------- | -------------------------------------- |
| read      | TOML file -> strings with locations    |
| parse     | strings -> `Loss`, typed expressions   |
| stabilize | `Loss` -> `Stabilized`, with its steps |
| lower     | `Stabilized` -> `Program`, tensors     |
| emit      | `Program` -> `SourceFile`, text        |
| verify    | spec and text -> `Certificate`         |

Each stage is a pure function; none knows a particular loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from losscodegen import __version__
from losscodegen.compiler.choice import Settled, settled_gradient
from losscodegen.compiler.emit import SourceFile, emit, package
from losscodegen.compiler.lower import NOTHING, lower
from losscodegen.compiler.lower_symbolic import lower_symbolic
from losscodegen.compiler.program import (
    Program,
)
from losscodegen.compiler.rules import RULES
from losscodegen.compiler.stabilize import stabilize
from losscodegen.compiler.steps import Stabilized
from losscodegen.compiler.symbolic import symbolic
from losscodegen.ir.loss import Accuracy, Gradient, Loss
from losscodegen.language.parse import parse
from losscodegen.language.spec import read_spec, read_spec_text
from losscodegen.resources import origin

if TYPE_CHECKING:
    from losscodegen.judge.certificate import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A loss on its way: as written, as stabilised, as lowered.

    It is ``open`` while a symbolic gradient that may be better was not tried.
    """

    loss: Loss
    stabilized: Stabilized
    program: Program
    open: bool = False


def compile_expressions(
    loss: Loss, *, without: frozenset[str] = NOTHING, hurried: bool = False
) -> Compiled:
    """``loss`` through the middle of the compiler; ``without`` names rules and guards left out.

    In a hurry the gradient is left to autograd where to choose would take long; what is then
    ``open`` is for `finished`.
    """
    return _through(loss, settled_gradient(loss, hurried=hurried), without)


def finished(compiled: Compiled) -> Compiled:
    """What was compiled in a hurry, with the gradient chosen."""
    if not compiled.open:
        return compiled
    loss, stable = compiled.loss, compiled.stabilized
    settled = settled_gradient(loss, stable=stable)
    if settled.gradient is Gradient.AUTOGRAD:
        return replace(compiled, open=False)
    return _through(loss, settled, NOTHING)


def _through(loss: Loss, settled: Settled, without: frozenset[str]) -> Compiled:
    rules = tuple(rule for rule in RULES if rule.name not in without)
    if settled.gradient is Gradient.SYMBOLIC:
        form = None if without else settled.form
        form = form or symbolic(loss, rules, without=without)
        program = lower_symbolic(form, without=without)
        return Compiled(loss=loss, stabilized=form.function.value, program=program)
    stable = settled.stable
    if stable is None or without:
        stable = stabilize(loss, rules, without=without)
    return Compiled(
        loss=loss,
        stabilized=stable,
        program=lower(stable, without=without),
        open=settled.open,
    )


def compile_losses(
    losses: Sequence[Loss],
    *,
    origin: str,
    gradient: Gradient | None = None,
    accuracy: Accuracy | None = None,
    without: frozenset[str] = NOTHING,
) -> SourceFile:
    """The module of all losses of one spec file.

    ``origin`` is its path for the header; ``gradient`` and ``accuracy`` override what the losses
    say.
    """
    if gradient is not None:
        losses = [replace(o, gradient=gradient, gradient_place=None) for o in losses]
    losses = _as_accurate(losses, accuracy)
    given = {"gradient": gradient, "accuracy": accuracy}
    return source_of(
        [compile_expressions(loss, without=without) for loss in losses],
        origin=origin,
        options="".join(f" --{k} {mode.value}" for k, mode in given.items() if mode),
    )


def source_of(
    compiled: Sequence[Compiled], *, origin: str, options: str = ""
) -> SourceFile:
    """The module of losses that are compiled already; ``options`` are for its header."""
    return emit(
        tuple((c.loss, c.program) for c in compiled),
        module=compiled[0].loss.module,
        origin=origin,
        version=__version__,
        options=options,
    )


def _as_accurate(losses: Sequence[Loss], accuracy: Accuracy | None) -> tuple[Loss, ...]:
    """``losses`` with another ``accuracy``, if there is one."""
    if accuracy is None:
        return tuple(losses)
    return tuple(replace(loss, accuracy=accuracy) for loss in losses)


def generate(
    path: Path,
    *,
    gradient: Gradient | None = None,
    accuracy: Accuracy | None = None,
    without: frozenset[str] = NOTHING,
) -> SourceFile:
    """The module that the spec file at ``path`` describes.

    ``gradient`` and ``accuracy`` override what its losses say.

    Raises:
        LossCodegenError: with every problem of the file.
    """
    losses = parse(read_spec(path))
    return compile_losses(
        losses,
        origin=origin(path),
        gradient=gradient,
        accuracy=accuracy,
        without=without,
    )


def generate_package(folder: str, modules: Mapping[str, str]) -> SourceFile:
    """The ``__init__.py`` of a folder of modules, given by name as texts.

    ``folder`` is where their specs are, inside the folder of all specs.
    """
    return package(modules, folder=f"specs/{folder}", version=__version__)


def generate_text(
    text: str,
    *,
    file: str,
    gradient: Gradient | None = None,
    accuracy: Accuracy | None = None,
) -> SourceFile:
    """`generate` for the text of a spec file."""
    losses = parse(read_spec_text(text, file))
    return compile_losses(
        losses, origin=origin(Path(file)), gradient=gradient, accuracy=accuracy
    )


def check(path: Path, source: str, **options: Any) -> tuple[Certificate, ...]:
    """Judge the text of a generated module against its spec, one certificate per loss.

    A wrong NaN, infinity or zero fails it, and so do lost digits; those that a small result loses
    to the rounding of larger ones are listed, and fail it only if it is judged ``strict``. They are
    neither where the spec, or ``accuracy`` in its place, asks for no more than absolute accuracy.
    With ``through``, names from `losscodegen.survival.ways`, it is run in these ways, too.
    """
    return _verify(parse(read_spec(path)), source, options)


def check_text(
    spec: str, source: str, *, file: str, **options: Any
) -> tuple[Certificate, ...]:
    """`check` for the text of a spec file."""
    return _verify(parse(read_spec_text(spec, file)), source, options)


def _verify(
    losses: tuple[Loss, ...], source: str, options: dict[str, Any]
) -> tuple[Certificate, ...]:
    from losscodegen.judge.certificate import Severity
    from losscodegen.judge.check import verify
    from losscodegen.judge.criterion import Limits
    from losscodegen.survival.run import survive
    from losscodegen.survival.ways import named

    strict = options.pop("strict", False)
    losses = _as_accurate(losses, options.pop("accuracy", None))
    limits = Limits(cancellation=Severity.FAILURE if strict else Severity.LOOSE)
    ways = named(options.pop("through", ()))
    certificates = (verify(loss, source, limits=limits, **options) for loss in losses)
    if not ways:
        return tuple(certificates)
    run = partial(survive, ways=ways, seed=options.get("seed", 0), limits=limits)
    return tuple(
        replace(certificate, survival=run(loss, source))
        for loss, certificate in zip(losses, certificates, strict=True)
    )
