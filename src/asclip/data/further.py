"""What a batch brings besides an image and its texts: further views, texts, priors, holes, facts.

The names are those of `types.Pair` and `types.Facts`. All choices of a step are drawn for the whole
batch from random numbers of their own: whether a method needs more than another changes neither
the images nor the texts that both see.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asclip.data.dataset import Dataset
from asclip.data.entities import Marks
from asclip.data.signals import NONE, Signals
from asclip.data.texts import Pieces, same
from asclip.errors import DataError, ModelError
from asclip.files.report import sections
from asclip.types import Encoded, Tokens

ORDER = ("date", "offset_days", "study_date", "order", "time")
Texts = Callable[[np.ndarray], "Tokens | Encoded"]


@dataclass(frozen=True)
class Further:
    """The streams and facts of one part of a data set; `Knowledge.of` gives the tables of facts.

    `grid` is that of the image tower's local vectors: (rows, columns), of volumes with the slices
    first; `mask` the id of the token that
    stands for a hidden word, `holes` and `gaps` the hidden shares of patches and words, `longest`
    the number of tokens of the longest text. `marks` gives a text's number where the gaps are
    those of `entities`. `wordings` [F] counts the rows of the knowledge stream "queries" that ask
    for each finding.
    """

    needs: frozenset[str]
    studies: Mapping[str, np.ndarray] = field(default_factory=dict)
    texts: Mapping[str, np.ndarray] = field(default_factory=dict)
    knowledge: Mapping[str, Tokens] = field(default_factory=dict)
    wordings: tuple[int, ...] = ()
    second: tuple[np.ndarray, ...] = ()
    prior: np.ndarray | None = None
    signals: Signals | None = None
    grid: tuple[int, ...] = (1, 1)
    mask: int = 0
    longest: int = 1
    holes: float = 0.75
    gaps: float = 0.5
    marks: Callable[[int], Marks] | None = None

    def wants(self, stream: str) -> bool:
        """True if a stream, or a fact that comes with it, is needed."""
        facts = {"masked": ("patches", "holes"), "gapped": ("words", "gaps", "weight")}.get(
            stream, ()
        )
        facts = (*facts, f"has_{stream}")
        return any(need.partition(".")[0] == stream for need in self.needs) or any(
            f"facts.{fact}" in self.needs for fact in facts
        )

    def known(self, rng: np.random.Generator) -> dict[str, Tokens]:
        """The knowledge streams of a step: of the queries one wording a finding, drawn anew."""
        if "queries" not in self.knowledge:
            return dict(self.knowledge)
        every, counts = self.knowledge["queries"], np.array(self.wordings)
        rows = torch.from_numpy(counts.cumsum() - counts + rng.integers(counts))
        mask = every.mask[rows]
        longest = int(mask.sum(1).max())
        asked = Tokens(every.ids[rows, :longest], mask[:, :longest])
        return {**self.knowledge, "queries": asked}

    def draw(
        self, rows: np.ndarray, slots: np.ndarray, every: list[np.ndarray], rng: Any
    ) -> dict[str, np.ndarray]:
        """The choices of a batch: study `rows` [B], their images' `slots`, all slots of each."""
        drawn: dict[str, np.ndarray] = {}
        if self.wants("view"):
            others = [every[r][every[r] != s] for r, s in zip(rows, slots, strict=True)]
            drawn["has_view"] = np.array([len(o) > 0 for o in others])
            pairs = zip(others, slots, strict=True)
            drawn["view"] = np.array([rng.choice(o) if len(o) else s for o, s in pairs])
        if self.wants("prior"):
            before = np.full(len(rows), -1) if self.prior is None else self.prior[rows]
            drawn["has_prior"] = before >= 0
            source = np.where(before >= 0, before, rows)
            drawn["prior"] = np.array([rng.choice(every[r]) for r in source])
        if self.wants("second"):
            found = [self.second[r] for r in rows]
            drawn["has_second"] = np.array([len(f) > 0 for f in found])
            drawn["second"] = np.array([rng.choice(f) if len(f) else 0 for f in found])
        if self.wants("masked"):
            regions = math.prod(self.grid)
            order = rng.random((len(rows), regions)).argsort(1)
            drawn["holes"] = order < round(self.holes * regions)
        if self.wants("gapped"):
            drawn["gaps"] = rng.random((len(rows), self.longest))
        return drawn

    def add(
        self,
        drawn: Mapping[str, np.ndarray],
        rows: np.ndarray,
        texts: np.ndarray,
        whole: np.ndarray,
        *,
        image: Tensor | Encoded,
        images: Mapping[str, Tensor | Encoded],
        tokens: Texts,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Tensor]]:
        """Streams of images, streams of texts, and facts of the batch.

        `rows` are the studies, `texts` the numbers of their texts, `whole` [B] those of their
        whole texts (-1: none), `image` the stream "image", `images` "view" and "prior" where they
        are wanted; `tokens` makes a stream of text numbers.
        """
        facts = {k: torch.from_numpy(v[rows]) for k, v in self.studies.items()}
        facts |= {k: torch.from_numpy(v[texts]) for k, v in self.texts.items()}
        facts |= {k: torch.from_numpy(v) for k, v in drawn.items() if k.startswith("has_")}
        pictures: dict[str, Any] = dict(images)
        said: dict[str, Any] = {}
        if "second" in drawn:
            said["second"] = tokens(drawn["second"])
            facts["second"] = torch.from_numpy(drawn["second"])
        if "holes" in drawn:
            pictures["masked"], extra = self._masked(image, torch.from_numpy(drawn["holes"]))
            facts |= extra
        if self.wants("signal"):
            if self.signals is None:
                raise DataError(NONE)
            pictures["signal"], facts["has_signal"] = self.signals.of(rows)
        if "gaps" in drawn or "facts.words" in self.needs:
            said, extra = self._gapped(said, drawn, whole, tokens)
            facts |= extra
        return pictures, said, facts

    def _masked(self, image: Tensor | Encoded, holes: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The image with grey holes; the pixels [B, N, P] of all patches, and which are hidden."""
        if not isinstance(image, Tensor):
            raise ModelError(
                "this recipe hides parts of images, and a locked tower has only their features; "
                "use --lock none or --lock text, and an image tower that learns"
            )
        dims, size = len(self.grid), tuple(image.shape[2:])
        if len(size) != dims or any(n % g for n, g in zip(size, self.grid, strict=True)):
            shown = " x ".join(map(str, self.grid))
            raise ModelError(
                f"this recipe hides patches, so the size of an image must be a multiple of the "
                f"tower's grid {shown} along each axis; got {size}; ingest at another size or "
                "choose another image tower"
            )
        cells = image
        for axis in reversed(range(dims)):  # [B, C, g1, s1, g2, s2, ...], patches of s1 x s2 ...
            cells = cells.unflatten(2 + axis, (self.grid[axis], size[axis] // self.grid[axis]))
        places, inside = range(2, 2 + 2 * dims, 2), range(3, 3 + 2 * dims, 2)
        patches = cells.permute(0, *places, 1, *inside)
        patches = patches.flatten(dims + 1).flatten(1, dims)  # [B, N, C s1 s2 ...]
        hidden = holes.view(len(image), 1, *(n for g in self.grid for n in (g, 1)))
        masked = cells.masked_fill(hidden, 0.0).reshape(image.shape)
        return masked, {"patches": patches.contiguous(), "holes": holes}

    def _gapped(
        self,
        said: dict[str, Any],
        drawn: Mapping[str, np.ndarray],
        whole: np.ndarray,
        tokens: Texts,
    ) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """One text a study at a fixed length T, its words, and which of them are hidden."""
        text = tokens(np.maximum(whole, 0))
        if not isinstance(text, Tokens):
            raise ModelError(
                "this recipe reads the words of a text, and a locked tower has only its features; "
                "use --lock none or --lock image"
            )
        ids, mask = text.ids, text.mask
        if text.rows is not None:
            ids, mask = ids[text.rows], mask[text.rows]
        more = self.longest - ids.shape[1]
        ids = torch.nn.functional.pad(ids, [0, more]) * torch.from_numpy(whole >= 0)[:, None]
        mask = torch.nn.functional.pad(mask, [0, more])
        words = ids.masked_fill(~mask, 0)
        if "gaps" not in drawn:
            return said, {"words": words}
        extra = {"words": words}
        chance, number = self.gaps, drawn["gaps"]
        if self.marks is not None:
            chance, first, extra["weight"] = self._marked(whole)
            number = np.take_along_axis(number, first, 1)  # the pieces of a word share its fate
        gaps = torch.from_numpy(number < chance) & mask & torch.from_numpy(whole >= 0)[:, None]
        said["gapped"] = Tokens(ids.masked_fill(gaps, self.mask), mask)
        return said, extra | {"gaps": gaps}

    def _marked(self, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray, Tensor]:
        """Chance, first token of the word and weight of every token of a batch, each [B, T]."""
        shape = (len(whole), self.longest)
        chance, weight = np.zeros(shape, np.float32), torch.zeros(shape)
        first = np.tile(np.arange(self.longest), (len(whole), 1))
        for row, text in enumerate(whole):
            if text >= 0 and self.marks is not None:
                known = self.marks(int(text))
                kept = slice(min(len(known.chance), self.longest))
                chance[row, kept], first[row, kept] = known.chance[kept], known.first[kept]
                weight[row, kept] = torch.from_numpy(known.weight[kept])
        return chance, first, weight


def second_texts(part: Dataset, pieces: Pieces) -> tuple[np.ndarray, ...]:
    """Texts that can stand beside the main one, per study: impression, further text, sentence."""
    found = []
    index = {same(text): number for number, text in enumerate(pieces.texts)}
    for row, report in enumerate(part.texts()):
        impression = sections(report).get("impression", "") if report.strip() else ""
        number = index.get(same(impression), -1)
        if number >= 0 and number != pieces.whole[row]:
            found.append(np.array([number]))
            continue
        further = pieces.further[row]
        others = further if len(further) else pieces.parts[row]
        found.append(others[others != pieces.whole[row]])
    return tuple(found)


def prior_studies(part: Dataset, order: str = "") -> np.ndarray:
    """[n] row of the study before of the same patient, -1 where there is none or it is not known.

    Studies of the same time have the same study before them, never one another. `order`
    names the fact that says which of two studies came first: a number, or a date as text.

    Raises:
        DataError: no such fact.
    """
    from pandas import to_datetime

    names = [order] if order else [name for name in ORDER if name in part.meta_names]
    before = np.full(len(part), -1, np.int64)
    if not names:
        raise DataError(
            "a study is compared with the one before, and no fact tells their order; ingest with "
            f"--map meta=DATE (known names: {', '.join(ORDER)}), or train with --order NAME"
        )
    facts = part.meta(names[0])
    if facts.dtype.kind not in "fiu":
        facts = to_datetime(facts, errors="coerce")
        facts = facts.astype("int64").where(facts.notna()).astype(float)
    time, patient = facts.to_numpy(float), part.patient_codes()
    known = np.flatnonzero(~np.isnan(time))
    sorted_rows = known[np.lexsort((known, time[known], patient[known]))]
    if not len(known):
        return before
    patient, time = patient[sorted_rows], time[sorted_rows]
    new = np.ones(len(sorted_rows), bool)  # the first study of a patient, or of a time
    new[1:] = (patient[1:] != patient[:-1]) | (time[1:] > time[:-1])
    first = np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))
    good = (first > 0) & (patient[first - 1] == patient)
    before[sorted_rows[good]] = sorted_rows[first[good] - 1]
    return before
