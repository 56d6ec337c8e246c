"""How much an experiment learns from, and which studies that are: by shots or by shares."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asclip.adapt.question import Question, Seen
from asclip.adapt.shares import Shares, draw_shares
from asclip.adapt.shots import Shots, draw
from asclip.errors import DataError

NONE = "none"


@dataclass(frozen=True, slots=True)
class Drawn:
    """K `shots` of a `seed`, or a `share` of the patients (the other is 0); in all n `studies`.

    `short` has the classes with fewer than K patients and how many they have. `digest` is that of
    the studies. All is 0 where no study is used.
    """

    shots: int = 0
    seed: int = 0
    studies: int = 0
    short: Mapping[str, int] = field(default_factory=dict)
    share: float = 0.0
    digest: str = ""

    @property
    def amount(self) -> str:
        """In words.

        >>> Drawn(4).amount, Drawn(1).amount, Drawn(share=0.01).amount, Drawn().amount
        ('4 shots', '1 shot', '1 %', 'none')
        """
        if self.share:
            return f"{100 * self.share:g} %"
        return f"{self.shots} shot{'s' * (self.shots > 1)}" if self.shots else NONE


@dataclass(frozen=True, slots=True)
class Amounts:
    """The points of a curve: patients of each class, or shares of the labelled patients."""

    shots: Sequence[int] = ()
    shares: Sequence[float] = ()

    def __post_init__(self) -> None:
        if bool(self.shots) == bool(self.shares):
            raise DataError(
                f"a curve is over shots or over fractions, got {list(self.shots)} and "
                f"{list(self.shares)}; give one of them"
            )
        if any(k < 1 for k in self.shots):
            raise DataError(f"shots must be 1 or more, got {min(self.shots)}; leave it out")
        if any(not 0 < share <= 1 for share in self.shares):
            raise DataError(
                "fractions must lie above 0 and not above 1 (100 %), got "
                f"{', '.join(f'{share:g}' for share in self.shares)}"
            )

    def draws(
        self, seen: Seen, question: Question, seed: int, folder: Path | None
    ) -> list[tuple[Drawn, list[str]]]:
        """Of each amount the studies, from the folder's file where it is of this question."""
        part, prompts = seen.part, question.prompts
        data = f"{part.name}@{part.hash}"
        studies, patients = (
            part.studies[name].astype(str).tolist() for name in ("study", "patient")
        )
        if self.shares:
            path = _path(folder, "fractions", seed)
            order = _kept(path, Shares, data, prompts.id) or draw_shares(
                studies, patients, seen.truth, seed=seed, dataset=data, prompts=prompts.id
            )
            _write(path, order)
            taken = [(0, share, {}, order.take(share)) for share in self.shares]
        else:
            path, most = _path(folder, "shots", seed), max(self.shots)
            orders = _kept(path, Shots, data, prompts.id)
            if orders is None or orders.most < most:
                orders = draw(
                    studies, patients, seen.truth, prompts.labels, single=prompts.single_label,
                    seed=seed, most=most, dataset=data, prompts=prompts.id,
                )  # fmt: skip
            _write(path, orders)
            taken = [(k, 0.0, orders.short(k), orders.take(k)) for k in self.shots]
        return [
            (Drawn(k, seed, len(some), short, share, _digest(some)), some)
            for k, share, short, some in taken
        ]


def _path(folder: Path | None, name: str, seed: int) -> Path | None:
    return None if folder is None else folder / f"{name}-{seed}.json"


def _kept(path: Path | None, kind: Any, dataset: str, prompts: str) -> Any:
    """What the file holds, None without one or where it is of another question."""
    if path is None or not path.exists():
        return None
    kept = kind.read(path)
    return kept if (kept.dataset, kept.prompts) == (dataset, prompts) else None


def _write(path: Path | None, drawn: Shots | Shares) -> None:
    if path is not None:
        drawn.write(path)


def _digest(studies: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(studies).encode()).hexdigest()[:12]
