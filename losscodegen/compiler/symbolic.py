"""A loss with its derivative as a formula of its own, for backward to evaluate.

Autograd differentiates operations, and what a form of a formula is worth in floating point says
nothing of its derivative. So the derivative of the formula is stabilised like a loss. The value
is then free to take any form: nothing differentiates it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from losscodegen.compiler.branches import Protector
from losscodegen.compiler.differentiate import gradient
from losscodegen.compiler.kinks import CONSTANT_KINDS
from losscodegen.compiler.ranges import Ranges
from losscodegen.compiler.rule import Phase, Rule
from losscodegen.compiler.search.form import FORMS
from losscodegen.compiler.soundness import NONE, Doubts, Soundness
from losscodegen.compiler.stabilize import stabilize
from losscodegen.compiler.steps import Stabilized
from losscodegen.compiler.terms import split
from losscodegen.errors import Location, fail
from losscodegen.ir.loss import ELLIPSIS, Domain, DomainKind, Loss, Role, Variable
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Index,
    Keep,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
)
from losscodegen.ir.walk import (
    free_indices,
    fresh_name,
    inline_loss,
    transform,
    walk,
)
from losscodegen.language.names import quoted

_RESIDUAL = "residual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Elementwise:
    """A function of tensors without subscripts, and its derivatives by some of them.

    A derivative that is a `Stabilized` is differentiated in its turn as it stands.
    """

    value: Stabilized
    slopes: tuple[tuple[Variable, Stabilized | Elementwise], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbolic:
    """A loss, and the elementwise function that it is, or that it is made of.

    The tensors of the function have the dims of the loss, or all those of ``terms``; ``operands``
    are what they stand for, by name. ``whole`` is the loss as a function of the terms.
    """

    loss: Loss
    operands: tuple[tuple[str, Expr], ...]
    function: Elementwise
    whole: Stabilized | None = None
    terms: Read | None = None


Weigh = Callable[[Mapping[str, Expr], str, Expr], None]
"""Is told the operands, the name of one, and the formula of the derivative by it."""


def evaluated(slope: Stabilized | Elementwise) -> Stabilized:
    """A derivative as it is evaluated."""
    return slope.value if isinstance(slope, Elementwise) else slope


def symbolic(
    loss: Loss,
    rules: tuple[Rule, ...],
    *,
    without: frozenset[str] = frozenset(),
    weigh: Weigh | None = None,
) -> Symbolic:
    """``loss`` with the derivative by each input that is differentiated.

    ``weigh`` is told of each first derivative as soon as there is one. What it raises ends the
    work: a derivative that is no good makes all others needless.

    Raises:
        LossCodegenError: if the loss is no elementwise function of its tensors, nor a sum of one.
    """
    loss = inline_loss(loss)
    # Nothing here is differentiated twice by autograd.
    rules = tuple(rule for rule in rules if rule.phase is not Phase.BEND)
    found = split(loss, rules)
    kernel = loss if found is None else found.kernel
    _refuse(kernel)
    inner, operands = _elementwise(kernel)
    wanted = tuple(v for v in inner.variables if differentiated(v))
    told = None if weigh is None else partial(weigh, dict(operands))
    function = _Derivatives(rules, without, wanted).of(inner, 2, told)
    if found is None:
        return Symbolic(loss=loss, operands=operands, function=function)
    return Symbolic(
        loss=loss,
        operands=operands,
        function=function,
        whole=stabilize(found.whole, rules, without=without),
        terms=found.terms,
    )


@dataclass(frozen=True, slots=True)
class _Derivatives:
    rules: tuple[Rule, ...]
    without: frozenset[str]
    wanted: tuple[Variable, ...]

    def of(
        self,
        function: Loss,
        order: int,
        told: Callable[[str, Expr], None] | None = None,
    ) -> Elementwise:
        """``function`` with its derivatives, and those of the derivatives up to ``order``.

        ``told`` is called with the name of each variable and the derivative by it.

        Of several variables only the first derivatives are formulas: there would be the square
        of their number of second ones. Nor is there a second one in which infinities may meet.
        """
        slopes: list[tuple[Variable, Stabilized | Elementwise]] = []
        for variable in self.wanted:
            slope = self.slope(function, variable)
            further = self.further(slope, variable, order - 1)
            # Nobody asks for the digits of a third derivative.
            last = further or self.stable(slope, sloped=order > 1)
            if told is not None:
                told(variable.name, evaluated(last).loss.expression)
            slopes.append((variable, last))
        value = self.value(function)
        return Elementwise(value=value, slopes=tuple(slopes))

    def further(
        self, slope: Loss, variable: Variable, order: int
    ) -> Elementwise | None:
        """The derivative ``slope`` with its own, if that is a formula, too."""
        read = Read(variable.name)
        if order < 1 or len(self.wanted) > 1 or _polynomial(slope.expression, read):
            return None
        curvature = self.value(self.slope(slope, variable), searched=False)
        if self.doubts(curvature.loss).infinities:
            return None
        return self.of(slope, order)

    def slope(self, function: Loss, variable: Variable) -> Loss:
        """The derivative by ``variable``, of the formula as it is or as it is recognised.

        The first of those that may lose digits at the fewest places.
        """
        read = Read(variable.name)
        # Most are the same: recognised or not.
        forms = dict.fromkeys(
            (function.expression, self.recognised(function).expression)
        )
        candidates = [
            replace(function, expression=gradient(form, read)) for form in forms
        ]
        if len(candidates) == 1:
            return candidates[0]
        found = [(c, self.value(c, searched=False).loss) for c in candidates]
        return min(found, key=lambda pair: self.doubts(pair[1]))[0]

    def doubts(self, function: Loss) -> Doubts:
        tame = Protector.of_loss(function, self.rules, []).tame
        return Soundness(tame).doubts(function.expression, Ranges.of_loss(function))

    def recognised(self, function: Loss) -> Loss:
        return stabilize(
            function, self.recognising, differentiated=False, without=FORMS
        ).loss

    @property
    def recognising(self) -> tuple[Rule, ...]:
        return tuple(
            r for r in self.rules if r.phase is Phase.RECOGNISE and not r.sloped
        )

    def stable(
        self,
        function: Loss,
        *,
        differentiated: bool = True,
        sloped: bool = True,
        searched: bool = True,
    ) -> Stabilized:
        return stabilize(
            function,
            self.rules,
            without=self.without if searched else self.without | FORMS,
            differentiated=differentiated,
            sloped=sloped,
        )

    def value(self, function: Loss, *, searched: bool = True) -> Stabilized:
        """``function`` without what is for its gradient, unless that serves the value as well."""
        bare = self.stable(function, differentiated=False, searched=searched)
        doubts = self.doubts(bare.loss)
        if doubts == NONE:
            return bare
        guarded = self.stable(function, sloped=False, searched=searched)
        return guarded if self.doubts(guarded.loss) < doubts else bare


_POLYNOMIAL = frozenset(
    {"add", "mul", "neg", "square", "abs", "sign", "relu", "max", "min", "clip"}
)


def _polynomial(expr: Expr, wrt: Read) -> bool:
    """Whether autograd differentiates ``expr`` piece by piece as exactly as a formula would."""
    match expr:
        case _ if wrt not in walk(expr):
            return True
        case Read():
            return True
        case Select(_, then, otherwise) | Switch(_, then, otherwise):
            return _polynomial(then, wrt) and _polynomial(otherwise, wrt)
        case Call("div", (top, bottom)):
            return wrt not in walk(bottom) and _polynomial(top, wrt)
        case Call(op, args):
            return op in _POLYNOMIAL and all(_polynomial(a, wrt) for a in args)
        case _:
            return False


def differentiated(variable: Variable) -> bool:
    """Whether there is a derivative by ``variable``: not by labels, not by what is given."""
    constant = variable.domain.kind in CONSTANT_KINDS
    return variable.role is not Role.PARAMETER and not constant


# ---------------------------------------------------------------- what is refused


_ELEMENTWISE = "it is only for elementwise formulas and plain sums of them"


def _refuse(loss: Loss) -> None:
    """An error at the first thing in the way of an elementwise function."""
    for node in walk(loss.expression):
        if (what := _obstacle(node, loss)) is not None:
            place = node.origin.location
            raise _refusal(loss, f"{_ELEMENTWISE}, this one has {what}", place)
    for node in walk(transform(loss.expression, _bare)):
        if isinstance(node, Index | Size):
            why = "this one counts along an axis"
            raise _refusal(loss, f"{_ELEMENTWISE}, {why}", node.origin.location)
    for variable in loss.parameters:
        if variable.optional and _dims(loss) != variable.axes:
            why = f"{quoted(variable.name)} may be left out and has other axes"
            raise _refusal(loss, why, variable.location)
    if not any(map(differentiated, loss.variables)):
        raise _refusal(loss, "nothing here is differentiated")


def _dims(loss: Loss) -> tuple[str, ...]:
    axes = [index.axis for index in loss.free]
    if loss.batch is not None:
        axes.insert(loss.batch, ELLIPSIS)
    return tuple(axes)


def _refusal(loss: Loss, why: str, place: Location | None = None) -> Exception:
    return fail(
        "symbolic-gradient",
        f"there is no symbolic gradient: {why}",
        loss.gradient_place or place or loss.location,
        "leave it to autograd: gradient = 'auto'",
    )


def _obstacle(node: Expr, loss: Loss) -> str | None:
    match node:
        case Reduce(Reduction.SUM | Reduction.MEAN):
            return "a sum with a condition, beside another or rewritten with its terms"
        case Reduce(kind) | Keep(kind):
            return f"{quoted(kind.value)} over an axis"
        case Read(name, subscripts):
            picked = any(s not in loss.free for s in subscripts)
            if picked or len(set(subscripts)) < len(subscripts):
                return f"entries picked out of {quoted(name)}"
            return None
        case _:
            return None


# ---------------------------------------------------------------- the elementwise function


def _elementwise(loss: Loss) -> tuple[Loss, tuple[tuple[str, Expr], ...]]:
    """``loss`` as a function of tensors that have its own dims, and what these are in ``loss``."""
    expression = loss.expression
    variables = {v.name: v for v in loss.variables}
    operands: dict[str, Expr] = {
        n.name: n
        for n in walk(expression)
        if isinstance(n, Read) and not variables[n.name].scalar
    }
    for difference in _differences(loss):
        taken = {*variables, *(v.arg for v in variables.values())}
        name = difference.origin.name or _RESIDUAL
        name = fresh_name(name, taken) if name in taken else name
        pair = _reads(difference)
        operands = {n: e for n, e in operands.items() if n not in pair}
        operands = {name: difference, **operands}
        variables = {n: v for n, v in variables.items() if n not in pair}
        variables[name] = Variable(
            name=name,
            arg=name,
            role=Role.INPUT,
            domain=Domain(kind=DomainKind.REAL),
            axes=(ELLIPSIS,),
        )
        read = Read(name, free_indices(difference), origin=difference.origin)
        expression = transform(expression, partial(_swapped, difference, read))
    places = {v.name: place for place, v in enumerate(loss.variables)}
    order = sorted(operands, key=lambda n: min(places[r] for r in _reads(operands[n])))
    tensors = tuple(
        replace(
            variables[n],
            axes=(ELLIPSIS,),
            domain=replace(variables[n].domain, axis=None),
        )
        for n in order
    )
    read_names = {n.name for n in walk(expression) if isinstance(n, Read)}
    scalars = tuple(v for v in loss.parameters if v.scalar and v.name in read_names)
    inner = replace(
        loss,
        expression=transform(expression, _bare),
        inputs=tuple(v for v in tensors if v.role is Role.INPUT),
        parameters=(*(v for v in tensors if v.role is not Role.INPUT), *scalars),
        axes=(),
        indices=(),
        free=(),
        batch=0,
        mean_weight=None,
        require=tuple(r for r in loss.require if _reads(r) <= {*order, *read_names}),
        laws=(),
        interface=None,
        example=None,
    )
    return inner, tuple((n, operands[n]) for n in order)


def _swapped(old: Expr, new: Expr, node: Expr) -> Expr:
    return new if node == old else node


def _bare(node: Expr) -> Expr:
    return replace(node, subscripts=()) if isinstance(node, Read) else node


def _reads(expr: Expr) -> set[str]:
    return {n.name for n in walk(expr) if isinstance(n, Read)}


def _differences(loss: Loss) -> tuple[Expr, ...]:
    """The differences of two inputs that are all that the loss knows of these inputs.

    One derivative then serves both.
    """
    inputs = {v.name: differentiated(v) for v in loss.inputs}
    nodes = tuple(walk(loss.expression))
    reads = Counter(n.name for n in nodes if isinstance(n, Read))
    found = Counter(n for n in nodes if _is_difference(n, inputs))
    return tuple(
        node
        for node, count in found.items()
        if all(reads[name] == count for name in _reads(node))
    )


def _is_difference(node: Expr, inputs: Mapping[str, bool]) -> bool:
    match node:
        case Call("add", (Read(a), Call("neg", (Read(b),)))):
            return a != b and {a, b} <= set(inputs) and (inputs[a] or inputs[b])
        case _:
            return False
