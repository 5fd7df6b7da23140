"""Tensor expressions as PyTorch source text.

The palette is chosen for its gradients and for what survives torch.compile, export and vmap; the
spelling is the one a torch user would write: methods, dims by keyword, Python scalars.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import assert_never

from losscodegen.compiler.backends.torch_arithmetic import (
    Arithmetic,
    Binds,
    Text,
    infinite,
    literal,
    number,
)
from losscodegen.compiler.tensor_nodes import (
    Anywhere,
    Apply,
    Arange,
    Conditional,
    Count,
    Diagonal,
    Einsum,
    Expand,
    Extent,
    Eye,
    Fill,
    Float,
    Fused,
    Gather,
    Helped,
    Item,
    Kept,
    Literal,
    Long,
    Lookup,
    Lowest,
    Matmul,
    Missing,
    Moved,
    Name,
    Permute,
    Reduced,
    Roll,
    Running,
    Scatter,
    Slice,
    Special,
    Spread,
    Squeeze,
    Tensor,
    Trail,
    Unbind,
    Unsqueeze,
    Where,
    Word,
)
from losscodegen.ir.nodes import Keeper, Named, Reduction
from losscodegen.ir.ops import OPS

_INFIX = {
    "eq": Binds.COMPARE,
    "ne": Binds.COMPARE,
    "lt": Binds.COMPARE,
    "le": Binds.COMPARE,
    "gt": Binds.COMPARE,
    "ge": Binds.COMPARE,
}


def render(tensor: Tensor) -> str:
    """``tensor`` as one Python expression."""
    return _text(tensor).text


def _text(tensor: Tensor) -> Text:
    match tensor:
        case Literal(value, _, True):
            return Text(str(value), Binds.ATOM if value >= 0 else Binds.UNARY)
        case Literal(value, text):
            return literal(value, text)
        case Word(text):
            return Text(f'"{text}"')
        case Special(name):
            return Text(
                {Named.PI: "math.pi", Named.E: "math.e", Named.OO: "math.inf"}[name]
            )
        case Name(name):
            return Text(name)
        case Extent(argument, dim):
            return Text(f"{argument}.shape[{dim}]")
        case Missing(argument):
            return Text(f"{argument} is None", Binds.COMPARE)
        case Apply(op, args, static):
            return _apply(op, args, static)
        case Where(condition, then, otherwise):
            return _call("torch.where", condition, then, otherwise)
        case Conditional(condition, then, otherwise):
            first = _text(then).at(Binds.OR)
            rest = _text(otherwise).at(Binds.CONDITIONAL)
            return Text(
                f"{first} if {_text(condition).at(Binds.OR)} else {rest}",
                Binds.CONDITIONAL,
            )
        case Reduced():
            return _reduced(tensor)
        case Running(value, dim, backwards):
            turned = f"flip({dim}).cumsum(dim={dim}).flip({dim})"
            return _method(value, turned if backwards else f"cumsum(dim={dim})")
        case Matmul(left, right, _):
            sides = (_text(left).at(Binds.PRODUCT), _text(right).at(Binds.UNARY))
            return Text(" @ ".join(sides), Binds.PRODUCT)
        case Helped(function, operands, dims):
            over = [_dims(dims)] if dims else []
            return Text(f"_{function}({', '.join([*map(render, operands), *over])})")
        case Fused(function, operands, keywords):
            given = [f"{name}={render(value)}" for name, value in keywords]
            parts = [*map(render, operands), 'reduction="none"', *given]
            return Text(f"F.{function}({', '.join(parts)})")
        case Einsum(spec, operands, _):
            return Text(f'torch.einsum("{spec}", {", ".join(map(render, operands))})')
        case Eye(extent, argument):
            size = render(extent)
            return Text(
                f"torch.eye({size}, dtype=torch.bool, device={argument}.device)"
            )
        case Kept(kind, value, dim):
            return _kept(kind, value, dim)
        case Unsqueeze(value, dim):
            return _method(value, f"unsqueeze({dim})")
        case Squeeze(value, dim):
            return _method(value, f"squeeze({dim})")
        case Permute(value, order):
            return _permute(value, order)
        case Moved(value, (source,), (to,)):
            return _method(value, f"movedim({source}, {to})")
        case Moved(value, sources, targets):
            return _method(value, f"movedim({sources}, {targets})")
        case Trail(value, argument, count):
            owner = _text(value).at(Binds.ATOM)
            number = f"({argument}.ndim - {count})" if count else f"{argument}.ndim"
            if isinstance(value, Name):
                return Text(f"{owner}.reshape({owner}.shape + (1,) * {number})")
            return Text(f"{owner}[(..., *(None,) * {number})]")
        case Gather(value, dim, index, broadcast):
            inner = render(index)
            if broadcast:
                return Text(
                    f"torch.take_along_dim({render(value)}, {inner}, dim={dim})"
                )
            return _method(value, f"gather({dim}, {inner})")
        case Lookup(value, indices):
            places = ", ".join(map(render, indices))
            return Text(f"{_text(value).at(Binds.ATOM)}[{places}]")
        case Item(value, dim, entry):
            return _item(value, dim, entry)
        case Slice(value, windows):
            return _slice(value, windows)
        case Roll(value, dim, shift):
            return _method(value, f"roll({-shift}, dims={dim})")
        case Unbind(value, dim):
            return _method(value, f"unbind({dim})")
        case Diagonal(value, first, second):
            return _method(value, f"diagonal(dim1={first}, dim2={second})")
        case Arange(extent, argument):
            return Text(f"torch.arange({render(extent)}, device={argument}.device)")
        case Scatter(value, dim, index, fill):
            return _method(value, f"scatter({dim}, {render(index)}, {render(fill)})")
        case Lowest(value):
            return Text(f"torch.finfo({_text(value).at(Binds.ATOM)}.dtype).min")
        case Anywhere(value, dims):
            return _method(value, f"any({_dims(dims)})")
        case Count(value, dims):
            return _method(value, f"sum({_dims(dims)})")
        case Fill(value, like):
            return Text(f"{like}.new_full((), {render(value)})")
        case Float(value):
            return _method(value, "to(wide)")
        case Long(value):
            return _method(value, "long()")
        case Expand():
            return _expand(tensor)
        case Spread(value, like):
            return _method(value, f"expand_as({render(like)})")
        case _:
            assert_never(tensor)


_ARITHMETIC = Arithmetic(_text)


def method(value: Tensor, call: str) -> str:
    """``value.call``."""
    return _method(value, call).text


def _method(value: Tensor, call: str) -> Text:
    return Text(f"{_text(value).at(Binds.ATOM)}.{call}")


def _call(function: str, *args: Tensor) -> Text:
    return Text(f"{function}({', '.join(render(a) for a in args)})")


def _dims(dims: tuple[int, ...]) -> str:
    return f"dim={dims[0]}" if len(dims) == 1 else f"dim={dims}"


def _item(value: Tensor, dim: int, entry: int | Tensor) -> Text:
    owner = _text(value).at(Binds.ATOM)
    place = entry if isinstance(entry, int) else render(entry)
    if dim == -1:
        return Text(f"{owner}[..., {place}]")
    if dim >= 0:
        return Text(f"{owner}[{':, ' * dim}{place}]")
    return Text(f"{owner}.select({dim}, {place})")


def _slice(value: Tensor, windows: tuple[tuple[int, int, int], ...]) -> Text:
    """Dims are counted from one end in all windows: from the back after a batch."""
    parts = {
        dim: f"{first or ''}:{-last if last else ''}" for dim, first, last in windows
    }
    if min(parts) < 0:
        subscripts = ["...", *(parts.get(d, ":") for d in range(min(parts), 0))]
    else:
        subscripts = [parts.get(d, ":") for d in range(max(parts) + 1)]
    return Text(f"{_text(value).at(Binds.ATOM)}[{', '.join(subscripts)}]")


def _permute(value: Tensor, order: tuple[int, ...]) -> Text:
    if order == (1, 0):
        return Text(f"{_text(value).at(Binds.ATOM)}.T")
    moved = [k for k, dim in enumerate(order) if dim != k and dim >= 0]
    if all(d >= 0 for d in order) and len(moved) == 2:
        return _method(value, f"transpose({moved[0]}, {moved[1]})")
    return _method(value, f"permute({', '.join(map(str, order))})")


def _expand(tensor: Expand) -> Text:
    last = "" if tensor.last is None else tensor.last
    batch = f"*{tensor.argument}.shape[{tensor.first}:{last}]"
    sizes = [batch if size is None else render(size) for size in tensor.sizes]
    return _method(tensor.value, f"expand({', '.join(sizes)})")


# ---------------------------------------------------------------- ops

_MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}
"""The comparison that says the same with its sides exchanged."""


def _apply(op: str, args: tuple[Tensor, ...], static: bool) -> Text:
    match op:
        case "add":
            return _ARITHMETIC.sum(args)
        case "mul":
            return _ARITHMETIC.product(args)
        case "neg":
            return _ARITHMETIC.negative(args[0])
        case "div":
            return _ARITHMETIC.quotient(args[0], args[1])
        case "clamp":
            return _method(args[0], f"clamp({render(args[1])}, {render(args[2])})")
        case "pow":
            return _ARITHMETIC.power(args[0], args[1], static)
        case "and" | "or" if static:
            level = Binds.AND if op == "and" else Binds.OR
            return Text(f" {op} ".join(_text(a).at(level) for a in args), level)
        case "and" | "or":
            level, sign = (Binds.BITAND, "&") if op == "and" else (Binds.BITOR, "|")
            return Text(f" {sign} ".join(_text(a).at(level) for a in args), level)
        case "not":
            sign = "not " if static else "~"
            level = Binds.NOT if static else Binds.UNARY
            return Text(sign + _text(args[0]).at(level), level)
        case _ if op in _INFIX:
            if number(args[0]) and not number(args[1]):
                op, args = _MIRRORED.get(op, op), args[::-1]
            left, right = (_ARITHMETIC.entry(a).at(Binds.BITOR) for a in args)
            return Text(f"{left} {OPS[op].torch} {right}", Binds.COMPARE)
        case "eq" | "ne":
            raise AssertionError(op)
        case _:
            return _named(op, args, static)


def _named(op: str, args: tuple[Tensor, ...], static: bool) -> Text:
    """An op by the spelling in its row."""
    row = OPS[op]
    if static:
        return _static(op, args)
    if op in ("max", "min"):
        return _nested(row.torch, args)
    if op == "clip":
        return _clip(args)
    if op == "square":
        return _method(args[0], "square()")
    if op == "mod":
        return _method(args[0], f"remainder({render(args[1])})")
    if row.order is not None and isinstance(args[0], Literal):
        args = (replace(args[0], whole=True), *args[1:])
    template = row.torch
    if template.startswith("."):
        return Text(_text(args[0]).at(Binds.ATOM) + template.format(*map(render, args)))
    if template.startswith("{0}"):
        return Text(
            template.format(*(_text(a).at(Binds.ATOM) for a in args)), Binds.PRODUCT
        )
    return Text(template.format(*map(render, args)))


def _nested(template: str, args: tuple[Tensor, ...]) -> Text:
    text = render(args[0])
    for arg in args[1:]:
        text = template.format(text, render(arg))
    return Text(text)


def _clip(args: tuple[Tensor, ...]) -> Text:
    """Written out: torch.clamp's own derivative at the ends differs between versions."""
    value, low, high = args
    inner = value
    if not infinite(high):
        inner = Where(Apply("gt", (value, high)), high, inner)
    if not infinite(low):
        inner = Where(Apply("lt", (value, low)), low, inner)
    return _text(inner)


def _static(op: str, args: tuple[Tensor, ...]) -> Text:
    """Python arithmetic on scalars."""
    row = OPS[op]
    if op == "square":
        return _ARITHMETIC.power(args[0], Literal(Fraction(2)), True)
    texts = [render(a) for a in args]
    assert row.python is not None, f"lowering refuses {op} of scalars"
    filled = row.python.format(*texts, args=", ".join(texts))
    return Text(filled)


# ---------------------------------------------------------------- axes

_REDUCTIONS = {
    Reduction.SUM: "sum",
    Reduction.MEAN: "mean",
    Reduction.LOGSUMEXP: "logsumexp",
    Reduction.AMAX: "amax",
    Reduction.AMIN: "amin",
    Reduction.VAR: "var",
}


def _reduced(tensor: Reduced) -> Text:
    keep = ", keepdim=True" if tensor.keepdim else ""
    dims = _dims(tensor.dims)
    match tensor.kind:
        case Reduction.NORM:
            order = "2.0" if tensor.order is None else render(tensor.order)
            value = render(tensor.value)
            return Text(f"torch.linalg.vector_norm({value}, {order}, {dims}{keep})")
        case Reduction.PROD:
            text = _text(tensor.value).at(Binds.ATOM)
            for dim in sorted(tensor.dims, key=lambda d: -d if d >= 0 else d):
                text = f"{text}.prod(dim={dim}{keep})"
            return Text(text)
        case kind:
            return _method(tensor.value, f"{_REDUCTIONS[kind]}({dims}{keep})")


def _kept(kind: Keeper, value: Tensor, dim: int) -> Text:
    match kind:
        case Keeper.SOFTMAX:
            return _method(value, f"softmax(dim={dim})")
        case Keeper.LOG_SOFTMAX:
            return _method(value, f"log_softmax(dim={dim})")
        case Keeper.SOFTMIN:
            return Text(f"F.softmin({render(value)}, dim={dim})")
        case Keeper.NORMALIZE:
            owner = _text(value)
            length = f"torch.linalg.vector_norm({owner.text}, dim={dim}, keepdim=True)"
            return Text(f"{owner.at(Binds.PRODUCT)} / {length}", Binds.PRODUCT)
