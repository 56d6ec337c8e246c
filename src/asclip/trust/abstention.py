"""Abstention: what is left of the errors if the least sure studies go to a human.

`confidence` [n] orders the studies, `wrong` [n] is 1 for an error, 0 for none, NaN unknown.
Studies of equal confidence are kept or left together: each counts with their mean error, which is
the expectation over their orders.

Paper    El-Yaniv and Wiener 2010 (risk, coverage); Geifman, Uziel and El-Yaniv 2019,
         arXiv:1805.08206, section 3 (AURC and its excess over the best order)
"""

from __future__ import annotations

import numpy as np

from asclip.metrics.known import known


def risk_coverage(wrong: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(coverage [m], risk [m]): share of the m studies kept, 1/m to 1, and share of errors in it.

    >>> risk_coverage(np.array([0, 1, 0]), np.array([0.9, 0.5, 0.7]))[1].round(2).tolist()
    [0.0, 0.0, 0.33]
    """
    errors, confidence = known(wrong, confidence)
    m = len(errors)
    _, tie, size = np.unique(-confidence, return_inverse=True, return_counts=True)
    mean = np.bincount(tie, weights=errors, minlength=len(size)) / np.maximum(size, 1)
    kept = np.arange(1, m + 1)
    return kept / max(m, 1), np.cumsum(np.repeat(mean, size)) / kept


def aurc(wrong: np.ndarray, confidence: np.ndarray) -> float:
    """Area under the risk-coverage curve: the mean risk over all coverages; NaN without a study.

    0 is best; a random order reaches the share of errors.

    >>> round(aurc(np.array([0, 1, 0]), np.array([0.9, 0.5, 0.7])), 3)
    0.111
    """
    _, risk = risk_coverage(wrong, confidence)
    return float(risk.mean()) if risk.size else float("nan")


def excess_aurc(wrong: np.ndarray, confidence: np.ndarray) -> float:
    """`aurc` minus that of the best order, which leaves every error for the end; 0 is best.

    >>> excess_aurc(np.array([0, 1, 0]), np.array([0.9, 0.5, 0.7]))
    0.0
    """
    errors, confidence = known(wrong, confidence)
    return aurc(errors, confidence) - aurc(errors, -errors.astype(np.float64))
