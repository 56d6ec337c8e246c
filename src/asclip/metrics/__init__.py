"""Metrics: numpy only, `(truth, score) -> float`, NaN when undefined, and a reason for each NaN.

    known           which studies count, and why a metric has no value
    classification  AUROC, average precision, decisions at a threshold, several classes
    ranking         ranks of the first hit, R@k, median rank, MRR, P@k
    chance          what a random order reaches, exactly
    calibration     expected calibration error, Brier score, log loss, the reliability table
    biased          intervals of metrics that noise pushes one way
    bootstrap       intervals over patients, the fast AUROC, paired differences

`truth` is 1, 0 or NaN (not stated), `score` any real number or NaN (not scored); a study with a NaN
in either does not count. No metric depends on a batch, and none looks at the order of the studies.
Ranking metrics work on ranks, so that a monotone map of the scores changes nothing.
"""

from __future__ import annotations
