"""The mean of the page on several devices: what it says of gradients that are averaged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.sessions import ROOT, blocks

PAGE = (ROOT / "docs" / "how-to" / "parallel.md").read_text(encoding="utf-8")

PROCESS = """
import sys
rank, folder = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
torch.manual_seed(0)
x, target = torch.randn(8, 4), torch.tensor([0, 1, 2, -100, 0, -100, -100, -100])
model = torch.nn.Linear(4, 3)
whole = cross_entropy_loss(model(x), target)
(want,) = torch.autograd.grad(whole, model.weight)
parallel = torch.nn.parallel.DistributedDataParallel(model)
part = slice(4 * rank, 4 * rank + 4)
global_mean(parallel(x[part]), target[part]).backward()
torch.testing.assert_close(model.weight.grad, want)
dist.destroy_process_group()
"""


def test_gradients_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    """Although the second process has a quarter of the labels."""
    shown = next(b.body for b in blocks(PAGE) if "def global_mean" in b.body)
    script = tmp_path / "train.py"
    script.write_text(shown + PROCESS, encoding="utf-8")
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(tmp_path)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
