"""Sentence similarity: does the cosine of two sentences follow what they have in common?

    grade 3  same finding, same assertion, same place, another wording
          2  same finding, same assertion, another place
          1  same finding, the contrary assertion, same place
          0  another finding, which is no kind of the first, same place
    rho      Spearman correlation of grade and cosine over pairs, as many of each grade

Source   the idea of graded pairs: STS benchmark, Cer et al. 2017, arXiv:1708.00055; the temporal
         sentence similarity of BioViL-T, arXiv:2301.04558, asks the same of one fact
Gives    spearman (chance 0), with an interval over findings; the mean cosine of each grade
Differs  nobody has judged the grades: they count shared facts, in this order
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from asclip.clinical.bank import lineage
from asclip.metrics.bootstrap import interval
from asclip.tasks.provenance import provenance
from asclip.tasks.textual.generated import (
    NOTHING,
    PLACES,
    WORDINGS,
    Said,
    reports_of,
    spoken_of,
    version,
)
from asclip.tasks.textual.rows import both, mean_score, score
from asclip.types import Score

TASK = "sentence-similarity"
GRADES = (0, 1, 2, 3)
EACH = 6  # pairs of each grade and finding
NO_SPREAD = "all sentences of this model have one embedding, so that no order can be told"


def sentence_similarity(
    model: Any, data: Any, *, seed: int = 0, resamples: int = 1000
) -> list[Score]:
    """The scores for the model and for a bag of words."""
    facts = provenance(TASK, model, data, seed=seed, prompts=version())
    pairs, grade, group = graded(spoken_of(reports_of(data)), np.random.default_rng(seed))
    vectors = both(model, [one.text for pair in pairs for one in pair])
    scores = []
    for end, rows in vectors.items():
        close = (rows[0::2] * rows[1::2]).sum(axis=1) if pairs else np.zeros(0)
        value = spearman(grade, close)
        span = (np.nan, np.nan)
        if not np.isnan(value):
            span = interval(
                spearman, grade, close, groups=group, rng=np.random.default_rng(seed),
                resamples=resamples,
            )  # fmt: skip
        scores.append(
            score(
                facts, "spearman", value, end=end, interval=span, n=len(pairs), chance=0.0,
                why=NO_SPREAD if pairs else NOTHING,
            )
        )  # fmt: skip
        for one in GRADES:
            mine = grade == one
            scores.append(
                mean_score(
                    facts, "cosine", close[mine], group[mine], label=f"grade {one}",
                    resamples=resamples, end=end, why=NOTHING,
                )
            )  # fmt: skip
    return scores


def graded(
    names: Sequence[str], rng: np.random.Generator
) -> tuple[list[tuple[Said, Said]], np.ndarray, np.ndarray]:
    """Pairs, their grades [n] float64 and the number [n] of the finding that each begins with.

    A finding without another one that is no kind of it is left out.
    """
    pairs, grade, group = [], [], []
    for number, name in enumerate(names):
        others = [other for other in names if not kin(name, other)]
        if not others:
            continue
        for _ in range(EACH):
            wording, second = rng.choice(WORDINGS, 2, replace=False)
            place, elsewhere = (PLACES[k] for k in rng.choice(len(PLACES), 2, replace=False))
            present = bool(rng.random() < 0.5)
            other = others[int(rng.integers(len(others)))]
            first = Said(name, present, int(wording), place)
            for one, twin in enumerate(
                (
                    Said(other, present, int(second), place),
                    Said(name, not present, int(second), place),
                    Said(name, present, int(second), elsewhere),
                    Said(name, present, int(second), place),
                )
            ):
                pairs.append((first, twin))
                grade.append(float(one))
                group.append(number)
    return pairs, np.array(grade), np.array(group, dtype=np.int64)


def kin(one: str, other: str) -> bool:
    """True where one finding is the other, or a kind of it, or both are kinds of a third.

    >>> kin("pneumonia", "lung opacity"), kin("pneumonia", "hiatal hernia")
    (True, False)
    """
    return bool({one, *lineage(one)} & {other, *lineage(other)})


def spearman(grade: np.ndarray, close: np.ndarray) -> float:
    """Correlation of the ranks, ties at their mean rank; NaN where either is constant.

    Equal vectors differ by rounding, so a cosine counts to 9 digits.

    >>> round(spearman(np.array([0, 1, 2]), np.array([-1.0, 0.5, 0.7])), 6)
    1.0
    """
    from scipy.stats import rankdata

    ranks = np.stack([rankdata(grade), rankdata(np.round(close, 9))]).reshape(2, -1)
    ranks = ranks - ranks.mean(axis=1, keepdims=True) if ranks.size else ranks
    length = np.sqrt((ranks**2).sum(axis=1))
    return float(ranks[0] @ ranks[1] / length.prod()) if length.all() and ranks.size else np.nan
