"""Labels of reports as arrays: what MedCLIP, SAT, MedKLIP and MeDSLIP are told of a corpus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from asclip.clinical.extract import location_matrix, report_findings
from asclip.errors import DataError


def findings_matrix(
    texts: Sequence[str], names: Sequence[str] | None = None, *, uncertain: str = "nan"
) -> np.ndarray:
    """[n, F] float32: `report_findings` of each text, 1 present, 0 absent, NaN not stated."""
    rows = [report_findings(text, names, uncertain=uncertain) for text in texts]
    width = len(report_findings("", names))
    return np.stack(rows) if rows else np.zeros((0, width), np.float32)


def signed(values: np.ndarray) -> np.ndarray:
    """[n, F] of 1, 0, NaN -> label vectors [n, F] int8: 1 present, -1 absent, 0 not stated.

    >>> signed(np.array([1.0, 0.0, np.nan])).tolist()
    [1, -1, 0]
    """
    values = _matrix(values)
    return np.where(np.isnan(values), 0, np.where(values > 0.5, 1, -1)).astype(np.int8)


def multi_hot(values: np.ndarray) -> np.ndarray:
    """[n, F] of 1, 0, NaN -> [n, F] float32, 1 for present and 0 for all else."""
    return (np.nan_to_num(_matrix(values), nan=0.0) > 0.5).astype(np.float32)


def similarity(values: np.ndarray) -> np.ndarray:
    """How alike reports are, [n, n] float32 in [-1, 1], from [n, F] of 1, 0, NaN.

    Over the findings that both reports state: (agreements - contradictions) / number. 0 where two
    reports state nothing in common; the diagonal is 1, for a report is like itself.
    """
    signs = signed(values).astype(np.float32)
    if signs.ndim != 2:
        raise DataError(f"findings must be a matrix [n, F]; got shape {signs.shape}")
    stated = np.abs(signs)
    shared = stated @ stated.T
    alike = signs @ signs.T / np.maximum(shared, 1.0)
    np.fill_diagonal(alike, 1.0)
    return alike


def cosine(values: np.ndarray) -> np.ndarray:
    """MedCLIP's soft target before its softmax: the cosine of label vectors, [n, n] float32.

    A report that states nothing has similarity 0 to every other one and 1 to itself.
    """
    signs = signed(values).astype(np.float32)
    length = np.linalg.norm(signs, axis=1, keepdims=True)
    unit = signs / np.maximum(length, 1.0)
    alike = unit @ unit.T
    np.fill_diagonal(alike, 1.0)
    return alike


def locations(
    texts: Sequence[str], names: Sequence[str], places: Sequence[str], *, default: bool = False
) -> np.ndarray:
    """[n, F, A] float32: `location_matrix` of each text, the fact `location` of a batch."""
    rows = [location_matrix(text, names, places, default=default) for text in texts]
    shape = (len(rows), len(names), len(places))
    return np.stack(rows) if rows else np.zeros(shape, np.float32)


def adjacency(
    texts: Iterable[str], names: Sequence[str], places: Sequence[str], *, default: bool = False
) -> np.ndarray:
    """[F, A] float32: in how many texts of a corpus finding f lies at anatomy a.

    The texts are read one by one, so that a corpus need not fit in memory.
    """
    total = np.zeros((len(names), len(places)), np.float32)
    for text in texts:
        total += location_matrix(text, names, places, default=default)
    return total


def _matrix(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float32)
    known = values[~np.isnan(values)]
    if known.size and not np.isin(known, (0.0, 1.0)).all():
        wrong = known[~np.isin(known, (0.0, 1.0))][0]
        raise DataError(f"findings must be 1, 0 or NaN; got {wrong}; choose a threshold first")
    return values
