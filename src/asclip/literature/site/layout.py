"""Places for the nodes of a graph: springs along edges, repulsion between all, no chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

EVEN = 0.6  # share of the order in a coordinate, against crowding


def place(number: int, edges: Sequence[tuple[int, int]], *, steps: int = 120) -> np.ndarray:
    """[number, 2] coordinates in [0, 1]; the same graph has the same drawing.

    Fruchterman & Reingold 1991: force d^2 / k along an edge, k^2 / d between any two nodes, steps
    that shrink; a pull to the centre keeps parts together that no edge joins. The start is a
    sunflower's spiral. At the end a coordinate is in part its rank, which spreads what is crowded.
    """
    if number < 2:
        return np.full((number, 2), 0.5)
    turn = np.arange(number) * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt((np.arange(number) + 0.5) / number) / 2
    at = np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1).astype(np.float32)
    ends = np.asarray(edges, dtype=int).reshape(-1, 2)
    k = float(1 / np.sqrt(number))
    for step in range(steps):
        force = repulsion(at, k) - 3 * k * at
        along = at[ends[:, 0]] - at[ends[:, 1]]
        pull = along * (np.linalg.norm(along, axis=1, keepdims=True) / k)
        np.add.at(force, ends[:, 0], -pull)
        np.add.at(force, ends[:, 1], pull)
        length = np.linalg.norm(force, axis=1, keepdims=True) + 1e-9
        at += force / length * np.minimum(length, 0.1 * (1 - step / steps) + 0.002)
    return spread(at)


def repulsion(at: np.ndarray, k: float) -> np.ndarray:
    """[n, 2] sum over the others of k^2 / d, away from them.

    Written as weights w_ij = k^2 / d^2: sum_j w_ij (x_i - x_j) = x_i sum_j w_ij - (W x)_i.
    """
    length = (at**2).sum(1)
    squared = np.maximum(length[:, None] + length[None] - 2 * at @ at.T, 1e-6)  # [n, n]
    weight = k * k / squared
    np.fill_diagonal(weight, 0.0)
    return at * weight.sum(1, keepdims=True) - weight @ at


def spread(at: np.ndarray) -> np.ndarray:
    """Coordinates in [0, 1]: a mean of the place itself and its rank."""
    at = at.astype(float)
    low, high = at.min(0), at.max(0)
    own = (at - low) / np.maximum(high - low, 1e-6)
    rank = at.argsort(0, kind="stable").argsort(0, kind="stable") / max(1, len(at) - 1)
    return (1 - EVEN) * own + EVEN * rank
