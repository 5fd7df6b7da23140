"""One IPython inside the test process, without a history and with a profile of its own."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    folder = str(tmp_path_factory.mktemp("ipython"))
    hooks = sys.displayhook, sys.excepthook
    main = sys.modules["__main__"]  # which the shell replaces by its own
    shell = InteractiveShell(config=config, ipython_dir=folder)
    try:
        yield shell
    finally:
        atexit.unregister(shell.atexit_operations)
        shell.atexit_operations()
        sys.displayhook, sys.excepthook = hooks
        sys.modules["__main__"] = main
