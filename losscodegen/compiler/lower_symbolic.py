"""From a loss with its derivatives to the tensor programs of forward and backward."""

from __future__ import annotations

from dataclasses import replace

from losscodegen.compiler import lower_switch, tensors
from losscodegen.compiler.builder import Builder
from losscodegen.compiler.layout import BATCH, Layout, axes_of
from losscodegen.compiler.lower import (
    NOTHING,
    prepared,
    requirements,
    result_layout,
    shape_checks,
    weight_of_mean,
)
from losscodegen.compiler.naming import Names
from losscodegen.compiler.program import (
    Assign,
    Branch,
    Derived,
    Factor,
    Program,
    Slope,
    Statement,
)
from losscodegen.compiler.share import drop_unused
from losscodegen.compiler.steps import Stabilized
from losscodegen.compiler.symbolic import Elementwise, Symbolic, differentiated
from losscodegen.compiler.tensor_nodes import Apply, Name, Tensor
from losscodegen.ir.build import add
from losscodegen.ir.loss import ELLIPSIS, Loss, Variable
from losscodegen.ir.nodes import Guard, Index, Read


def lower_symbolic(form: Symbolic, *, without: frozenset[str] = NOTHING) -> Program:
    """The program of a loss that brings its own gradient.

    Raises:
        LossCodegenError: for a construct that has no lowering yet, at its place in the spec.
    """
    loss = form.loss
    whole = loss if form.whole is None else form.whole.loss
    builder = Builder(whole, axes_of(loss), Names(whole), without)
    target = result_layout(loss)
    if form.terms is not None:
        target = _layout_of(form.terms, whole)
    given = dict(form.operands)
    operands: list[Tensor] = []
    for variable in _arguments(form.function.value.loss):
        if variable.name not in given or variable.optional:
            operands.append(Name(variable.arg, variable.scalar))
            continue
        value = builder.value(prepared(given[variable.name], loss, without))
        operands.append(lower_switch.spread(builder, value, target).tensor)
    statements = tuple(builder.statements)
    name = f"_{loss.name.removesuffix('Loss') or loss.name}"
    guards: dict[Guard, None] = {}
    derived = _derived(form.function, name, tuple(operands), guards, without)
    if form.terms is not None:
        derived = replace(derived, result=form.terms.name)
    after: tuple[Statement, ...] = ()
    if form.whole is not None:
        after = _after(whole, builder)
        guards |= builder.printed
    mean = None
    if loss.mean_weight is not None:
        mean = weight_of_mean(loss, builder, result_layout(loss))
    return Program(
        loss=loss,
        checks=shape_checks(loss),
        statements=statements,
        result="loss",
        mean=mean,
        require=requirements(loss, builder),
        guards=tuple(guards),
        derived=derived,
        after=after,
    )


def _layout_of(terms: Read, whole: Loss) -> Layout:
    indices = (i for i in terms.subscripts if isinstance(i, Index))
    axes = whole.variable(terms.name).axes
    return tuple(BATCH if axis == ELLIPSIS else next(indices) for axis in axes)


def _after(whole: Loss, builder: Builder) -> tuple[Statement, ...]:
    """The statements that make the loss of its terms."""
    builder.statements = []
    expression = prepared(whole.expression, whole, builder.without)
    builder.count(expression)
    value = builder.value(expression)
    statements = builder.finish(value, result_layout(whole))
    return drop_unused(statements, {"loss"})


def _derived(
    function: Elementwise,
    name: str,
    operands: tuple[Tensor, ...],
    guards: dict[Guard, None],
    without: frozenset[str],
) -> Derived:
    """The function called ``name``; ``guards`` are added to."""
    inner = function.value.loss
    names = Names(inner)
    builder = Builder(inner, axes_of(inner), names, without)
    expression = prepared(inner.expression, inner, without)
    builder.count(expression)
    value = builder.value(expression)
    forward = drop_unused(builder.finish(value, result_layout(inner)), {"loss"})
    guards |= builder.printed
    names = Names(inner)
    context, grad = names.take("ctx"), names.take("grad")
    builder = Builder(inner, axes_of(inner), names, without)
    shared, slopes = _slopes(function, name, builder, grad, guards)
    guards |= builder.printed
    return Derived(
        name=name,
        arguments=_arguments(inner),
        operands=operands,
        forward=forward,
        shared=shared,
        slopes=slopes,
        grad=grad,
        context=context,
    )


def _arguments(inner: Loss) -> tuple[Variable, ...]:
    """What the function takes: tensors before numbers, and first those that have a derivative."""
    found = sorted(inner.variables, key=lambda v: (v.scalar, not differentiated(v)))
    return tuple(found)


def _slopes(
    function: Elementwise,
    name: str,
    builder: Builder,
    grad: str,
    guards: dict[Guard, None],
) -> tuple[tuple[Statement, ...], tuple[Slope, ...]]:
    """The statements that several derivatives need, and those of each."""
    inner, names = builder.loss, builder.names
    results = [names.take(f"by_{variable.arg}") for variable, _ in function.slopes]
    plain = [
        prepared(slope.loss.expression, inner, builder.without)
        for _, slope in function.slopes
        if isinstance(slope, Stabilized)
    ]
    if plain:
        builder.count(add(*plain))
    expressions = iter(plain)
    slopes: list[Slope] = []
    for (variable, slope), result in zip(function.slopes, results, strict=True):
        if isinstance(slope, Elementwise):
            own = tuple(Name(v.arg, v.scalar) for v in _arguments(inner))
            further = _derived(slope, f"{name}Slope", own, guards, builder.without)
            factor = Factor(name=names.take("slope"), function=further)
            product = Apply("mul", (Name(grad), Name(factor.name)))
            block: tuple[Statement, ...] = (Assign(result, product),)
            slopes.append(Slope(variable, result, block, factor))
            continue
        builder.statements = []
        value = builder.value(next(expressions))
        fresh = tuple(g for g in value.guards if g not in builder.printed)
        builder.printed.update(dict.fromkeys(fresh))
        product = Apply("mul", (Name(grad), value.tensor))
        block = (*builder.statements, Assign(result, product, fresh))
        slopes.append(Slope(variable, result, block))
    shared = _shared([s.statements for s in slopes])
    return shared, tuple(
        replace(s, statements=tuple(x for x in s.statements if x not in shared))
        for s in slopes
    )


def _shared(blocks: list[tuple[Statement, ...]]) -> tuple[Statement, ...]:
    """The statements that another block needs, and what these need, in their order."""
    needed: set[str] = set()
    for position, block in enumerate(blocks):
        own = set().union(*map(_assigned, block))
        others = tuple(b for k, b in enumerate(blocks) if k != position)
        needed |= own & tensors.names_in(others)
    shared: list[Statement] = []
    for statement in reversed([s for block in blocks for s in block]):
        if _assigned(statement) & needed:
            needed |= tensors.names_in(statement)
            shared.append(statement)
    return tuple(reversed(shared))


def _assigned(statement: Statement) -> set[str]:
    match statement:
        case Assign(name):
            return set(name.split(", "))
        case Branch(_, then, otherwise):
            return set().union(*map(_assigned, (*then, *otherwise)))
