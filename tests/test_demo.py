"""The demonstration shows what it says: the same training, and one formula that breaks."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

DEMO = Path(__file__).parents[1] / "demo" / "train_breast_cancer.py"


EPOCHS = 60  # of 300: enough to see both sides part


def test_demo() -> None:
    spec = importlib.util.spec_from_file_location("demo_train", DEMO)
    assert spec is not None
    assert spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = demo  # dataclasses look their module up
    spec.loader.exec_module(demo)
    vars(demo)["EPOCHS"] = EPOCHS
    data = demo.load_data()
    ours = demo.train(
        demo.WeightedLogLoss(positive_weight=demo.W1, negative_weight=demo.W0), data
    )
    naive = demo.train(demo.naive_loss, data)
    assert all(math.isfinite(epoch.loss) for epoch in ours)
    assert ours[-1].loss < 0.1 < ours[0].loss
    assert ours[-1].accuracy > 0.9
    broken = next(k for k, epoch in enumerate(naive) if math.isnan(epoch.loss))
    assert broken > 5, "both sides train alike before the first saturated probability"
    for a, b in zip(ours[:broken], naive[:broken], strict=True):
        assert math.isclose(a.loss, b.loss, rel_tol=1e-3)
        assert a.saturated == 0
    assert ours[broken].saturated > 0
    assert all(math.isnan(epoch.loss) for epoch in naive[broken:])
    assert f"Epoch {broken}:" in demo.report(ours, naive)
