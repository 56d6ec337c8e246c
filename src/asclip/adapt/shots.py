"""Which studies a few-shot experiment may learn from, drawn once so that all methods see the same.

Of each class the patients who have it are put in an order, one study each; K shots are its first K.
So K = 1 is part of K = 2, and neither another class nor the order of a table changes anything. Of
several labels, "has it" and "is known not to" are drawn apart: K shots are up to 2 K studies a
label, and all that is known of a drawn study counts. A class with fewer than K patients gives all
it has, which `short` says; a class with none is an error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asclip.data import atomic
from asclip.errors import DataError

FORMAT = 1
SIDES = {"has": 1.0, "has not": 0.0}


@dataclass(frozen=True, slots=True)
class Shots:
    """The orders: label -> "has" (of labels also "has not") -> up to `most` studies."""

    seed: int
    most: int
    dataset: str
    prompts: str
    orders: Mapping[str, Mapping[str, Sequence[str]]]

    def take(self, k: int) -> list[str]:
        """The studies of K shots, sorted, each once."""
        if not 1 <= k <= self.most:
            raise DataError(
                f"shots must lie between 1 and {self.most}, for which they were drawn, got {k}; "
                "draw more"
            )
        return sorted({one for side in self._sides() for one in side[:k]})

    def short(self, k: int) -> dict[str, int]:
        """How many there are of each "label: side" of which there are fewer than K."""
        return {
            f"{label}: {side}": len(order)
            for label, sides in self.orders.items()
            for side, order in sides.items()
            if len(order) < k
        }

    def _sides(self) -> list[Sequence[str]]:
        return [order for sides in self.orders.values() for order in sides.values()]

    def write(self, path: Path) -> None:
        """One JSON file; study pseudonyms, no patient's."""
        content = {
            "format": FORMAT,
            "seed": self.seed,
            "most": self.most,
            "dataset": self.dataset,
            "prompts": self.prompts,
            "orders": {
                label: {side: list(order) for side, order in sides.items()}
                for label, sides in self.orders.items()
            },
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> Shots:
        """What `write` wrote.

        Raises:
            DataError: the file is missing, or no file of shots.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError("another format")
            return cls(**content)
        except FileNotFoundError:
            raise DataError(f"{path} does not exist; draw the shots first") from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"{path} must be a file of shots (format {FORMAT}), got {error!r}; remove it, it "
                "is drawn again"
            ) from None


def draw(
    studies: Sequence[str],
    patients: Sequence[str],
    truth: np.ndarray,
    labels: Sequence[str],
    *,
    single: bool,
    seed: int,
    most: int = 16,
    dataset: str = "",
    prompts: str = "",
) -> Shots:
    """Orders of up to `most` patients a class, of truth [n, K] in {1, 0, NaN}.

    Raises:
        DataError: a class that no patient has, or (labels) that no patient is known not to have.
    """
    study, patient = np.asarray(studies).astype(str), np.asarray(patients).astype(str)
    sides = {"has": 1.0} if single else SIDES
    orders = {
        label: {
            side: _order(study, patient, truth[:, k] == value, f"{seed}:{label}:{side}")[:most]
            for side, value in sides.items()
        }
        for k, label in enumerate(labels)
    }
    empty = [f"{label} ({side})" for label in labels for side in sides if not orders[label][side]]
    if empty:
        raise DataError(
            f"every class must have at least one training study, got none of {', '.join(empty)}; "
            "leave these classes out of the prompt set, or label more studies"
        )
    return Shots(seed, most, dataset, prompts, orders)


def _order(study: np.ndarray, patient: np.ndarray, rows: np.ndarray, key: str) -> list[str]:
    """Studies at `rows` in an order that `key` alone decides; of each patient the first."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]))
    found = np.flatnonzero(rows)
    found = rng.permutation(found[np.argsort(study[found])])
    _, first = np.unique(patient[found], return_index=True)
    return study[found[np.sort(first)]].tolist()
