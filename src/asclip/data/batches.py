"""Batches as a pure function of (seed, step), so that a run can stop and go on anywhere.

Every random choice of a step is drawn for the whole batch and then cut to this process's share:
two processes see together exactly what one would see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from asclip.data.dataset import Dataset
from asclip.data.further import Further
from asclip.data.images import Jitter, RandomJitter
from asclip.data.texts import Pieces
from asclip.errors import DataError
from asclip.types import Batch, Encoded, Facts, Tokens


class Tokenise(Protocol):
    """Texts -> `Tokens`; a `Tokenizer.encode`."""

    def __call__(self, texts: list[str], *, max_length: int) -> Tokens:
        """Ids and mask of the texts, longer ones cut."""
        ...


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a study brings to a batch; the fields are those of `train.settings.Settings`."""

    texts: str = "sentences"
    per_study: int = 3
    whole: float = 0.15
    max_tokens: int = 128
    augment: float = 0.0
    unpaired: bool = False


@dataclass(frozen=True, slots=True)
class Features:
    """Frozen towers' features: `image` [slots, F] in place of pixels, `text` [texts, F]."""

    image: np.ndarray | None = None
    text: np.ndarray | None = None


class Batches:
    """Training or validation batches of a data set; `tokenise` None means images and labels only.

    `normalise` is the (mean, std) per channel that the image tower expects, for pixels in 0-1; the
    data set's own where it is None.

    Errors: `DataError` if fewer than two studies can be used.
    """

    def __init__(
        self,
        dataset: Dataset,
        pieces: Pieces,
        tokenise: Tokenise | None,
        *,
        size: int,
        seed: int,
        sampling: Sampling,
        features: Features | None = None,
        normalise: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
        share: tuple[int, int] = (0, 1),
        further: Further | None = None,
    ) -> None:
        self.dataset, self.pieces, self.sampling = dataset, pieces, sampling
        self.seed, self.share, self.features = seed, share, features or Features()
        self.further = further or Further(frozenset())
        self.with_text = tokenise is not None
        how = dataset.preprocessing
        self.mean, self.std = normalise or (how.mean, how.std)
        self.rows = pieces.usable if self.with_text else np.arange(len(dataset))
        if sampling.unpaired and len(pieces.loose):
            self.rows = np.arange(len(dataset))
        if len(self.rows) < 2:
            raise DataError(
                f"training needs at least 2 studies{' with text' * self.with_text} in a split; "
                f"got {len(self.rows)}; add studies or map a text column"
            )
        self.size = min(size, len(self.rows))
        pixels = self.features.image is None
        self.jitter = RandomJitter(sampling.augment) if sampling.augment > 0 and pixels else None
        self.slots = dataset.image_rows()
        self.patient = dataset.patient_codes()
        self.labels = dataset.label_matrix() if dataset.labels else None
        self.ids, self.starts = _tokenise(pieces.texts, tokenise, sampling.max_tokens)

    @property
    def per_epoch(self) -> int:
        """Steps in an epoch; the incomplete last batch is dropped, other rows each time."""
        return len(self.rows) // self.size

    def at(self, step: int) -> Batch:
        """The batch of a step: this process's share of it."""
        epoch, place = divmod(step, self.per_epoch)
        order = np.random.default_rng([self.seed, 1, epoch]).permutation(self.rows)
        return self.of(order[place * self.size : (place + 1) * self.size], step)

    def of(self, rows: np.ndarray, step: int = 0) -> Batch:
        """The batch of these studies, with the random choices of `step`."""
        rng = np.random.default_rng([self.seed, 2, step])
        slots = np.array([self.slots[r][rng.integers(len(self.slots[r]))] for r in rows])
        chosen = [self._texts(r, rng) for r in rows] if self.with_text else []
        owned = [self._owned(r) for r in rows]
        jitter = self._jitter(len(rows), rng)
        own = np.random.default_rng([self.seed, 3, step])
        drawn = self.further.draw(rows, slots, self.slots, own)
        chosen = self._varied(chosen, drawn, step)
        again = {k: self._jitter(len(rows), own) for k in ("view", "prior") if k in drawn}
        rank, ranks = self.share
        mine = slice(len(rows) * rank // ranks, len(rows) * (rank + 1) // ranks)
        rows, slots, chosen, owned = rows[mine], slots[mine], chosen[mine], owned[mine]
        drawn = {k: v[mine] for k, v in drawn.items()}
        targets = {"study": torch.from_numpy(rows)}
        texts: dict[str, Tokens | Encoded] = {}
        flat = np.zeros(0, np.int64)
        if self.with_text:
            flat = np.concatenate(chosen)
            targets["text"] = torch.from_numpy(flat)
            owner = np.where(owned, rows, -1)
            targets["owner"] = torch.from_numpy(np.repeat(owner, [len(c) for c in chosen]))
            texts["text"] = self._tokens(flat)
        labels = None if self.labels is None else torch.from_numpy(self.labels[rows])
        image = self._stream(slots, jitter, mine)
        pictures, said, more = self.further.add(
            drawn,
            rows,
            flat,
            self.pieces.whole[rows] if self.with_text else np.zeros(0, np.int64),
            image=image,
            images={k: self._stream(drawn[k], again[k], mine) for k in again},
            tokens=self._tokens,
        )
        facts = Facts(torch.from_numpy(self.patient[rows]), labels, targets | more)
        known = self.further.known(np.random.default_rng([self.seed, 5, step]))
        return Batch({"image": image, **pictures}, texts | said, facts, known)

    def _jitter(self, count: int, rng: np.random.Generator) -> Jitter | None:
        return self.jitter.draw(count, rng) if self.jitter else None

    def _stream(self, slots: np.ndarray, jitter: Jitter | None, mine: slice) -> Tensor | Encoded:
        """Images, or cached features of images, of the slots of this process's share."""
        if self.features.image is not None:
            return Encoded(_rows(self.features.image, slots))
        return self.images(slots, None if jitter is None else jitter[mine])

    def images(self, slots: np.ndarray, jitter: Callable[[Tensor], Tensor] | None) -> Tensor:
        """Normalised images [B, C, H, W] (or [B, 1, Z, H, W]) float32 of the cached pixels."""
        order = np.argsort(slots)
        pixels = np.empty((len(slots), *self.dataset.pixels.shape[1:]), np.uint8)
        pixels[order] = self.dataset.pixels[slots[order]]  # the disk is read in order
        images = torch.from_numpy(pixels).float().div_(255.0)
        colour = self.dataset.preprocessing.channels == 3
        images = images.permute(0, 3, 1, 2) if colour else images[:, None]
        if jitter is not None:
            images = jitter(images)
        shape = (1, -1) + (1,) * (images.ndim - 2)
        mean = torch.tensor(self.mean, dtype=torch.float32).view(shape)
        std = torch.tensor(self.std, dtype=torch.float32).view(shape)
        return images.sub(mean).div_(std)

    def _texts(self, row: int, rng: np.random.Generator) -> np.ndarray:
        """Indices of the texts that a study brings; one without a text brings one of nobody."""
        if not self._owned(row):
            return rng.choice(self.pieces.loose, 1)
        first, rest = self._offered(row)
        match self.sampling.texts:
            case "report":
                return first
            case "sentence":
                return rng.choice(rest, 1)
            case "mixed":
                whole_one = len(first) and (rng.random() < self.sampling.whole or not len(rest))
                return first if whole_one else rng.choice(rest, 1)
            case _:
                if len(rest) and rng.random() >= self.sampling.whole:
                    first = first[:0]
                some = rng.permutation(rest)[: self.sampling.per_study]
                return np.unique(np.concatenate([first, some]))

    def _offered(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """The whole text and the others that a study with texts may bring, at most."""
        whole, parts = self.pieces.whole[row], self.pieces.parts[row]
        rest = np.concatenate([parts, self.pieces.further[row]])
        first = np.array([whole] if whole >= 0 else [], dtype=np.int64)
        match self.sampling.texts:
            case "report":
                return (first if len(first) else rest[:1]), rest[:0]
            case "sentence":
                return first[:0], parts if len(parts) else np.concatenate([first, rest])
            case _:
                return first, rest

    def brings(self) -> set[int]:
        """Numbers of the texts that some batch may bring, variants not counted."""
        offered = [self._offered(row) for row in self.rows.tolist() if self._owned(row)]
        every = [self.pieces.loose, *self.further.second, *(x for two in offered for x in two)]
        return set(np.concatenate([*every, np.zeros(0, np.int64)]).tolist())

    def idle(self) -> list[str]:
        """The ways of mining that vary and add nothing that a batch may bring."""
        brought = self.brings() if self.pieces.mined else set()
        return [way for way, numbers in self.pieces.mined.items() if not numbers & brought]

    def _varied(
        self, chosen: list[np.ndarray], drawn: dict[str, np.ndarray], step: int
    ) -> list[np.ndarray]:
        """Variants in place of texts, also of the second ones, where there are any.

        A text has one variant in a step: studies that say the same still say the same.
        """
        if not self.pieces.variants or not chosen:
            return chosen
        rng = np.random.default_rng([self.seed, 4, step])
        stands = np.arange(len(self.pieces.texts))
        for text in np.unique(np.concatenate([*chosen, drawn.get("second", chosen[0])])):
            choices = [text, *self.pieces.variants.get(int(text), ())]
            stands[text] = choices[rng.integers(len(choices))]
        if "second" in drawn:
            drawn["second"] = stands[drawn["second"]]
        return [np.unique(stands[texts]) for texts in chosen]

    def _owned(self, row: int) -> bool:
        """True unless the study has no text of its own and others stand in for it."""
        some = self.pieces.whole[row] >= 0 or len(self.pieces.further[row]) > 0
        return bool(some) or len(self.pieces.loose) == 0

    def _tokens(self, flat: np.ndarray) -> Tokens | Encoded:
        if self.features.text is not None:
            return Encoded(_rows(self.features.text, flat))
        distinct, rows = np.unique(flat, return_inverse=True)
        lengths = self.starts[distinct + 1] - self.starts[distinct]
        steps = np.arange(lengths.max())
        mask = steps < lengths[:, None]
        place = np.minimum(self.starts[distinct][:, None] + steps, len(self.ids) - 1)
        ids = np.where(mask, self.ids[place], 0)
        return Tokens(torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(rows))


def _rows(features: np.ndarray, rows: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(features[rows], dtype=np.float32))


def _tokenise(
    texts: list[str], tokenise: Tokenise | None, longest: int
) -> tuple[np.ndarray, np.ndarray]:
    """All token ids in one array [total] and where each text starts [texts + 1]."""
    if tokenise is None or not texts:
        return np.zeros(1, np.int64), np.zeros(len(texts) + 1, np.int64)
    ids, lengths = [], []
    for start in range(0, len(texts), 4096):
        tokens = tokenise(texts[start : start + 4096], max_length=longest)
        ids.append(tokens.ids[tokens.mask].numpy())
        lengths.append(tokens.mask.sum(1).numpy())
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    return np.concatenate(ids), starts
