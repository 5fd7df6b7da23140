"""The tensor expressions that lowering makes and a backend turns into text.

Axes are gone: what is left are dims, counted from the front where
they stand before ``...`` and from the back (negative) where they stand after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from losscodegen.ir.nodes import Keeper, Named, Reduction


@dataclass(frozen=True, slots=True)
class Literal:
    """A number; ``text`` is how the spec wrote it, ``whole`` keeps an integer tensor integer."""

    value: Fraction
    text: str | None = field(default=None, compare=False)
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """A word that a choice may be."""

    text: str


@dataclass(frozen=True, slots=True)
class Special:
    """pi, e or infinity."""

    name: Named


@dataclass(frozen=True, slots=True)
class Name:
    """An argument of the function or an earlier statement. ``static``: a Python scalar."""

    name: str
    static: bool = False


@dataclass(frozen=True, slots=True)
class Extent:
    """The size of a dim of an argument: a Python int."""

    argument: str
    dim: int


@dataclass(frozen=True, slots=True)
class Apply:
    """An op of the op table on tensors, or on Python scalars alone if ``static``."""

    op: str
    args: tuple[Tensor, ...]
    static: bool = False


@dataclass(frozen=True, slots=True)
class Where:
    """Elementwise choice."""

    condition: Tensor
    then: Tensor
    otherwise: Tensor


@dataclass(frozen=True, slots=True)
class Conditional:
    """A choice made in Python; only the chosen side is computed."""

    condition: Tensor
    then: Tensor
    otherwise: Tensor


@dataclass(frozen=True, slots=True)
class Missing:
    """Whether an optional argument is None: a Python bool."""

    argument: str


@dataclass(frozen=True, slots=True)
class Reduced:
    """A reduction over dims. ``order`` is the p of a norm."""

    kind: Reduction
    value: Tensor
    dims: tuple[int, ...]
    keepdim: bool = False
    order: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """The sums of all entries along ``dim`` up to each; from each to the end ``backwards``."""

    value: Tensor
    dim: int
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Matmul:
    """The product of two matrices, on the device of an argument."""

    left: Tensor
    right: Tensor
    argument: str


@dataclass(frozen=True, slots=True)
class Helped:
    """A function of tensors that a module defines where it uses it; over ``dims`` if it reduces."""

    function: str
    operands: tuple[Tensor, ...]
    dims: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Fused:
    """A loss of two tensors by a function of ``torch.nn.functional``, with keywords."""

    function: str
    operands: tuple[Tensor, ...]
    keywords: tuple[tuple[str, Tensor], ...] = ()


@dataclass(frozen=True, slots=True)
class Einsum:
    """Products summed over the letters that the right side of ``spec`` lacks; on the device of an
    argument."""

    spec: str
    operands: tuple[Tensor, ...]
    argument: str


@dataclass(frozen=True, slots=True)
class Eye:
    """Where a square matrix has its diagonal, on the device of an argument."""

    extent: Tensor
    argument: str


@dataclass(frozen=True, slots=True)
class Kept:
    """softmax and the like along a dim."""

    kind: Keeper
    value: Tensor
    dim: int


@dataclass(frozen=True, slots=True)
class Unsqueeze:
    value: Tensor
    dim: int


@dataclass(frozen=True, slots=True)
class Squeeze:
    value: Tensor
    dim: int


@dataclass(frozen=True, slots=True)
class Permute:
    """All dims reordered."""

    value: Tensor
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """Dims moved to other places; the rest, any number of them, keep their order."""

    value: Tensor
    sources: tuple[int, ...]
    targets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """As many further dims of size 1 at the end as ``argument`` has beyond ``count`` dims."""

    value: Tensor
    argument: str
    count: int


@dataclass(frozen=True, slots=True)
class Gather:
    """Entries of ``value`` along ``dim`` at an integer tensor with as many dims."""

    value: Tensor
    dim: int
    index: Tensor
    broadcast: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """``value[i, j]``: the entries at integer tensors of one shape, for the first dims."""

    value: Tensor
    indices: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One entry along ``dim``, which disappears; fixed, or at a Python number."""

    value: Tensor
    dim: int
    entry: int | Tensor


@dataclass(frozen=True, slots=True)
class Slice:
    """All but the first and last entries along some dims: ``(dim, first, last)`` for each."""

    value: Tensor
    windows: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Roll:
    """Entry ``k + shift`` of a dim in place of entry ``k``, beyond the end from the front again."""

    value: Tensor
    dim: int
    shift: int


@dataclass(frozen=True, slots=True)
class Unbind:
    """All entries along ``dim``; its statement assigns one name to each."""

    value: Tensor
    dim: int


@dataclass(frozen=True, slots=True)
class Diagonal:
    """The diagonal of two dims, moved to the end."""

    value: Tensor
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Arange:
    """0, 1, ... up to an extent, on the device of an argument."""

    extent: Tensor
    argument: str


@dataclass(frozen=True, slots=True)
class Scatter:
    """``value`` with the entries along ``dim`` at ``index`` replaced by a scalar."""

    value: Tensor
    dim: int
    index: Tensor
    fill: Tensor


@dataclass(frozen=True, slots=True)
class Lowest:
    """The lowest finite number of the dtype of ``value``."""

    value: Tensor


@dataclass(frozen=True, slots=True)
class Anywhere:
    """Whether a condition holds for any entry along dims."""

    value: Tensor
    dims: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """For how many entries along dims a condition holds."""

    value: Tensor
    dims: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fill:
    """A 0-dim tensor holding a Python scalar, of the dtype and device of ``like``."""

    value: Tensor
    like: str


@dataclass(frozen=True, slots=True)
class Float:
    """An integer or truth-valued tensor in the floating dtype that the loss is computed in."""

    value: Tensor


@dataclass(frozen=True, slots=True)
class Long:
    """A tensor of whole numbers as integers, to pick entries with."""

    value: Tensor


@dataclass(frozen=True, slots=True)
class Spread:
    """``value`` broadcast to the shape of ``like``."""

    value: Tensor
    like: Tensor


@dataclass(frozen=True, slots=True)
class Expand:
    """``value`` broadcast to ``sizes``; None stands for the dims of the batch, which are those of
    ``argument`` from ``first`` up to ``last`` (None: the end)."""

    value: Tensor
    sizes: tuple[Tensor | None, ...]
    argument: str | None = None
    first: int = 0
    last: int | None = None


Tensor = (
    Literal
    | Word
    | Special
    | Name
    | Extent
    | Apply
    | Where
    | Conditional
    | Missing
    | Reduced
    | Running
    | Matmul
    | Helped
    | Fused
    | Einsum
    | Eye
    | Kept
    | Unsqueeze
    | Squeeze
    | Moved
    | Permute
    | Trail
    | Gather
    | Lookup
    | Item
    | Slice
    | Roll
    | Unbind
    | Diagonal
    | Arange
    | Scatter
    | Lowest
    | Anywhere
    | Count
    | Fill
    | Float
    | Long
    | Spread
    | Expand
)
