"""Which argument of code that was not generated is which variable of a spec.

By name where the names agree, else by place, unless the user says otherwise. Nothing is executed
here but ``inspect.signature``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from torch import nn

from losscodegen.errors import Diagnostic, Location, LossCodegenError
from losscodegen.ir.loss import Loss, Variable

_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a module is built and called.

    ``built`` and ``called`` map the symbol of a variable to the argument of the constructor and of
    the call; ``init`` are constructor arguments that stay as they are; ``left`` the symbols of the
    spec that the module does not take. ``reduction`` says that the constructor (or the function)
    has an argument of that name.
    """

    built: Mapping[str, str]
    called: Mapping[str, str]
    init: Mapping[str, Any]
    left: tuple[str, ...]
    reduction: bool

    def argument(self, symbol: str) -> str | None:
        """What the module calls a variable."""
        return self.called.get(symbol) or self.built.get(symbol)


def make_plan(
    target: Callable[..., Any],
    loss: Loss,
    *,
    arguments: Mapping[str, str] | None = None,
    init: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan for ``target``, an `nn.Module` class or a function.

    ``arguments`` maps symbols (or Python names) of the spec to parameters of the target, where the
    names say too little.

    Raises:
        LossCodegenError: if an argument cannot be told; the message shows both signatures.
    """
    return _Planner(target, loss, dict(arguments or {}), dict(init or {})).plan()


class _Planner:
    def __init__(
        self,
        target: Callable[..., Any],
        loss: Loss,
        arguments: dict[str, str],
        init: dict[str, Any],
    ) -> None:
        self.target, self.loss, self.init = target, loss, init
        self.is_class = isinstance(target, type)
        call = calling(target)
        self.call = _parameters(call, skip_self=self.is_class)
        self.own = _parameters(target) if self.is_class else self.call
        self.told = {self.symbol(name): to for name, to in arguments.items()}

    def plan(self) -> Plan:
        taken = set(self.told.values()) | set(self.init)
        for key in self.init:
            if not self.accepts(self.own, key):
                self.fail(f"--init sets {key}, which it does not take")
        called = self.inputs(taken)
        taken |= set(called.values())
        built: dict[str, str] = {}
        left: list[str] = []
        for variable in self.loss.parameters:
            name: str | None = self.told.get(variable.name) or self.agreeing(
                variable, {**self.own, **self.call}, taken - set(self.init)
            )
            if name is None:
                left.append(variable.name)
            elif self.accepts(self.own, name) and self.is_class:
                built[variable.name] = name
            elif self.accepts(self.call, name):
                called[variable.name] = name
            else:
                self.fail(f"--args maps {variable.name} to {name}, which it has not")
        known = set(built.values()) | set(called.values()) | set(self.init)
        for needed, parameter in {**self.own, **self.call}.items():
            if _required(parameter) and needed not in known | {"reduction"}:
                self.fail(
                    f"its argument {needed} is no variable of the spec and has no default",
                    hint=f"set it with --init {needed}=..., or map it with --args SYMBOL={needed}",
                )
        return Plan(
            built=built,
            called=called,
            init=self.init,
            left=tuple(left),
            reduction="reduction" in self.own and "reduction" not in self.init,
        )

    def inputs(self, taken: set[str]) -> dict[str, str]:
        """The inputs of the loss, by name where possible, the others by place."""
        found: dict[str, str] = {}
        for variable in self.loss.inputs:
            name = self.told.get(variable.name)
            if name is not None and not self.accepts(self.call, name):
                self.fail(f"--args maps {variable.name} to {name}, which it has not")
            name = name or self.agreeing(variable, self.call, taken)
            if name is not None:
                found[variable.name] = name
                taken = taken | {name}
        missing = [v for v in self.loss.inputs if v.name not in found]
        names = {v.arg for v in self.loss.parameters} | {
            v.name for v in self.loss.parameters
        }
        free = [
            name
            for name, p in self.call.items()
            if p.kind in _POSITIONAL and name not in taken
        ]
        free = [n for n in free if _required(self.call[n])] + [
            n for n in free if not _required(self.call[n]) and n not in names
        ]
        needed = [v for v in missing if not v.optional]
        if len(free) < len(needed):
            lacking = ", ".join(v.name for v in needed[len(free) :])
            self.fail(f"it takes no argument for {lacking}")
        found.update(
            zip(
                (v.name for v in (needed if len(free) < len(missing) else missing)),
                free,
                strict=False,
            )
        )
        return found

    def agreeing(
        self,
        variable: Variable,
        among: Mapping[str, inspect.Parameter],
        taken: set[str],
    ) -> str | None:
        for name in (variable.arg, variable.name):
            if name in among and name not in taken:
                return name
        return None

    @staticmethod
    def accepts(among: Mapping[str, inspect.Parameter], name: str) -> bool:
        return name in among or any(
            p.kind is inspect.Parameter.VAR_KEYWORD for p in among.values()
        )

    def symbol(self, name: str) -> str:
        for variable in self.loss.variables:
            if name in (variable.name, variable.arg):
                return variable.name
        known = ", ".join(v.name for v in self.loss.variables)
        self.fail(
            f"--args names {name}, which is no variable of the spec",
            hint=f"it has {known}",
        )

    def fail(self, problem: str, hint: str | None = None) -> NoReturn:
        spec = ", ".join(v.name for v in self.loss.inputs)
        further = ", ".join(v.name for v in self.loss.parameters)
        message = (
            f"{problem}\n  spec:   {self.loss.name}({spec}{'; ' + further if further else ''})"
            f"\n  module: {signature_text(self.target)}"
        )
        raise LossCodegenError(
            Diagnostic(
                "cannot-map-arguments",
                message,
                location(self.target),
                hint or "map them: --args x=input,y=target (spec name = argument)",
            )
        )


def calling(target: Callable[..., Any]) -> Callable[..., Any]:
    """What takes the inputs: of a class ``forward``, or ``__call__`` where it has none."""
    if not isinstance(target, type):
        return target
    for name in ("forward", "__call__"):
        for base in target.__mro__:
            if name in vars(base):
                method: Callable[..., Any] = vars(base)[name]
                return method
    raise TypeError(f"instances of {target.__qualname__} cannot be called")


def signature_text(target: Callable[..., Any]) -> str:
    """The name and the arguments, of a class those of its constructor and its call."""
    name = getattr(target, "__qualname__", str(target))
    text = f"{name}{inspect.signature(target)}"
    if isinstance(target, type) and issubclass(target, nn.Module):
        text += f".forward{inspect.signature(target.forward)}"
    return text


def location(target: Callable[..., Any]) -> Location | None:
    """Where the target is defined."""
    try:
        lines, number = inspect.getsourcelines(target)
        file = inspect.getsourcefile(target)
    except (OSError, TypeError):
        return None
    text = lines[0].rstrip("\n")
    start = len(text) - len(text.lstrip())
    return Location(file or "?", number, start + 1, len(text) + 1, text)


def _parameters(
    function: Callable[..., Any], *, skip_self: bool = False
) -> dict[str, inspect.Parameter]:
    found: Sequence[inspect.Parameter] = list(
        inspect.signature(function).parameters.values()
    )
    return {p.name: p for p in (found[1:] if skip_self else found)}


def _required(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty and parameter.kind not in (
        inspect.Parameter.VAR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    )
