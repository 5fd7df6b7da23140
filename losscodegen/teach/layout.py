"""Where the boxes of a graph stand: layer below layer, few crossings, edges around boxes.

The method is the usual one of layered drawings (Sugiyama, Tagawa and Toda 1981): edges over several
layers get a place of their own in each, and the order of a layer follows the middle of its
neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SWEEPS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The middle of every box by its number, the bends of every edge, and how wide it all is."""

    places: tuple[tuple[float, int], ...]
    """Across, in units of a box with its margin, and the layer."""
    edges: tuple[tuple[tuple[float, int], ...], ...]
    """For each (box, operand) in the order of the operands: its places from operand to box."""
    width: float
    layers: int


def layout(operands: Sequence[tuple[int, ...]], slim: float = 0.3) -> Layout:
    """The layout of a graph whose box ``k`` takes ``operands[k]``, all of them earlier ones.

    ``slim`` is how wide an edge is that passes a layer, in units of a box.
    """
    count = len(operands)
    level = _levels(operands)
    nodes: list[tuple[int, float]] = [(level[k], 1.0) for k in range(count)]
    above: list[list[int]] = [[] for _ in range(count)]
    chains: list[list[int]] = []
    for k, inputs in enumerate(operands):
        for start in inputs:
            chain = [start]
            for between in range(level[start] + 1, level[k]):
                nodes.append((between, slim))
                above.append([chain[-1]])
                chain.append(len(nodes) - 1)
            above[k].append(chain[-1])
            chain.append(k)
            chains.append(chain)
    below: list[list[int]] = [[] for _ in nodes]
    for node, sources in enumerate(above):
        for source in sources:
            below[source].append(node)
    layers: list[list[int]] = [[] for _ in range(max(level, default=0) + 1)]
    for node, (depth, _) in enumerate(nodes):
        layers[depth].append(node)
    _untangle(layers, above, below)
    across = _spaced(layers, above, below, [size for _, size in nodes])
    return Layout(
        places=tuple((across[k], level[k]) for k in range(count)),
        edges=tuple(tuple((across[n], nodes[n][0]) for n in chain) for chain in chains),
        width=max((across[n] + nodes[n][1] / 2 for n in range(len(nodes))), default=0),
        layers=len(layers),
    )


def _levels(operands: Sequence[tuple[int, ...]]) -> list[int]:
    """Below all operands; what takes none stands right above the first box that takes it."""
    level = [0] * len(operands)
    for k, inputs in enumerate(operands):
        level[k] = 1 + max((level[i] for i in inputs), default=-1)
    users: dict[int, list[int]] = {}
    for k, inputs in enumerate(operands):
        for i in inputs:
            users.setdefault(i, []).append(level[k])
    return [
        depth if operands[k] or k not in users else min(users[k]) - 1
        for k, depth in enumerate(level)
    ]


def _untangle(
    layers: list[list[int]], above: list[list[int]], below: list[list[int]]
) -> None:
    """Orders each layer by the middle of its neighbours, down and up in turn."""
    place = {node: k for layer in layers for k, node in enumerate(layer)}
    best = [list(layer) for layer in layers]
    fewest = _crossings(layers, above, place)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            near = above if down else below
            keys = {
                n: (
                    sum(place[m] for m in near[n]) / len(near[n])
                    if near[n]
                    else place[n]
                )
                for n in layer
            }
            layer.sort(key=lambda n: (keys[n], place[n]))
            place.update((n, k) for k, n in enumerate(layer))
        crossings = _crossings(layers, above, place)
        if crossings < fewest:
            fewest, best = crossings, [list(layer) for layer in layers]
    layers[:] = best


def _crossings(
    layers: list[list[int]], above: list[list[int]], place: dict[int, int]
) -> int:
    count = 0
    for layer in layers:
        ends = [(place[m], k) for k, n in enumerate(layer) for m in above[n]]
        count += sum(
            (a - c) * (b - d) < 0
            for k, (a, b) in enumerate(ends)
            for c, d in ends[k + 1 :]
        )
    return count


def _spaced(
    layers: list[list[int]],
    above: list[list[int]],
    below: list[list[int]],
    sizes: list[float],
) -> list[float]:
    """Across: next to each other in their order, each as near to its neighbours as that allows."""
    across = [0.0] * len(sizes)
    for layer in layers:
        total, at = sum(sizes[n] for n in layer), 0.0
        for node in layer:
            across[node] = at + sizes[node] / 2 - total / 2
            at += sizes[node]
    for sweep in range(SWEEPS):
        near = above if sweep % 2 == 0 else below
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [
                sum(across[m] for m in near[n]) / len(near[n]) if near[n] else across[n]
                for n in layer
            ]
            _settle(layer, wanted, across, sizes)
    left = min((across[n] - sizes[n] / 2 for n in range(len(sizes))), default=0.0)
    return [x - left for x in across]


def _settle(
    layer: list[int], wanted: list[float], across: list[float], sizes: list[float]
) -> None:
    """Places of a layer nearest to the wanted ones in the least squares that keep the gaps.

    Boxes that would overlap form a block and stand where their middles wish on average.
    """
    blocks: list[tuple[float, int, list[int]]] = []
    offset = 0.0
    starts: list[float] = []
    for k, node in enumerate(layer):
        if k:
            offset += (sizes[layer[k - 1]] + sizes[node]) / 2
        starts.append(offset)
        blocks.append((wanted[k] - offset, 1, [k]))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n, first), (b, m, second) = blocks[-2], blocks[-1]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m, first + second)]
    for at, _, members in blocks:
        for k in members:
            across[layer[k]] = at + starts[k]
