"""All losses on one page, by family: what each is, in a line of mathematics, with its verdict."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from losscodegen import __version__
from losscodegen.ir.loss import Loss
from losscodegen.judge.certificate import Certificate
from losscodegen.language.mathematics import one_line
from losscodegen.teach.html import ASSETS, page, style_sheet

INDEX, STYLE, SCRIPT = "index.html", "style.css", "gallery.js"
LICENCE = "stix-two-math-OFL.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A loss as the gallery shows it; ``address`` is that of its page."""

    name: str
    family: str
    summary: str
    mathematics: str
    verdict: str
    address: str = ""


def card_of(loss: Loss, certificate: Certificate | None) -> Card:
    """The card of a loss, before it is known where its page stands."""
    return Card(
        name=loss.name,
        family=loss.family,
        summary=loss.summary,
        mathematics=one_line(loss),
        verdict="" if certificate is None else certificate.verdict,
    )


def shared_files() -> dict[str, str]:
    """What all pages of a gallery use, by file name: style with the font, its licence, search."""
    return {
        STYLE: style_sheet(),
        LICENCE: (ASSETS / LICENCE).read_text(encoding="utf-8"),
        SCRIPT: (ASSETS / SCRIPT).read_text(encoding="utf-8"),
    }


def gallery(cards: Sequence[Card]) -> str:
    """The page that leads to all others. The search needs a script, nothing else does."""
    families: dict[str, list[Card]] = {}
    for card in sorted(cards, key=lambda card: (card.name.lower(), card.address)):
        families.setdefault(card.family or "without a family", []).append(card)
    ordered = sorted(families)
    contents = "".join(
        f'<li><a href="#{anchor(family)}">{escape(family)}</a> '
        f'<span class="soft">{len(families[family])}</span></li>'
        for family in ordered
    )
    sections = "".join(_family(family, families[family]) for family in ordered)
    many = "1 loss" if len(cards) == 1 else f"{len(cards)} losses"
    body = (
        f'<main>\n<h1>Losses</h1>\n<p class="lead">{many} in {len(families)} '
        f"famil{'y' if len(families) == 1 else 'ies'}, each compiled from its formula and held "
        "against interval arithmetic.</p>\n"
        '<search class="search" hidden><label for="find">Find a loss</label>'
        '<input id="find" type="search" autocomplete="off" spellcheck="false">'
        '<p class="note" id="found" role="status"></p></search>\n'
        f'<nav class="contents" aria-label="Families"><ul>{contents}</ul></nav>\n'
        f"{sections}</main>\n<footer><p>Written by losscodegen {__version__}. Formulas are set in "
        f'a subset of STIX Two Math, under the <a href="{LICENCE}">SIL Open Font License 1.1</a>.'
        "</p></footer>\n"
    )
    head = f'<script src="{SCRIPT}" defer></script>\n'
    return page("Losses", body, style=STYLE, head=head)


def anchor(family: str) -> str:
    """The name that a family is pointed to by."""
    return "family-" + re.sub(r"[^a-z0-9]+", "-", family.lower()).strip("-")


def _family(family: str, cards: Sequence[Card]) -> str:
    name = anchor(family)
    items = "".join(
        f'<li><a href="{escape(card.address)}">{escape(card.name)}</a>'
        f"{_verdict(card.verdict)}<p>{escape(card.summary)}</p>"
        f'<p class="one-line">{escape(card.mathematics)}</p></li>\n'
        for card in cards
    )
    return (
        f'<section aria-labelledby="{name}">\n<h2 id="{name}">{escape(family)}</h2>\n'
        f'<ul class="losses">\n{items}</ul>\n</section>\n'
    )


def _verdict(word: str) -> str:
    if word in ("", "passed"):
        return ""
    return f' <span class="verdict {word}">{word}</span>'
