"""A loss explained: its mathematics, its derivative, what floating point does to it, the guards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from losscodegen import pipeline
from losscodegen.compiler.steps import Step
from losscodegen.compiler.tidy import chosen, negative
from losscodegen.errors import LossCodegenError
from losscodegen.ir.loss import Absent, Loss, Variable
from losscodegen.ir.nodes import Expr, Guard, Select, Use
from losscodegen.ir.walk import inline_loss
from losscodegen.judge.rounding import Dtype
from losscodegen.language.write import format_declaration
from losscodegen.pipeline import compile_expressions, compile_losses
from losscodegen.teach.derivation import Shown, derivations, differentiated
from losscodegen.teach.formulas import Writer, loss_symbol
from losscodegen.teach.measure import Finding, findings
from losscodegen.teach.model import (
    Code,
    Derivation,
    Explanation,
    GuardStory,
    Measured,
    Symbol,
    Trouble,
)
from losscodegen.teach.run import compiled, generated
from losscodegen.teach.typed import (
    LEFT_OUT,
    code_of,
    part_of,
    plainly,
    typed,
    unweighted,
)
from losscodegen.teach.wording import missing, sentence, source_of

_HELPER = re.compile(r"(?<![\w.])_\w+\(")

_NO_LOSS = (
    *(LossCodegenError, AssertionError, TypeError, ValueError, LookupError),
    StopIteration,
)
"""What lowering a part raises that is no loss: without a tensor, or of an index alone."""

DTYPES = (Dtype.FLOAT32, Dtype.FLOAT64)

Losses = tuple[Loss, ...]
"""The loss that is explained, then those that it hands calls over to."""


Telling = tuple[str, Callable[[], GuardStory]]
"""The rule of a guard, and what finds out about it."""


def explain(
    loss: Loss,
    spec: Sequence[Loss] = (),
    *,
    track: Callable[[Sequence[Telling]], Iterable[Telling]] = iter,
) -> Explanation:
    """Everything there is to say about ``loss``, as ``spec`` has it, the losses of its file.

    Measures at a few hundred inputs, the same ones each time; takes a second or a few, and half a
    minute for formulas of many guards, which ``track`` passes on one by one.

    Raises:
        LossCodegenError: where the loss does not compile.
    """
    shown = Shown.of(loss)
    writer = Writer.of(shown.loss)
    found = compile_expressions(loss)
    others = _called(loss, spec)
    module = pipeline.source_of(
        (found, *map(compile_expressions, others)), origin=f"specs/{loss.module}.toml"
    ).text
    typed_text = typed(loss)
    return Explanation(
        name=loss.module,
        title=loss.name,
        family=loss.family,
        summary=loss.summary,
        description=loss.description,
        reference=loss.reference,
        symbols=tuple(_symbol(v, writer) for v in loss.variables),
        definitions=tuple(
            (
                writer.formula(Use(d.name, d.indices)),
                writer.formula(d.body),
            )
            for d in shown.loss.definitions
        ),
        left=loss_symbol(shown.loss, writer),
        formula=writer.formula(shown.loss.expression),
        derivations=_derivations(loss),
        naive=Code(text=typed_text),
        measured=_whole(loss, typed_text, module),
        guards=_guards(
            (loss, *others), found.stabilized.steps, found.program.guards, module, track
        ),
        generated=Code(text=module),
        gradient="symbolic" if found.program.derived is not None else "autograd",
    )


def _symbol(variable: Variable, writer: Writer) -> Symbol:
    default = variable.default
    return Symbol(
        name=variable.name,
        latex=writer.symbol(variable.name),
        argument=variable.arg,
        role=variable.role.value,
        domain=format_declaration(variable),
        default=(
            None
            if default is Absent.REQUIRED
            else variable.default_text or str(getattr(default, "value", default))
        ),
        doc=variable.doc,
    )


def _derivations(loss: Loss) -> tuple[Derivation, ...]:
    """By every variable; what is the very opposite of an earlier one says so."""
    found: list[Derivation] = []
    for variable in differentiated(loss):
        for new in derivations(loss, variable):
            mine = new.result.expr
            mirrors = next(
                (
                    old.wrt
                    for old in found
                    if old.of == new.of
                    and new.of == "loss"
                    and old.result.expr is not None
                    and not new.result.pending
                    and mine == _opposite(old.result.expr)
                ),
                "",
            )
            found.append(replace(new, mirrors=mirrors))
    return tuple(found)


def _opposite(expr: Expr) -> Expr:
    """``-expr``, branch by branch."""
    match expr:
        case Select(condition, then, otherwise):
            return chosen(condition, _opposite(then), _opposite(otherwise))
        case _:
            return negative(expr)


# ---------------------------------------------------------------------- measuring


def _whole(loss: Loss, text: str, module: str) -> tuple[Measured, ...]:
    """The formula as typed beside the module, in both dtypes."""
    plain = unweighted(inline_loss(loss))
    naive, guarded = compiled(text, loss.function), generated(loss, module)
    found = (
        finding.measured
        for dtype in DTYPES
        for finding in findings(plain, naive, guarded, dtype, count=240)
    )
    return tuple(found)


def _called(loss: Loss, spec: Sequence[Loss]) -> tuple[Loss, ...]:
    """The losses of ``spec`` that ``loss`` hands calls over to; its module does not run without."""
    found, names = tuple[Loss, ...](), {loss.name}
    waiting = [loss]
    while waiting:
        interface = waiting.pop().interface
        clauses = () if interface is None else interface.at_call
        for other in spec:
            if other.name not in names and any(
                c.instead == other.name for c in clauses
            ):
                names.add(other.name)
                found += (other,)
                waiting.append(other)
    return found


def _guards(
    losses: Losses,
    steps: tuple[Step, ...],
    printed: tuple[Guard, ...],
    module: str,
    track: Callable[[Sequence[Telling]], Iterable[Telling]],
) -> tuple[GuardStory, ...]:
    """A story for each rule that fired, then for each guard that lowering added."""
    by_rule: dict[str, list[Step]] = {}
    for step in steps:
        by_rule.setdefault(step.rule, []).append(step)
    lowered: dict[str, Guard] = {}
    for guard in printed:
        if guard.rule not in by_rule:
            lowered.setdefault(guard.rule, guard)
    work: list[Telling] = [
        *((rule, partial(_step_story, losses[0], s)) for rule, s in by_rule.items()),
        *(
            (rule, partial(_lowered_story, losses, guard, module))
            for rule, guard in lowered.items()
        ),
    ]
    return tuple(tell() for _, tell in track(work))


@dataclass(frozen=True, slots=True)
class _Tried:
    """Both forms of a part as code, and where the first fails and the second does not."""

    before: str = ""
    after: str = ""
    found: tuple[Finding, ...] = ()
    together: bool = False
    """Whether the second fails there, too, and the module does not: it has other rewrites."""


def _step_story(loss: Loss, rows: list[Step]) -> GuardStory:
    """The first use of a rule at which something can be seen to go wrong."""
    writer = Writer.of(inline_loss(loss))
    best: tuple[Step, _Tried] | None = None
    for step in rows[:3]:
        tried = _attempt(lambda step=step: _measured_step(loss, step))  # type: ignore[misc]
        if best is None or (tried.found and not best[1].found):
            best = (step, tried)
        if best[1].found:
            break
    assert best is not None
    step, tried = best
    unseen = Trouble.TOGETHER if tried.together else missing(step.rule)
    return GuardStory(
        rule=step.rule,
        trouble=tried.found[0].trouble if tried.found else unseen,
        sentence=_sentences(tried.found) or sentence(unseen),
        why=" ".join(step.why.split()),
        source=source_of(step.rule, step.why),
        before=writer.formula(step.before),
        after=writer.formula(step.after),
        before_code=tried.before,
        after_code=tried.after,
        measured=tuple(f.measured for f in tried.found),
        count=len(rows),
    )


def _sentences(found: Sequence[Finding]) -> str:
    said = (sentence(f.trouble, f.operation) for f in found)
    return " ".join(dict.fromkeys(said))


def _attempt(measure: Callable[[], _Tried]) -> _Tried:
    """What was measured; nothing for a part that is no loss by itself."""
    try:
        return measure()
    except _NO_LOSS:
        return _Tried()


def _measured_step(loss: Loss, step: Step) -> _Tried:
    """Both forms of one part of the formula."""
    part = unweighted(part_of(loss, step.before))
    replaced = unweighted(part_of(loss, step.after))
    before = code_of(part, without=LEFT_OUT)
    if _HELPER.search(before):
        # A function that only generated modules have: its meaning is what one would type.
        written = replace(part, expression=plainly(part.expression))
        before = code_of(written, without=LEFT_OUT)
    after = code_of(replaced, without=LEFT_OUT)
    module = compile_losses((part,), origin="").text
    shown = None if _HELPER.search(after) else compiled(after, part.function)
    search = partial(
        findings,
        part,
        compiled(before, part.function),
        generated(part, module),
        Dtype.FLOAT32,
        count=300,
    )
    found = search(shown=shown)
    together = not found and shown is not None and bool(search())
    return _Tried(before, after, tuple(found), together)


def _lowered_story(losses: Losses, guard: Guard, module: str) -> GuardStory:
    """A guard around the formula, which it leaves as it is: the module with it and without."""
    loss = losses[0]
    writer = Writer.of(inline_loss(loss))
    formula = writer.formula(inline_loss(loss).expression)

    def measure() -> _Tried:
        text = compile_losses(losses, origin="", without=frozenset({guard.rule})).text
        plain = unweighted(inline_loss(loss))
        found = findings(
            plain, generated(loss, text), generated(loss, module), Dtype.FLOAT32
        )
        return _Tried(found=tuple(found))

    found = _attempt(measure).found
    return GuardStory(
        rule=guard.rule,
        trouble=found[0].trouble if found else missing(guard.rule),
        sentence=_sentences(found) or sentence(missing(guard.rule)),
        why=" ".join(guard.why.split()),
        source=source_of(guard.rule, guard.why),
        before=formula,
        after=formula,
        before_code="",
        after_code="",
        measured=tuple(f.measured for f in found),
    )
