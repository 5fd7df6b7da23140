"""References of losses with margins on angles, and of rankings by histograms."""

from __future__ import annotations

import math

import numpy as np

from tests.references.similarity import (
    cosines,
    even_bins,
    members,
    picked,
    soft_histogram,
)
from tests.references.table import Table

TABLE = Table()


@TABLE.add()
def arc_face(z, t, W, m, s):
    logits = s * cosines(z, W)
    for row, k in zip(logits, t, strict=True):
        angle = math.acos(row[k] / s)
        wider = angle + m
        row[k] = s * (
            math.cos(wider) if wider < math.pi else math.cos(angle) - m * math.sin(m)
        )
    return picked(logits, t)


@TABLE.add(change=even_bins(0.0, 4.0, 6))
def fast_ap(z, t, bins, width):
    gap = 2 - 2 * cosines(z, z)
    losses = []
    for i in range(len(z)):
        same, rivals = members(t, i)
        near = soft_histogram(gap[i][same], bins, width)
        far = soft_histogram(gap[i][rivals], bins, width)
        precision = 0.0
        for k in range(len(bins)):
            seen = near[: k + 1].sum() + far[: k + 1].sum()
            if seen > 0:
                precision += near[k] * near[: k + 1].sum() / seen
        losses.append(1 - precision / len(same) if same else 0.0)
    return np.array(losses)


@TABLE.add()
def sphere_face(z, t, W, m, s):
    logits = s * cosines(z, W)
    for row, k in zip(logits, t, strict=True):
        angle = m * math.acos(row[k] / s)
        # The cosine falls by 2 over each half turn, and every further one goes on from there.
        own = 0.0
        while angle > math.pi:
            angle -= math.pi
            own -= 2.0
        row[k] = s * (own + math.cos(angle))
    return picked(logits * np.linalg.norm(z, axis=1, keepdims=True), t)
