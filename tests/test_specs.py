"""What every spec of the library must have besides a formula."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from losscodegen.ir.loss import Loss, Role, Variable
from losscodegen.language.parse import load_losses
from losscodegen.resources import bundled_specs

SPECS = bundled_specs()
DROP_INS = frozenset(path.stem for path in SPECS if path.parent.name == "torch_nn")
"""Specs of torch.nn's own losses, which may need a second one beside the first."""

FAMILIES = {
    "regression": "real targets",
    "robust": "real targets with outliers",
    "physics": "fields and differential equations",
    "audio": "waveforms",
    "image": "images as signals",
    "geometry": "point sets and shapes",
    "likelihood": "negative log-likelihoods and scoring rules",
    "binary": "two classes",
    "multilabel": "any number of labels at once",
    "multiclass": "one of several classes",
    "calibration": "probabilities as forecasts",
    "ordinal": "classes in an order",
    "divergence": "distances between distributions",
    "distillation": "student and teacher",
    "segmentation": "masks",
    "detection": "boxes",
    "metric": "embeddings and distances",
    "ranking": "order of items",
    "ssl": "self-supervised representations",
    "gan": "adversarial training",
    "vae": "variational autoencoders",
    "diffusion": "diffusion and flow models",
    "preference": "preferred and rejected responses",
    "llm": "token sequences",
    "rl": "policies and values",
    "survival": "times to an event",
    "evidential": "predicted evidence",
    "torch.nn": "replacements of PyTorch's own classes",
}
"""The chapters of the library. A new one is a decision: it is added here first."""

NOT_YET: dict[str, str] = {}
"""Rows of the catalogue without a spec, and what the compiler cannot do for them so far."""

LAWLESS: dict[str, str] = {}
"""Specs without a law, each with the reason why none can be stated."""


def read() -> dict[str, tuple[Loss, ...]]:
    return {path.stem: load_losses(path) for path in SPECS}


@pytest.fixture(scope="module")
def losses() -> dict[str, Loss]:
    return {stem: found[0] for stem, found in read().items()}


def without(losses: Mapping[str, Loss], holds: Callable[[Loss], object]) -> list[str]:
    """The stems of the losses of which ``holds`` is not true."""
    return [stem for stem, loss in losses.items() if not holds(loss)]


def undocumented(variable: Variable) -> bool:
    doc = variable.doc
    starts_small = doc[:1].islower() or not doc[:1].isalpha()
    return not doc or doc.endswith(".") or not starts_small


def test_the_library_is_there():
    assert len(SPECS) > 100


def test_one_loss_per_file():
    many = [stem for stem, found in read().items() if len(found) != 1]
    assert sorted(set(many) - DROP_INS) == []


def test_names(losses):
    """``specs/huber.toml`` has ``HuberLoss``, whose function is ``huber_loss``."""
    assert without(losses, lambda loss: loss.name.endswith("Loss")) == []
    wrong = {
        stem: loss.function
        for stem, loss in losses.items()
        if loss.module != stem or loss.function not in (stem, f"{stem}_loss")
    }
    assert wrong == {}
    for drop_in in (True, False):
        names = [
            v.name.lower() for k, v in losses.items() if (k in DROP_INS) == drop_in
        ]
        assert len(set(names)) == len(names)


def test_drop_ins_are_in_a_family_of_their_own(losses):
    assert (
        without(
            losses,
            lambda loss: (loss.family == "torch.nn") == (loss.interface is not None),
        )
        == []
    )
    assert {k for k, v in losses.items() if v.family == "torch.nn"} == DROP_INS


def test_families(losses):
    assert without(losses, lambda loss: loss.family in FAMILIES) == []
    assert {loss.family for loss in losses.values()} == set(FAMILIES)


def test_summaries_are_one_sentence_each(losses):
    sentence = re.compile(r"[A-Z][^\n]*[^.\s]\.")
    assert without(losses, lambda loss: sentence.fullmatch(loss.summary)) == []
    assert without(losses, lambda loss: ". " not in loss.summary) == []
    assert len({loss.summary for loss in losses.values()}) == len(losses)


def test_references_can_be_found(losses):
    """By a link, or by a year and a title."""
    good = re.compile(r"https://\S+$|\b(19|20)\d\d\b, \w")
    assert without(losses, lambda loss: good.search(loss.reference)) == []


def test_prose_is_finished(losses):
    prose = re.compile(r"(.*\.\s*)?", re.DOTALL)
    assert without(losses, lambda loss: prose.fullmatch(loss.description)) == []
    assert without(losses, lambda loss: prose.fullmatch(loss.notes)) == []


def test_arguments_are_documented(losses):
    """In a phrase that starts small and has no full stop."""
    wrong = {
        stem: names
        for stem, loss in losses.items()
        if (names := [v.name for v in loss.variables if undocumented(v)])
    }
    assert wrong == {}


def test_inputs_have_names_that_users_expect(losses):
    """Words, not the symbols of the formula."""
    assert without(losses, lambda x: all(len(v.arg) > 1 for v in x.inputs)) == []


def test_tensor_parameters_are_buffers(losses):
    """Unless they are trained: so they move with the module and are saved with it."""

    def good(loss: Loss) -> bool:
        return all(
            v.buffer for v in loss.parameters if v.axes and v.role is Role.PARAMETER
        )

    assert without(losses, good) == []


def test_laws(losses):
    lawless = without(losses, lambda loss: loss.laws)
    assert set(lawless) == set(LAWLESS)
    assert all(LAWLESS.values())


def test_examples(losses):
    """Each shows a value for every input, but those that make their own weights at random."""

    def good(loss: Loss) -> bool:
        if loss.example is None:
            return loss.interface is not None and loss.interface.layer is not None
        shown = {name for name, _ in loss.example.arguments}
        return {v.name for v in loss.inputs} <= shown

    assert without(losses, good) == []


def test_the_catalogue_is_covered(losses):
    """Every loss that the library set out with has a class, in the file of the same count."""
    path = Path(__file__).parent / "data" / "catalogue.toml"
    rows = tomllib.loads(path.read_text(encoding="utf-8"))
    wanted = {key: name for family in rows.values() for key, name in family.items()}
    assert len(wanted) == 197
    names = {loss.name for loss in losses.values()}
    assert {k for k, v in wanted.items() if v not in names} == set(NOT_YET)
