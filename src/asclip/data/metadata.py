"""Facts of a study (age, sex, site ...) as columns of numbers, learned from training studies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from asclip.data.dataset import Dataset
from asclip.data.queries import SELDOM
from asclip.errors import DataError

ASKED = ("change:", "truth:")
CATEGORIES = 8  # most values of a fact that become columns of their own


def columns(
    train: Dataset,
) -> tuple[tuple[tuple[str, str], ...], dict[str, tuple[float, float]]]:
    """Numbers as they are; of words a column for each value that `SELDOM` patients have.

    Facts called `change:...` or `truth:...` are what a model will be asked: not for training.
    """
    found: list[tuple[str, str]] = []
    scale: dict[str, tuple[float, float]] = {}
    patient = train.patient_codes()
    for name in train.meta_names:
        facts = train.meta(name)
        known = facts.dropna()
        if len(known) < SELDOM or known.nunique() < 2 or name.startswith(ASKED):
            continue
        if known.dtype.kind in "fiub":
            values = known.to_numpy(np.float64)
            scale[name] = (float(values.mean()), float(values.std()))
            found.append((name, ""))
            continue
        # By patient: a name stands in all of one patient's studies, and values go into the record.
        seen = set(zip(patient[facts.notna()].tolist(), map(str, known), strict=True))
        counts = Counter(word for _, word in seen).most_common()
        if len(counts) <= len(seen) / 2:  # a fact that is different each time is a name
            found += [(name, word) for word, count in counts[:CATEGORIES] if count >= SELDOM]
    if not found:
        raise DataError(
            "this recipe learns from metadata; the data set has no fact with two known values; "
            "ingest the table with --map meta=AGE,SEX,..., or use another recipe"
        )
    return tuple(found), scale


def table(
    part: Dataset, chosen: Sequence[tuple[str, str]], scale: Mapping[str, tuple[float, float]]
) -> np.ndarray:
    """[n, E] float32, the columns that `columns` chose of each study; NaN where unknown."""
    result = np.full((len(part), len(chosen)), np.nan, np.float32)
    for column, (name, value) in enumerate(chosen):
        facts = part.meta(name)
        if value:
            known = facts.notna().to_numpy()
            result[known, column] = (facts[known].astype(str) == value).to_numpy(np.float32)
        else:
            middle, spread = scale[name]
            result[:, column] = (facts.to_numpy(np.float64) - middle) / spread
    return result
