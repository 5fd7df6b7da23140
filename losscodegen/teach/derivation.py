"""A derivative line by line, as a textbook takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from losscodegen.compiler.conditions import both
from losscodegen.compiler.differentiate import gradient, instantiate
from losscodegen.compiler.latex import reached, wanted_element, without_shadows
from losscodegen.compiler.tidy import (
    chosen,
    negative,
    product,
    quotient,
    raised,
    summed,
    switched,
    total,
)
from losscodegen.compiler.unfold import fold, residual, unshadowed
from losscodegen.ir.build import ONE, ZERO, call
from losscodegen.ir.loss import Definition, Loss, Variable
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Named,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Switch,
    Use,
)
from losscodegen.ir.ops import OPS
from losscodegen.ir.walk import (
    children,
    free_indices,
    inline,
    rebuild,
    rename_bound,
    transform,
    walk,
)
from losscodegen.judge.oracle import differentiable
from losscodegen.language.formula import parse_formula
from losscodegen.teach.calculus import renamed_ratio, step
from losscodegen.teach.formulas import MARK, Writer, slope_symbol
from losscodegen.teach.model import Applied, Derivation, DerivationStep, Formula


@dataclass(frozen=True, slots=True)
class Shown:
    """A loss as it is explained: only those definitions that have a line of their own."""

    loss: Loss
    folded: tuple[Definition, ...]
    """Definitions that read the same everywhere: their derivatives are taken by themselves."""

    @classmethod
    def of(cls, loss: Loss) -> Shown:
        """``loss`` with the definitions in place that mean other things at other places."""
        uses = [
            n
            for e in (loss.expression, *(d.body for d in loss.definitions))
            for n in walk(e)
            if isinstance(n, Use)
        ]
        kept: list[Definition] = []
        gone: list[Definition] = []
        for definition in loss.definitions:
            mine = [u for u in uses if u.name == definition.name]
            apart = set(definition.indices) <= set(loss.free) and all(
                u.subscripts == definition.indices for u in mine
            )
            body = inline(definition.body, tuple(gone))
            simple = not apart or sum(1 for _ in walk(body)) == 1
            (gone if simple else kept).append(replace(definition, body=body))
        expression = inline(loss.expression, tuple(gone))
        needed = reached(expression, kept)
        shown = replace(
            loss,
            expression=expression,
            definitions=tuple(d for d in kept if d.name in needed),
        )
        shown = without_shadows(residual(shown))
        return cls(shown, shown.definitions)


def differentiated(loss: Loss) -> tuple[Variable, ...]:
    """The variables that the loss is differentiated by: continuous ones that it reads."""
    read = {
        n.name
        for e in (loss.expression, *(d.body for d in loss.definitions))
        for n in walk(e)
        if isinstance(n, Read)
    }
    return tuple(v for v in loss.variables if differentiable(v) and v.name in read)


def derivations(loss: Loss, wrt: Variable) -> tuple[Derivation, ...]:
    """The derivative of ``loss`` by an element of ``wrt``, those of its definitions first."""
    shown = Shown.of(loss)
    plain = inline(shown.loss.expression, shown.loss.definitions)
    element = wanted_element(wrt, loss, plain)
    work = _Work(shown, element)
    found: list[Derivation] = []
    others = tuple(d for d in shown.loss.definitions if d not in shown.folded)
    for definition in shown.folded:
        body = inline(definition.body, others)
        if any(
            isinstance(n, Read) and n.name == wrt.name for n in walk(work.full(body))
        ):
            derivation = work.derive(definition.name, body, definition.indices)
            assert derivation.result.expr is not None
            work.known[definition.name] = derivation.result.expr
            found.append(derivation)
    found.append(
        work.derive("loss", inline(shown.loss.expression, others), shown.loss.free)
    )
    needed = {
        n.name
        for d in found
        for s in d.steps
        for f in (s.before, *(a.before for a in s.applied))
        for e in (f.expr, *(p for _, p in f.pending))
        if e is not None
        for n in walk(e)
        if isinstance(n, Use)
    }
    return tuple(d for d in found if d.of == "loss" or d.of in needed)


_TOO_LARGE = 48
"""Nodes of a last line from which on derivatives of definitions stay as symbols."""


@dataclass(slots=True)
class _Work:
    shown: Shown
    wrt: Read
    known: dict[str, Expr] = field(default_factory=dict)
    """The derivatives of definitions."""
    marks: dict[str, Expr] = field(default_factory=dict)
    names: dict[Expr, str] = field(default_factory=dict)

    @property
    def writer(self) -> Writer:
        return replace(Writer.of(self.shown.loss), wrt=self.wrt)

    def full(self, expr: Expr) -> Expr:
        return inline(expr, self.shown.loss.definitions)

    def depends(self, expr: Expr) -> bool:
        return any(
            (isinstance(n, Read) and n.name == self.wrt.name)
            or (
                isinstance(n, Use)
                and n.name in self.known
                and self.known[n.name] != ZERO
            )
            for n in walk(expr)
        )

    # ------------------------------------------------------------------ lines

    def derive(self, of: str, body: Expr, free: tuple[Index, ...]) -> Derivation:
        taken = {i.name for s in self.wrt.subscripts for i in free_indices(s)}
        body = rename_bound(body, taken)
        self.marks, self.names = {}, {}
        line = start = self.mark(body)
        steps: list[DerivationStep] = []
        while True:
            open_ = [m for m in self.open(line) if not isinstance(self.marks[m], Use)]
            if not open_:
                break
            rules = {m: step(self.marks[m], self.ask) for m in open_}
            after = self.replaced(line, {m: r.after for m, r in rules.items()})
            applied = tuple(
                Applied(
                    rule=rule.name,
                    law=rule.law,
                    before=self.formula(Read(m, free_indices(self.marks[m]))),
                    after=self.formula(rule.after),
                )
                for m, rule in rules.items()
            )
            name = "; ".join(dict.fromkeys(a.rule for a in applied))
            line = self.line(steps, name, line, after, applied)
        line = self.inserted(steps, line)
        line = self.settled(steps, line, body)
        element = self.formula(self.wrt)
        return Derivation(
            of=of,
            wrt=self.wrt.name,
            element=element,
            left=slope_symbol(of, self.writer, self.wrt, free),
            start=self.formula(start),
            steps=tuple(steps),
            result=self.formula(line),
            note=kinks(body, self.depends, self.writer),
        )

    def line(
        self,
        steps: list[DerivationStep],
        rule: str,
        before: Expr,
        after: Expr,
        applied: tuple[Applied, ...] = (),
    ) -> Expr:
        """``after``, noted as the next line unless it is the same."""
        if after != before:
            pair = (self.formula(before), self.formula(after))
            steps.append(
                DerivationStep(
                    rule=rule, before=pair[0], after=pair[1], applied=applied
                )
            )
        return after

    def inserted(self, steps: list[DerivationStep], line: Expr) -> Expr:
        """``line`` with the derivatives of definitions in place of their symbols."""
        new = {}
        for mark in self.open(line):
            use = self.marks[mark]
            assert isinstance(use, Use)
            known = self.known[use.name]
            # What a derivation leaves open is marked by numbers of its own.
            if not any(
                isinstance(n, Read) and n.name.startswith(MARK) for n in walk(known)
            ):
                new[mark] = known
        if not new:
            return line
        names = ", ".join(
            self.formula(Read(m, free_indices(self.marks[m]))).plain for m in new
        )
        after = self.replaced(line, new)
        if _size(after) > _TOO_LARGE:
            return line
        return self.line(steps, f"insert {names}", line, after)

    def settled(self, steps: list[DerivationStep], line: Expr, body: Expr) -> Expr:
        """The last line: deltas summed away, terms collected, quotients by their names."""
        if any(True for _ in self.open(line)):
            return line
        whole = gradient(self.full(body), self.wrt)
        outside = (*self.shown.loss.free, *free_indices(self.wrt))
        final = unshadowed(fold(whole, self.shown.loss.definitions), outside)
        deltas = any(isinstance(n, Call) and n.op == "delta" for n in walk(line))
        if deltas:
            line = self.line(steps, "a Kronecker delta keeps one term", line, final)
        elif _size(final) < _size(line):
            line = self.line(steps, "simplify", line, final)
        return self.line(
            steps, "sinh u/cosh u = tanh u", line, transform(line, renamed_ratio)
        )

    def formula(self, expr: Expr) -> Formula:
        return self.writer.formula(expr, self.marks)

    # ------------------------------------------------------------------ marks

    def ask(self, expr: Expr) -> Expr:
        """The derivative of a part: settled if it is simple, a mark if not."""
        if not self.depends(expr):
            return ZERO
        match expr:
            case Read(name, subscripts) if name == self.wrt.name:
                pairs = zip(subscripts, self.wrt.subscripts, strict=True)
                condition = both(*(call("eq", a, b) for a, b in pairs))
                if isinstance(condition, bool):
                    return ONE if condition else ZERO
                parts = (
                    condition.args
                    if isinstance(condition, Call) and condition.op == "and"
                    else (condition,)
                )
                return product(*(Call("delta", children(p)) for p in parts))
            case Call("neg", (inner,)):
                return negative(self.ask(inner))
            case Call("detach"):
                return ZERO
            case Call("add", args) if self.linear(args):
                return step(expr, self.ask).after
            case Call("mul", args) if self.linear(args) and (
                sum(map(self.depends, args)) == 1
            ):
                return step(expr, self.ask).after
            case Use(name) if isinstance(self.known.get(name), Number):
                return self.known[name]
            case _:
                return self.mark(expr)

    def linear(self, args: tuple[Expr, ...]) -> bool:
        """Whether only symbols depend on what is differentiated by: nothing is left to explain."""
        moving = [a for a in args if self.depends(a)]
        return all(
            isinstance(
                a.args[0] if isinstance(a, Call) and a.op == "neg" else a, Read | Use
            )
            for a in moving
        )

    def mark(self, expr: Expr) -> Expr:
        name = self.names.setdefault(expr, f"{MARK}{len(self.names) + 1}")
        self.marks[name] = expr
        return Read(name, free_indices(expr))

    def open(self, line: Expr) -> Iterator[str]:
        """The marks in a line, in order."""
        names = (n.name for n in walk(line) if isinstance(n, Read))
        return iter(dict.fromkeys(n for n in names if n in self.marks))

    def replaced(self, line: Expr, new: dict[str, Expr]) -> Expr:
        """``line`` with marks replaced, tidied wherever that changes anything."""

        def build(node: Expr) -> Expr:
            if isinstance(node, Read) and node.name in new:
                return new[node.name]
            below = tuple(build(c) for c in children(node))
            if all(a is b for a, b in zip(below, children(node), strict=True)):
                return node
            return tidied(node, below)

        return build(line)


def tidied(node: Expr, new: tuple[Expr, ...]) -> Expr:
    """``node`` with other children, built as a textbook would."""
    match node:
        case Call("neg"):
            return negative(*new)
        case Call("add"):
            return total(*new)
        case Call("mul"):
            return product(*new)
        case Call("div"):
            return quotient(*new)
        case Call("pow"):
            return raised(*new)
        case Select():
            return chosen(*new)
        case Switch():
            return switched(*new)
        case Reduce(Reduction.SUM, _, indices, where):
            return summed(new[0], indices, True if where is None else where)
        case _:
            return rebuild(node, new)


def _size(expr: Expr) -> int:
    return sum(1 for _ in walk(expr))


_LONG = 40


def kinks(body: Expr, depends: Callable[[Expr], bool], writer: Writer) -> str:
    """What is taken for the derivative where there is none, for each op that has such points."""
    found: dict[str, None] = {}
    for node in walk(body):
        if isinstance(node, Reduce) and node.kind is Reduction.NORM and depends(node):
            length = writer.formula(node).plain
            found[f"Where {length} = 0, it has no derivative."] = None
        if not isinstance(node, Call) or not depends(node):
            continue
        row, count = OPS[node.op], len(node.args)
        binary = node.op in ("max", "min")
        if row.kinks is None or count != (2 if binary else row.arity[0]):
            continue
        where = _finite(instantiate(parse_formula(row.kinks), node.args))
        what, place = writer.formula(node).plain, writer.formula(where).plain
        if len(what) > _LONG:
            what = node.op
        found[f"Where {place}, {what} has a kink: {row.convention} is taken."] = None
    return " ".join(found)


def _finite(condition: Expr) -> Expr:
    """``condition`` without the ends of a range that are infinite."""
    match condition:
        case Call("or", args):
            kept = [a for a in args if Constant(Named.OO) not in walk(a)]
            return kept[0] if len(kept) == 1 else Call("or", tuple(kept))
        case _:
            return condition
