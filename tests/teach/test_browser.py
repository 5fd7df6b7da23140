"""The pages in headless Chromium: what one does with them, and whether everyone can."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from losscodegen.cli.main import run
from losscodegen.teach.gallery import INDEX, Card, gallery, shared_files
from losscodegen.teach.report import report
from tests.teach.browser import browser, chromium, server, violations
from tests.teach.test_report import SPEC, subject

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser(tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    chromium()
    with server() as found:
        yield found


@pytest.fixture
def page(context: Any, address: str) -> Iterator[Any]:
    """The interactive page, answered once; whatever the console says is an error."""
    made, said = context.new_page(), []
    made.on("console", lambda message: said.append(message.text))
    made.on("pageerror", lambda error: said.append(str(error)))
    made.set_default_timeout(60_000)
    made.goto(address)
    made.wait_for_selector("body[data-answered]")
    yield made
    made.close()
    assert said == []


def answered(page: Any, act: Any) -> None:
    """Does something and waits for the next answer."""
    before = page.evaluate("document.body.dataset.answered")
    act()
    page.wait_for_selector(f"body[data-answered]:not([data-answered='{before}'])")


def test_pick_a_loss(page: Any) -> None:
    answered(page, lambda: page.select_option("#pick", "huber"))
    assert page.inner_text("#title") == "HuberLoss"
    assert page.locator("#mathematics math").count() >= 1
    assert page.locator("#shape svg.plot").count() == 3
    assert page.locator("#digits svg.plot").count() == 2
    assert "def huber_loss(" in page.inner_text("#code")
    assert page.input_value("#field-delta") == "1"


def test_type_a_loss_and_see_where_it_is_wrong(page: Any) -> None:
    spec = '[Mine]\ninputs.x = "real[...]"\nloss = "log(1 + exp(x))"\n'
    answered(page, lambda: page.fill("#spec", spec))
    assert page.inner_text("#title") == "Mine"
    page.fill("#spec", spec.replace("log", "lgo"))
    page.wait_for_selector("#problems li")
    excerpt = page.inner_text("#problems pre").split("\n")
    assert excerpt[1].index("^") == excerpt[0].index("lgo")
    assert page.inner_text("#marks mark") == "lgo"
    assert page.get_attribute("#spec", "aria-invalid") == "true"
    assert "did you mean 'log'?" in page.inner_text("#problems")
    assert page.inner_text("#title") == "Mine"
    answered(page, lambda: page.fill("#spec", spec))
    assert page.locator("#problems li").count() == 0


def test_a_better_gradient_comes_later(page: Any) -> None:
    spec = '[Mine]\ninputs.x = "real[...]"\nloss = "log(cosh(x)) - x**2/2"\n'
    answered(page, lambda: page.fill("#spec", spec))
    page.wait_for_selector("#code:has-text('autograd.Function')")
    page.wait_for_selector("#state:empty", state="attached")


def test_edit_a_parameter_and_follow_the_values(page: Any) -> None:
    answered(page, lambda: page.select_option("#pick", "huber"))
    answered(page, lambda: page.fill("#field-x", "5"))
    assert "4.5" in page.inner_text("#graph")
    answered(page, lambda: page.fill("#field-delta", "2"))
    assert "8.0" in page.inner_text("#graph")
    assert page.input_value("[data-slides=delta]") == "2"
    slide = "s => { s.value = 1; s.dispatchEvent(new Event('input', {bubbles: true})) }"
    answered(page, lambda: page.eval_on_selector("[data-slides=delta]", slide))
    assert page.input_value("#field-delta") == "1"
    assert "4.5" in page.inner_text("#graph")


def test_point_at_a_plot(page: Any) -> None:
    answered(page, lambda: page.select_option("#pick", "huber"))
    plot = page.locator("#shape svg.plot").first
    box = plot.bounding_box()
    at = {"x": box["width"] * 0.9, "y": box["height"] / 2}
    answered(page, lambda: plot.click(position=at))
    assert 4 < float(page.input_value("#field-x")) < 6
    answered(page, lambda: page.select_option("#along", "y:0"))
    plot = page.locator("#digits svg.plot").first
    at["x"] = plot.bounding_box()["width"] * 0.9
    answered(page, lambda: plot.click(position=at))
    assert abs(float(page.input_value("#field-y"))) > 1e6


def test_copy_and_share(page: Any, context: Any) -> None:
    answered(page, lambda: page.select_option("#pick", "huber"))
    answered(page, lambda: page.fill("#field-x", "-7"))
    for key, wanted in (
        ("python", "class HuberLoss(nn.Module):"),
        ("toml", "[HuberLoss]"),
        ("latex", r"\begin{cases}"),
    ):
        page.click(f"[data-copies={key}]")
        page.wait_for_selector("#state:text-is('Copied.')")
        assert wanted in page.evaluate("navigator.clipboard.readText()")
    page.click("[data-copies=link]")
    page.wait_for_timeout(100)
    link = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"/\?q=[\w-]+$", link)
    other = context.new_page()
    other.goto(link)
    other.wait_for_selector("body[data-answered]")
    assert other.inner_text("#title") == "HuberLoss"
    assert other.input_value("#field-x") == "-7"
    other.close()


FROM_KEY_TO_PAGE = """spec => new Promise((done) => {
  const start = performance.now();
  new MutationObserver((_, observer) => {
    observer.disconnect();
    requestAnimationFrame(() => done(performance.now() - start));
  }).observe(document.body, { attributes: true });
  const field = document.getElementById("spec");
  field.value = spec;
  field.dispatchEvent(new Event("input", { bubbles: true }));
})"""


ONE_INPUT = '[Mine]\ninputs.x = "real[...]"\nloss = "log(1 + exp(-{k}*x))"\n'
TWO_INPUTS = """[Mine]
inputs.x = "real[...]"
inputs.y = "unit[...]"
loss = "-(y*log(sigmoid({k}*x)) + (1 - y)*log(1 - sigmoid({k}*x)))"
"""


@pytest.mark.parametrize("spec", [ONE_INPUT, TWO_INPUTS], ids=["one", "two"])
def test_from_key_to_page_in_less_than_400_ms(page: Any, spec: str) -> None:
    answered(page, lambda: page.select_option("#pick", "huber"))
    times = []
    for k in range(9):
        times.append(page.evaluate(FROM_KEY_TO_PAGE, spec.format(k=k + 2)))
        page.wait_for_selector("#state:empty", state="attached")
    print(f"median {statistics.median(times):.0f} ms")
    # Twice the aim: other work may share the machine with the test.
    assert statistics.median(times) < 800


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_everyone_can_use_the_page(page: Any, width: int, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    answered(page, lambda: page.select_option("#pick", "bce_with_logits"))
    page.fill("#spec", page.input_value("#spec").replace("softplus", "sotfplus", 1))
    page.wait_for_selector("#problems li")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.wait_for_timeout(100)
    assert violations(page) == []


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "report.html").write_text(report([subject(SPEC)]), encoding="utf-8")
    with redirect_stdout(StringIO()) as text:
        assert run(["explain", "huber", "--format", "html"]) == 0
    (folder / "explained.html").write_text(text.getvalue(), encoding="utf-8")
    cards = [
        Card(
            name=f"{name}Loss",
            family=family,
            summary=f"Summary of {name}.",
            mathematics="log(1 + exp(x))",
            verdict="passed",
            address="report.html",
        )
        for name, family in (("Softplus", "binary"), ("Huber", "regression"))
    ]
    (folder / INDEX).write_text(gallery(cards), encoding="utf-8")
    for name, text in shared_files().items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["report.html", INDEX, "explained.html"])
def test_everyone_can_read_the_pages(
    context: Any, written: Path, name: str, width: int, scheme: str
) -> None:
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((written / name).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert said == []
    assert violations(page) == []
    assert page.evaluate("document.fonts.check('16px \"STIX Two Math Subset\"')")
    page.close()


def test_the_gallery_finds_losses(context: Any, written: Path) -> None:
    page = context.new_page()
    page.goto((written / INDEX).as_uri())
    assert page.locator("ul.losses li:visible").count() == 2
    page.fill("#find", "hub")
    assert (
        page.locator("ul.losses li:visible")
        .all_inner_texts()[0]
        .startswith("HuberLoss")
    )
    assert page.inner_text("#found") == "1 loss"
    assert page.locator("main > section:visible").count() == 1
    page.fill("#find", "no such thing")
    assert page.inner_text("#found") == "0 losses"
    page.close()
