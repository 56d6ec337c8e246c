"""Which share of the labelled patients an experiment may learn from, drawn once for all methods.

The patients with something known are put in an order that the seed and each patient alone decide; a
share of them is the first ones, with all their studies. So 1 % is part of 10 %, and no patient is
half in. At least one patient is taken.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asclip.data import atomic
from asclip.errors import DataError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Shares:
    """The order: of each patient the studies."""

    seed: int
    dataset: str
    prompts: str
    patients: Sequence[Sequence[str]]

    def take(self, share: float) -> list[str]:
        """The studies of a share of the patients, sorted."""
        if not 0 < share <= 1:
            raise DataError(f"a share must lie above 0 and not above 1 (100 %), got {share:g}")
        number = max(1, math.ceil(share * len(self.patients) - 1e-9))
        return sorted(study for patient in self.patients[:number] for study in patient)

    def write(self, path: Path) -> None:
        """One JSON file; study pseudonyms, no patient's."""
        content = {
            "format": FORMAT,
            "seed": self.seed,
            "dataset": self.dataset,
            "prompts": self.prompts,
            "patients": [list(studies) for studies in self.patients],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> Shares:
        """What `write` wrote.

        Raises:
            DataError: the file is no file of shares.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError("another format")
            return cls(**content)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"{path} must be a file of shares (format {FORMAT}), got {error!r}; remove it, it "
                "is drawn again"
            ) from None


def draw_shares(
    studies: Sequence[str],
    patients: Sequence[str],
    truth: np.ndarray,
    *,
    seed: int,
    dataset: str = "",
    prompts: str = "",
) -> Shares:
    """The order of the patients of whom something is known, of truth [n, K] in {1, 0, NaN}.

    Raises:
        DataError: of none.
    """
    known = ~np.isnan(truth).all(1)
    of: dict[str, list[str]] = {}
    for study, patient in zip(np.asarray(studies)[known], np.asarray(patients)[known], strict=True):
        of.setdefault(str(patient), []).append(str(study))
    if not of:
        raise DataError(
            "some training study must have a known class and an image, got none; label some"
        )
    order = sorted(of, key=lambda one: hashlib.sha256(f"{seed}:{one}".encode()).digest())
    return Shares(seed, dataset, prompts, [sorted(of[one]) for one in order])
