#!/usr/bin/env python3
"""Run PyTorch's *own* test samples for its loss modules through replacement classes.

    python torch_suite.py --count                    # how many samples exist per loss
    python torch_suite.py --self                     # torch classes against themselves (must pass)
    python torch_suite.py --demo                     # deliberately wrong classes (must fail)
    python torch_suite.py --map pkg.mod:MAPPING      # your classes: MAPPING = {nn.HuberLoss: OurHuber, ...}
    options: --dtype float32,float64  --source module,criterion,opinfo,extreme  --only HuberLoss,...
             --gradcheck  --json out.json  --verbose

Sample sources; the first three are inside the installed torch wheel (written against 2.13):

  module     torch.testing._internal.common_modules.module_db
             constructor args + forward args + an independent ``reference_fn`` per sample,
             and ErrorModuleInput (call must raise a given type/regex).
  criterion  torch.testing._internal.common_nn.criterion_tests
             the legacy list (un-batched inputs); its constructors look classes up as
             ``getattr(torch.nn, name)`` at call time, so we patch ``torch.nn`` around them.
  opinfo     torch.testing._internal.common_methods_invocations.op_db
             samples of ``nn.functional.*_loss``; arguments are split into constructor and
             forward arguments by parameter name.  Adds weight=/pos_weight=/Triplet samples
             module_db does not have.

  extreme    written here: the corners none of the three visits (see extreme_samples).

For each sample: same exception or, value + shape + dtype against torch, value against the
reference_fn, gradient of every input that requires grad (and of every module parameter)
against torch's own, for a random cotangent.  NaN must match NaN.

Needs ``expecttest`` (torch's private test package imports it; it is not a torch dependency).
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import importlib
import inspect
import json
import pickle
import sys
import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Callable, Container, Iterable, Iterator

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils._pytree import tree_map

Mapping = dict[type, type]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    LOSSES = [getattr(nn, n) for n in torch.nn.modules.loss.__all__]

# functional -> module class; parameters not in the class' constructor are forward arguments.
FUNCTIONAL = {
    "l1_loss": nn.L1Loss,
    "mse_loss": nn.MSELoss,
    "smooth_l1_loss": nn.SmoothL1Loss,
    "huber_loss": nn.HuberLoss,
    "nll_loss": nn.NLLLoss,
    "cross_entropy": nn.CrossEntropyLoss,
    "kl_div": nn.KLDivLoss,
    "poisson_nll_loss": nn.PoissonNLLLoss,
    "gaussian_nll_loss": nn.GaussianNLLLoss,
    "binary_cross_entropy": nn.BCELoss,
    "binary_cross_entropy_with_logits": nn.BCEWithLogitsLoss,
    "hinge_embedding_loss": nn.HingeEmbeddingLoss,
    "margin_ranking_loss": nn.MarginRankingLoss,
    "soft_margin_loss": nn.SoftMarginLoss,
    "multi_margin_loss": nn.MultiMarginLoss,
    "multilabel_margin_loss": nn.MultiLabelMarginLoss,
    "multilabel_soft_margin_loss": nn.MultiLabelSoftMarginLoss,
    "cosine_embedding_loss": nn.CosineEmbeddingLoss,
    "triplet_margin_loss": nn.TripletMarginLoss,
    "triplet_margin_with_distance_loss": nn.TripletMarginWithDistanceLoss,
    "ctc_loss": nn.CTCLoss,
}


# ------------------------------------------------------------------------------------- samples
@dataclass
class Sample:
    cls: type  # the torch class
    source: str  # module | criterion | opinfo
    desc: str
    make: Callable[[type], nn.Module]  # class -> instance (constructor arguments bound)
    args: tuple
    kwargs: dict
    reference: Callable | None = None  # (torch_module, *args, **kwargs) -> tensor
    error: tuple | None = None  # (type, regex, on) when the call must raise


def _import_internal():
    try:
        import expecttest  # noqa: F401
    except ImportError:
        raise SystemExit(
            "torch_suite needs `pip install expecttest` (torch's test package imports it)"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal import (
            common_methods_invocations,
            common_modules,
            common_nn,
        )
    return common_modules, common_nn, common_methods_invocations


def leaf(x: Any) -> Any:
    """Deep copy in which every tensor is a fresh leaf with the same requires_grad."""
    if isinstance(x, torch.Tensor):
        return x.detach().clone().requires_grad_(x.requires_grad)
    if isinstance(x, (list, tuple)):
        return type(x)(leaf(v) for v in x)
    if isinstance(x, dict):
        return {k: leaf(v) for k, v in x.items()}
    return x


def module_samples(
    dtype: torch.dtype, seed: int = 0, wanted: Container[type] = LOSSES
) -> Iterator[Sample]:
    cm, _, _ = _import_internal()
    for info in cm.module_db:
        cls = info.module_cls
        if cls not in wanted or dtype not in info.supported_dtypes("cpu"):
            continue
        torch.manual_seed(seed)
        kw = dict(device="cpu", dtype=dtype, requires_grad=True, training=True)
        for i, s in enumerate(info.module_inputs_func(info, **kw)):
            c, f = s.constructor_input, s.forward_input
            yield Sample(
                cls,
                "module",
                f"{i}:{s.desc}",
                _maker(c.args, c.kwargs),
                f.args,
                f.kwargs,
                s.reference_fn,
            )
        if info.module_error_inputs_func is not None:
            for i, e in enumerate(info.module_error_inputs_func(info, **kw)):
                s = e.module_error_input
                c, f = s.constructor_input, s.forward_input
                yield Sample(
                    cls,
                    "module",
                    f"error{i}:{e.error_regex[:40]}",
                    _maker(c.args, c.kwargs),
                    f.args if f else (),
                    f.kwargs if f else {},
                    error=(e.error_type, e.error_regex, e.error_on.name),
                )


def criterion_samples(
    dtype: torch.dtype, seed: int = 0, wanted: Container[type] = LOSSES
) -> Iterator[Sample]:
    _, cn, _ = _import_internal()
    if not hasattr(cn, "criterion_tests"):  # removed upstream one day: no samples
        return
    for i, d in enumerate(cn.criterion_tests):
        name = d["fullname"].split("_")[0]
        cls = getattr(nn, name)
        if cls not in wanted:
            continue

        def make(target_cls, d=d, name=name):
            with patched({name: target_cls}):
                return d["constructor"](*d.get("constructor_args", ()))

        torch.manual_seed(seed + i)
        with default_dtype(dtype):
            inp = d["input_fn"]() if "input_fn" in d else torch.randn(d["input_size"])
            tgt = (
                d["target_fn"]() if "target_fn" in d else torch.randn(d["target_size"])
            )
        inp = tuple(inp) if isinstance(inp, (tuple, list)) else (inp,)
        cast = lambda t, g: (
            t.to(dtype) if t.is_floating_point() else t
        ).requires_grad_(g and t.is_floating_point())
        args = (
            *[cast(t.detach().clone(), True) for t in inp],
            cast(tgt.detach().clone(), False),
        )
        ref = d.get("reference_fn")

        def reference(
            m, *a, ref=ref, k=len(inp)
        ):  # legacy signature: (inputs, target, module)
            return ref(a[0] if k == 1 else tuple(a[:k]), a[k], m)

        yield Sample(
            cls, "criterion", d["fullname"], make, args, {}, reference if ref else None
        )


def opinfo_samples(
    dtype: torch.dtype, seed: int = 0, wanted: Container[type] = LOSSES
) -> Iterator[Sample]:
    _, _, cmi = _import_internal()
    for op in cmi.op_db:
        name = op.name.removeprefix("nn.functional.")
        cls = FUNCTIONAL.get(name)
        if (
            cls not in wanted
            or not op.name.startswith("nn.functional.")
            or dtype not in op.supported_dtypes("cpu")
        ):
            continue
        fsig = inspect.signature(getattr(F, name))
        ctor = set(inspect.signature(cls.__init__).parameters) - {"self"}

        def split(sample, fsig=fsig, ctor=ctor):
            bound = fsig.bind(sample.input, *sample.args, **sample.kwargs).arguments
            ck = {k: v for k, v in bound.items() if k in ctor}
            fk = [v for k, v in bound.items() if k not in ctor]
            return ck, tuple(fk)

        torch.manual_seed(seed)
        for i, s in enumerate(op.sample_inputs("cpu", dtype, requires_grad=True)):
            ck, fargs = split(s)
            extra = [
                v
                for v in ck.values()
                if isinstance(v, torch.Tensor) and v.requires_grad
            ]
            desc = ",".join(f"{k}={_short(v)}" for k, v in ck.items())
            yield Sample(
                cls,
                "opinfo",
                f"{i}:{desc}" + (" (grad in ctor arg)" if extra else ""),
                _maker((), ck),
                fargs,
                {},
            )
        if op.error_inputs_func is not None:
            for i, e in enumerate(op.error_inputs("cpu")):
                try:
                    ck, fargs = split(e.sample_input)
                except TypeError:
                    continue
                yield Sample(
                    cls,
                    "opinfo",
                    f"error{i}:{e.error_regex[:40]}",
                    _maker((), ck),
                    fargs,
                    {},
                    error=(e.error_type, e.error_regex, "ANY"),
                )


def extreme_samples(
    dtype: torch.dtype, seed: int = 0, wanted: Container[type] = LOSSES
) -> Iterator[Sample]:
    """Ours, not torch's: the corners torch's samples never visit (saturated probabilities, huge logits, zero
    variance, everything ignored, empty batch, ties and kinks, equal vectors, p / eps / beta / delta / pos_weight).
    """
    T = lambda v: torch.tensor(v, dtype=dtype)
    inf = float("inf")
    grid = lambda a, b: tuple(
        t.reshape(-1) for t in torch.meshgrid(T(a), T(b), indexing="ij")
    )
    cases: list[tuple[type, dict, tuple, set]] = (
        []
    )  # class, constructor, args, indices needing grad

    def add(cls, args, *ctors, grad=(0,)):
        for c in ctors or ({},):
            for red in ("mean", "sum", "none"):
                cases.append((cls, {**c, "reduction": red}, args, set(grad)))

    r = grid(
        [-inf, -1e4, -1.0, -0.5, 0.0, 1e-20, 0.5, 1.0, 1e4, inf], [0.0, -1.0, 1.0, 0.5]
    )
    empty = (torch.zeros(0, dtype=dtype), torch.zeros(0, dtype=dtype))
    for pair in (r, empty):
        add(nn.L1Loss, pair, grad=(0, 1))
        add(nn.MSELoss, pair, grad=(0, 1))
        add(nn.SmoothL1Loss, pair, {}, {"beta": 0.0}, {"beta": 0.5}, grad=(0, 1))
        add(nn.HuberLoss, pair, {}, {"delta": 0.5}, grad=(0, 1))
    big = [-inf, -1e4, -200.0, -100.0, -20.0, 0.0, 20.0, 100.0, 200.0, 1e4, inf]
    add(
        nn.BCELoss,
        grid([0.0, 1e-30, 1e-12, 0.5, 1 - 1e-7, 1.0], [0.0, 1.0, 0.3]),
        {},
        {"weight": T(2.0)},
    )
    x, y = grid(big, [0.0, 1.0, 0.3])
    add(
        nn.BCEWithLogitsLoss,
        (x, y),
        {},
        {"pos_weight": T(3.0)},
        {"pos_weight": T(0.0)},
        {"weight": T(2.0)},
    )
    add(
        nn.BCEWithLogitsLoss,
        (x.reshape(-1, 3), y.reshape(-1, 3)),
        {"pos_weight": T([1.0, 2.0, 3.0])},
        {"weight": T([1.0, 0.0, 3.0]), "pos_weight": T([1.0, 2.0, 3.0])},
    )
    add(
        nn.MultiLabelSoftMarginLoss,
        (x.reshape(-1, 3), y.reshape(-1, 3)),
        {},
        {"weight": T([1.0, 0.0, 2.0])},
    )
    add(nn.SoftMarginLoss, grid(big, [-1.0, 1.0]))
    add(
        nn.HingeEmbeddingLoss,
        grid([-1.0, 0.0, 1.0, 2.0, 1e4], [-1.0, 1.0]),
        {},
        {"margin": -1.0},
    )
    a, b = grid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0])
    for sgn in (-1.0, 1.0):
        add(
            nn.MarginRankingLoss,
            (a, b, torch.full_like(a, sgn)),
            {},
            {"margin": 1.0},
            grad=(0, 1),
        )
    L = T(
        [
            [0.0, 0.0, 0.0],
            [1e4, -1e4, 0.0],
            [1e4, 1e4, 1e4],
            [-1e4, -1e4, -1e4],
            [100.0, 99.0, -100.0],
        ]
    )
    Linf = T([[0.0, -inf, 1.0], [-inf, 2.0, -inf]])
    t5, w = torch.tensor([0, 1, 2, 0, -100]), T([0.5, 0.0, 2.0])
    for kw in (
        {},
        {"weight": w},
        {"label_smoothing": 0.3},
        {"weight": w, "label_smoothing": 0.3},
        {"label_smoothing": 1.0},
    ):
        add(nn.CrossEntropyLoss, (L, t5), kw)
        add(nn.CrossEntropyLoss, (L, torch.full((5,), -100)), kw)
        add(nn.CrossEntropyLoss, (Linf, torch.tensor([0, 1])), kw)
        add(
            nn.CrossEntropyLoss,
            (torch.zeros(0, 3, dtype=dtype), torch.zeros(0, dtype=torch.long)),
            kw,
        )
        add(
            nn.CrossEntropyLoss,
            (L, T([[1.0, 0, 0], [0.5, 0.5, 0], [0, 0, 0], [0.2, 0.3, 0.5], [0, 1, 0]])),
            kw,
            grad=(0, 1),
        )
        add(nn.CrossEntropyLoss, (L[0], torch.tensor(1)), kw)
    add(
        nn.CrossEntropyLoss,
        (L, torch.tensor([0, 1, 2, 0, 1])),
        {"ignore_index": 1},
        {"ignore_index": 1, "weight": w},
    )
    for kw in ({}, {"weight": w}, {"ignore_index": 1}):
        add(
            nn.NLLLoss,
            (L.log_softmax(1), t5 if "ignore_index" not in kw else t5.clamp(min=0)),
            kw,
        )
    add(nn.NLLLoss, (L.log_softmax(1), torch.full((5,), -100)))
    add(nn.KLDivLoss, grid([-inf, -100.0, -1.0, 0.0], [0.0, 1e-30, 0.5, 1.0]))
    add(
        nn.KLDivLoss,
        grid([-100.0, -1.0, 0.0], [-inf, -100.0, 0.0]),
        {"log_target": True},
    )
    g = torch.meshgrid(
        T([-1e4, 0.0, 1.0]),
        T([0.0, 1.0]),
        T([0.0, 1e-12, 1e-6, 1.0, 1e8]),
        indexing="ij",
    )
    add(
        nn.GaussianNLLLoss,
        tuple(q.reshape(-1) for q in g),
        {},
        {"full": True},
        {"eps": 1e-2},
        grad=(0, 2),
    )
    add(
        nn.PoissonNLLLoss,
        grid([-100.0, 0.0, 1.0, 50.0], [0.0, 1.0, 2.0, 100.0]),
        {},
        {"full": True},
    )
    add(
        nn.PoissonNLLLoss,
        grid([0.0, 1e-12, 1.0, 1e4], [0.0, 1.0, 2.0, 100.0]),
        {"log_input": False},
        {"log_input": False, "full": True, "eps": 1e-3},
    )
    add(
        nn.MultiMarginLoss,
        (L, torch.tensor([0, 1, 2, 0, 1])),
        {},
        {"p": 2},
        {"margin": 0.0},
        {"weight": w},
        {"p": 2, "margin": 2.0, "weight": w},
    )
    add(nn.MultiMarginLoss, (T([[1.0, 0.0, 0.0]]), torch.tensor([0])), {}, {"p": 2})
    add(nn.MultiLabelMarginLoss, (L[:2], torch.tensor([[0, -1, 1], [-1, 0, 1]])))
    v = T([[0.0, 0.0], [1.0, 0.0], [1e-20, 0.0], [1e10, 1e10]])
    for s in (-1, 1):
        add(
            nn.CosineEmbeddingLoss,
            (v, v.flip(0).contiguous(), torch.full((4,), s)),
            {},
            {"margin": 0.5},
            grad=(0, 1),
        )
        add(nn.CosineEmbeddingLoss, (v, v.clone(), torch.full((4,), s)), grad=(0, 1))
    for kw in (
        {},
        {"p": 1.0},
        {"p": 3.0},
        {"p": inf},
        {"eps": 0.0},
        {"swap": True},
        {"margin": 5.0, "p": 1.0, "swap": True},
    ):
        add(nn.TripletMarginLoss, (v[:3], v[:3].clone(), v[1:4]), kw, grad=(0, 1, 2))
        add(nn.TripletMarginLoss, (v[:3], v[1:4], v[:3].clone()), kw, grad=(0, 1, 2))
    for i, (cls, ck, args, gi) in enumerate(cases):
        if cls not in wanted:
            continue
        args = tuple(
            q.clone().requires_grad_(k in gi and q.is_floating_point())
            for k, q in enumerate(args)
        )
        desc = ",".join(f"{k}={_short(q)}" for k, q in ck.items())
        yield Sample(cls, "extreme", f"{i}:{desc}", _maker((), ck), args, {})


SOURCES = {
    "module": module_samples,
    "criterion": criterion_samples,
    "opinfo": opinfo_samples,
    "extreme": extreme_samples,
}


def _maker(args, kwargs):
    return lambda cls: cls(*leaf(args), **leaf(kwargs))


def _short(v):
    return (
        f"T{tuple(v.shape)}"
        if isinstance(v, torch.Tensor)
        else getattr(v, "__name__", repr(v))
    )


@contextlib.contextmanager
def patched(names: dict[str, type]):
    old = {n: getattr(nn, n) for n in names}
    try:
        for n, c in names.items():
            setattr(nn, n, c)
        yield
    finally:
        for n, c in old.items():
            setattr(nn, n, c)


@contextlib.contextmanager
def default_dtype(dtype):
    old = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(old)


# ------------------------------------------------------------------------------------- running
@dataclass
class Row:
    samples: int = 0
    value: int = 0  # value/shape/dtype failures against torch
    grad: int = 0  # gradient failures against torch
    ref: int = 0  # value failures against reference_fn
    ref_torch: int = 0  # samples where torch itself disagrees with its reference_fn
    raised: int = 0  # ours raised where torch did not (or the reverse)
    errors: int = 0  # error samples
    error_bad: int = 0  # error samples not raised as specified
    nan: int = 0  # samples whose torch value or gradient has NaN/inf
    gradcheck: int = 0
    finer: int = (
        0  # ours finite where torch is inf/NaN, equal elsewhere (not a failure)
    )
    first: list[str] = field(default_factory=list)

    @property
    def bad(self):
        return (
            self.value
            + self.grad
            + self.ref
            + self.raised
            + self.error_bad
            + self.gradcheck
        )


def _close(a, b, rtol, atol):
    try:
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol, equal_nan=True)
        return None
    except AssertionError as e:
        return (
            str(e).strip().splitlines()[0]
            + " "
            + " ".join(l.strip() for l in str(e).splitlines() if "difference" in l)
        )


def _finer(ours, theirs, rtol, atol) -> bool:
    """Equal wherever torch is finite, and nowhere less finite than torch."""
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return False
    ok = torch.isfinite(theirs)
    return (
        bool((~ok & torch.isfinite(ours)).any())
        and not bool((ok & ~torch.isfinite(ours)).any())
        and _close(ours[ok], theirs[ok], rtol, atol) is None
    )


def _nearer(sample: Sample, module, cot, k: int, ours, theirs) -> bool:
    """Whether ours is no farther than torch's from what torch gets in double precision."""
    if ours.dtype is not torch.float32:
        return False

    def double(x):
        wide = isinstance(x, torch.Tensor) and x.is_floating_point()
        return x.detach().double().requires_grad_(x.requires_grad) if wide else x

    args, kwargs = leaf(tree_map(double, (sample.args, sample.kwargs)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        m = copy.deepcopy(module).double()
        out = m(*args, **kwargs)
    leaves = [t for t in _tensors((args, kwargs)) if t.requires_grad]
    leaves += [p for p in m.parameters() if p.requires_grad]
    exact = _grads(out, leaves, cot.double())[k]
    if exact is None:
        return False
    return bool((ours - exact).abs().max() <= (theirs - exact).abs().max())


def _call(sample: Sample, cls: type, state=None):
    """-> (module, output, leaves, exception)"""
    args, kwargs = leaf(sample.args), leaf(sample.kwargs)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            m = sample.make(cls)
            if state:
                m.load_state_dict(state)
            out = m(*args, **kwargs)
    except Exception as e:  # noqa: BLE001
        return None, None, [], e
    leaves = [t for t in _tensors((args, kwargs)) if t.requires_grad] + [
        p for p in m.parameters() if p.requires_grad
    ]
    return m, out, leaves, None


def _matches(regex: str, ex: BaseException | None) -> bool:
    import re

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "possible nested set": upstream's regex
        return re.search(regex, str(ex)) is not None


def _tensors(x) -> Iterable[torch.Tensor]:
    if isinstance(x, torch.Tensor):
        yield x
    elif isinstance(x, dict):
        for v in x.values():
            yield from _tensors(v)
    elif isinstance(x, (list, tuple)):
        for v in x:
            yield from _tensors(v)


def _grads(out, leaves, cot):
    if not leaves or not out.requires_grad:
        return [None] * len(leaves)
    return list(torch.autograd.grad(out, leaves, cot, allow_unused=True))


def run_sample(
    s: Sample,
    ours: type,
    row: Row,
    rtol=None,
    atol=None,
    gradcheck=False,
    note=lambda m: None,
):
    if s.error is not None:
        row.errors += 1
        etype, regex, _ = s.error
        *_, ex = _call(s, ours)
        if not isinstance(ex, etype) or not _matches(regex, ex):
            *_, ex_t = _call(
                s, s.cls
            )  # functional-only errors torch's module does not raise either
            if isinstance(ex_t, etype) and _matches(regex, ex_t):
                row.error_bad += 1
                note(
                    f"error sample: wanted {etype.__name__}, got {type(ex).__name__}: {str(ex)[:80]}"
                )
        return
    row.samples += 1
    mt, ot, lt, et = _call(s, s.cls)
    state = (
        {k: v.clone() for k, v in mt.state_dict().items()}
        if mt is not None and list(mt.parameters())
        else None
    )
    mo, oo, lo, eo = _call(s, ours, state)
    if et is not None or eo is not None:
        if type(et) is not type(eo):
            row.raised += 1
            note(f"raised: torch {et!r:.90} ours {eo!r:.160}")
        return
    msg = _close(oo, ot, rtol, atol)
    if msg and _finer(oo.detach(), ot.detach(), rtol, atol):
        row.finer += 1
    elif msg:
        row.value += 1
        note(f"value: {msg}")
    if s.reference is not None:
        expected = s.reference(mt, *leaf(s.args), **leaf(s.kwargs))
        expected = torch.as_tensor(expected).detach()
        if expected.dtype != ot.dtype:
            expected = expected.to(ot.dtype)
        if _close(ot.detach(), expected, rtol, atol):
            row.ref_torch += 1  # torch misses its own reference: not ours to answer for
        elif m := _close(oo.detach(), expected, rtol, atol):
            row.ref += 1
            note(f"reference: {m}")
    g = torch.Generator().manual_seed(0)
    cot = torch.randn(ot.shape, generator=g, dtype=torch.float64).to(ot.dtype)
    gt = _grads(ot, lt, cot)
    finite = bool(torch.isfinite(ot).all()) and all(
        torch.isfinite(x).all() for x in gt if x is not None
    )
    row.nan += not finite
    if oo.shape == ot.shape and len(lo) == len(lt):
        go = _grads(oo, lo, cot.to(oo.dtype))
        for k, (a, b, l) in enumerate(zip(go, gt, lt)):
            zero = lambda x, l=l: torch.zeros_like(l) if x is None else x
            m = _close(zero(a), zero(b), rtol, atol)
            if m and (
                _finer(zero(a), zero(b), rtol, atol)
                or _nearer(s, mt, cot, k, zero(a), zero(b))
            ):
                row.finer += 1
            elif m:
                row.grad += 1
                note(f"grad of leaf {k}: {m}")
                break
    else:
        row.grad += 1
        note(
            f"grad: shapes {tuple(oo.shape)} vs {tuple(ot.shape)}, {len(lo)} vs {len(lt)} leaves"
        )
    if (
        gradcheck
        and finite
        and lt
        and lt[0].dtype == torch.float64
        and ot.requires_grad
    ):

        def f(*xs):
            it = iter(xs)
            sub = lambda t: (
                next(it) if isinstance(t, torch.Tensor) and t.requires_grad else t
            )
            args = tuple(sub(t) for t in s.args)
            return s.make(ours)(*args, **s.kwargs)

        if not list(mo.parameters()) and all(
            isinstance(t, (torch.Tensor, tuple, list)) for t in s.args
        ):
            try:
                xs = [
                    leaf(t)
                    for t in s.args
                    if isinstance(t, torch.Tensor) and t.requires_grad
                ]
                torch.autograd.gradcheck(f, xs, fast_mode=True)
            except Exception as e:  # noqa: BLE001
                row.gradcheck += 1
                note(f"gradcheck: {str(e)[:120]}")


def interface(torch_cls: type, ours: type) -> list[str]:
    """Differences a user would notice before any number is computed."""
    out = []
    for meth in ("__init__", "forward"):
        a, b = inspect.signature(getattr(torch_cls, meth)), inspect.signature(
            getattr(ours, meth)
        )
        pa = [(p.name, p.kind.name, p.default) for p in a.parameters.values()]
        pb = [(p.name, p.kind.name, p.default) for p in b.parameters.values()]
        if pa != pb:
            out.append(f"{meth}: {pa} != {pb}")
    try:
        a, b = torch_cls(), ours()
    except TypeError:
        return out
    for check, fn in {
        "state_dict keys": lambda m: list(m.state_dict()),
        "buffers": lambda m: sorted(n for n, _ in m.named_buffers()),
        "reduction": lambda m: getattr(m, "reduction", None),
        "extra_repr": lambda m: m.extra_repr(),
        "deepcopy": lambda m: type(copy.deepcopy(m)) is type(m),
    }.items():
        try:
            va, vb = fn(a), fn(b)
        except Exception as e:  # noqa: BLE001
            out.append(f"{check}: {e!r:.80}")
            continue
        if va != vb:
            out.append(f"{check}: {va!r} != {vb!r}")
    try:
        pickle.loads(pickle.dumps(b))
    except Exception as e:  # noqa: BLE001
        out.append(f"pickle: {e!r:.80}")
    return out


def run(
    mapping: Mapping,
    dtypes=(torch.float32, torch.float64),
    sources=("module", "criterion", "opinfo", "extreme"),
    rtol=None,
    atol=None,
    gradcheck=False,
    verbose=False,
    keep=3,
) -> dict[tuple[str, str, str], Row]:
    """{(class name, source, dtype) -> Row}.  A passing mapping has ``row.bad == 0`` everywhere."""
    table: dict[tuple[str, str, str], Row] = defaultdict(Row)
    for dtype in dtypes:
        for source in sources:
            for s in SOURCES[source](dtype, wanted=mapping):
                if s.cls not in mapping:
                    continue
                row = table[s.cls.__name__, source, str(dtype).removeprefix("torch.")]

                def note(m, row=row, s=s):
                    if len(row.first) < keep:
                        row.first.append(f"{s.desc}: {m}")
                    if verbose:
                        print(f"  {s.cls.__name__} [{s.source} {dtype}] {s.desc}: {m}")

                run_sample(s, mapping[s.cls], row, rtol, atol, gradcheck, note)
    return dict(table)


def report(table, show_first=True) -> int:
    head = f"{'class':31}{'source':11}{'dtype':9}{'n':>5}{'value':>7}{'grad':>6}{'ref':>5}{'raise':>7}{'err':>5}{'errbad':>8}{'nan':>5}{'gchk':>6}{'ref!':>6}{'finer':>7}"
    print(head)
    bad = 0
    for (c, s, d), r in sorted(table.items()):
        bad += r.bad
        print(
            f"{c:31}{s:11}{d:9}{r.samples:5}{r.value:7}{r.grad:6}{r.ref:5}{r.raised:7}{r.errors:5}{r.error_bad:8}"
            f"{r.nan:5}{r.gradcheck:6}{r.ref_torch:6}{r.finer:7}  {'ok' if not r.bad else 'FAIL'}"
        )
        if show_first and r.bad:
            for m in r.first:
                print("      ", m[:200])
    total = sum(r.samples for r in table.values())
    errs = sum(r.errors for r in table.values())
    print(f"{total} samples + {errs} error samples, {bad} failures")
    return bad


def count() -> None:
    table = defaultdict(lambda: defaultdict(int))
    for source, gen in SOURCES.items():
        for s in gen(torch.float64):
            table[s.cls.__name__][source + (".err" if s.error else "")] += 1
            table[s.cls.__name__]["ref"] += s.reference is not None
    cols = [
        "module",
        "criterion",
        "opinfo",
        "extreme",
        "ref",
        "module.err",
        "opinfo.err",
    ]
    print(f"{'class':31}" + "".join(f"{c:>11}" for c in cols))
    for n in torch.nn.modules.loss.__all__:
        print(f"{n:31}" + "".join(f"{table[n][c]:11}" for c in cols))
    print(
        f"{'total':31}" + "".join(f"{sum(table[n][c] for n in table):11}" for c in cols)
    )


# ------------------------------------------------------------------------------------- demo
def wrong_classes() -> tuple[Mapping, dict[type, str]]:
    """Deliberate mistakes, one per kind of defect."""

    class WrongHuber(nn.HuberLoss):  # linear branch off by a constant factor
        def forward(self, input, target):
            d = (input - target).abs()
            out = torch.where(
                d <= self.delta, 0.5 * d**2, self.delta * (d - self.delta)
            )
            return {"mean": out.mean, "sum": out.sum, "none": lambda: out}[
                self.reduction
            ]()

    class WrongMSEGrad(nn.MSELoss):  # right value, wrong gradient (a stray detach)
        def forward(self, input, target):
            out = (input - target) * (input - target).detach()
            return {"mean": out.mean, "sum": out.sum, "none": lambda: out}[
                self.reduction
            ]()

    class WrongCE(nn.CrossEntropyLoss):  # 'mean' divides by B, not by the kept weight
        def forward(self, input, target):
            out = F.cross_entropy(
                input,
                target,
                self.weight,
                ignore_index=self.ignore_index,
                label_smoothing=self.label_smoothing,
                reduction="none",
            )
            return {"mean": out.mean, "sum": out.sum, "none": lambda: out}[
                self.reduction
            ]()

    class NaiveBCE(
        nn.BCEWithLogitsLoss
    ):  # log(sigmoid(x)): numerically unstable, algebra right
        def forward(self, input, target):
            p = torch.sigmoid(input)
            pw = 1 if self.pos_weight is None else self.pos_weight
            out = -(pw * target * p.log() + (1 - target) * (1 - p).log())
            if self.weight is not None:
                out = out * self.weight
            return {"mean": out.mean, "sum": out.sum, "none": lambda: out}[
                self.reduction
            ]()

    class WrongBCELog0(nn.BCELoss):  # no log clamp at -100
        def forward(self, input, target):
            out = -(target * input.log() + (1 - target) * (1 - input).log())
            if self.weight is not None:
                out = out * self.weight
            return {"mean": out.mean, "sum": out.sum, "none": lambda: out}[
                self.reduction
            ]()

    mapping = {
        nn.HuberLoss: WrongHuber,
        nn.MSELoss: WrongMSEGrad,
        nn.CrossEntropyLoss: WrongCE,
        nn.BCEWithLogitsLoss: NaiveBCE,
        nn.BCELoss: WrongBCELog0,
    }
    return mapping, {k: v.__name__ for k, v in mapping.items()}


def main(argv=None) -> int:
    ap = argparse.ArgumentParser()
    ap.add_argument("--count", action="store_true")
    ap.add_argument("--self", dest="self_", action="store_true")
    ap.add_argument("--demo", action="store_true")
    ap.add_argument("--map")
    ap.add_argument("--dtype", default="float32,float64")
    ap.add_argument("--source", default="module,criterion,opinfo,extreme")
    ap.add_argument("--only", default="")
    ap.add_argument("--gradcheck", action="store_true")
    ap.add_argument("--rtol", type=float)
    ap.add_argument("--atol", type=float)
    ap.add_argument("--json")
    ap.add_argument("--verbose", action="store_true")
    a = ap.parse_args(argv)
    warnings.filterwarnings("ignore")
    if a.count:
        count()
        return 0
    if a.demo:
        mapping, names = wrong_classes()
    elif a.map:
        mod, _, attr = a.map.partition(":")
        sys.path.insert(0, ".")
        mapping = getattr(importlib.import_module(mod), attr or "MAPPING")
    else:
        mapping = {c: c for c in LOSSES}
    if a.only:
        keep = set(a.only.split(","))
        mapping = {k: v for k, v in mapping.items() if k.__name__ in keep}
    if not a.demo:
        for k, v in mapping.items():
            for d in interface(k, v):
                print(f"interface {k.__name__}: {d}")
    table = run(
        mapping,
        [getattr(torch, d) for d in a.dtype.split(",")],
        a.source.split(","),
        a.rtol,
        a.atol,
        a.gradcheck,
        a.verbose,
    )
    bad = report(table)
    if a.json:
        with open(a.json, "w") as fh:
            json.dump(
                [
                    {"class": c, "source": s, "dtype": d, **vars(r)}
                    for (c, s, d), r in table.items()
                ],
                fh,
                indent=1,
            )
    if a.demo:
        caught = {c for (c, *_), r in table.items() if r.bad}
        print(
            "caught:",
            sorted(caught),
            " NOT caught:",
            sorted({k.__name__ for k in mapping} - caught),
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
