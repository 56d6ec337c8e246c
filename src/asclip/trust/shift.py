"""Do calibration and test studies score alike? What was fitted on the one holds only then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Shift:
    """A two-sample test of K columns of scores: `statistic` and `p_value` [K], counts of rows.

    `p_value` has the tests of all columns taken into account (Bonferroni); NaN without rows.
    """

    names: tuple[str, ...]
    statistic: np.ndarray
    p_value: np.ndarray
    n: tuple[int, int]
    level: float = 0.01

    @property
    def found(self) -> tuple[str, ...]:
        """The columns that differ at `level`."""
        return tuple(n for n, p in zip(self.names, self.p_value, strict=True) if p < self.level)

    @property
    def warning(self) -> str:
        """One sentence where a column differs, else ""."""
        if not self.found:
            return ""
        worst = int(np.nanargmin(self.p_value))
        more = f" and {len(self.found) - 1} more" if len(self.found) > 1 else ""
        return (
            f"validation ({self.n[0]:,}) and test ({self.n[1]:,}) score differently: "
            f"{self.names[worst]}{more} (Kolmogorov-Smirnov D = {self.statistic[worst]:.2f}, "
            f"p = {self.p_value[worst]:.1g}); calibration and coverage need not hold here; "
            "calibrate on studies of the test's own site"
        )


def shift(
    calibration: np.ndarray,
    test: np.ndarray,
    *,
    names: tuple[str, ...] = ("scores",),
    level: float = 0.01,
) -> Shift:
    """The Kolmogorov-Smirnov test of calibration [n, K] and test [m, K] scores, column by column.

    Give one study per patient (`one_each`): the test counts each row as a witness of its own. Equal
    scores do not exclude a shift: another relation of the same scores to the truth goes unseen.

    Raises:
        ValueError: the columns do not fit, or the level is not in (0, 1).
    """
    from scipy.stats import ks_2samp

    first, second = (np.asarray(part, dtype=np.float64) for part in (calibration, test))
    if first.ndim != 2 or second.ndim != 2 or not first.shape[1] == second.shape[1] == len(names):
        raise ValueError(
            f"scores must be [n, {len(names)}] and [m, {len(names)}] for the names "
            f"{names}, got {first.shape} and {second.shape}"
        )
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    statistic, p_value = np.full(len(names), np.nan), np.full(len(names), np.nan)
    for k in range(len(names)):
        left, right = (part[~np.isnan(part[:, k]), k] for part in (first, second))
        if left.size and right.size:
            result = ks_2samp(left, right, method="asymp" if left.size > 500 else "auto")
            statistic[k], p_value[k] = result.statistic, min(1.0, result.pvalue * len(names))  # pyright: ignore[reportAttributeAccessIssue]
    return Shift(names, statistic, p_value, (len(first), len(second)), level)


def one_each(patient: np.ndarray) -> np.ndarray:
    """[m] row numbers of the first study of each patient [n], ascending.

    >>> one_each(np.array(["b", "a", "b"])).tolist()
    [0, 1]
    """
    return np.sort(np.unique(np.asarray(patient), return_index=True)[1])
