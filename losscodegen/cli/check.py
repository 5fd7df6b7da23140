"""``losscodegen check``: the verification, worst first."""

from __future__ import annotations

import click

from losscodegen.cli.settings import common


@click.command()
@common
def check() -> int:
    """Verify losses."""
    return 0
