"""A trained pair with everything that using it needs; saved as one folder.

FOLDER/model.json         both towers' configuration, preprocessing, temperature, the weights'
                          SHA-256; no names, no paths
FOLDER/model.safetensors  every weight, also those of locked backbones
FOLDER/tokenizer.json     the vocabulary
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from asclip.errors import ModelError
from asclip.towers import checkpoint
from asclip.towers.image import ImageConfig, ImageTower
from asclip.towers.pair import DualEncoder
from asclip.towers.pixels import check_same_preprocessing, to_tensor
from asclip.towers.signal import SignalConfig, SignalTower, encode_signals
from asclip.towers.text import TextConfig, TextTower
from asclip.towers.tokenizer import Tokenizer
from asclip.types import Encoded

if TYPE_CHECKING:
    from asclip.files.preprocessing import Preprocessing

FORMAT = 1

__all__ = ["FORMAT", "Model", "cosine"]


class Model:
    """What tasks and `predict` use. Everything it returns is float32 on the CPU, without a graph.

    `scale` multiplies a cosine to give a logit (the learned inverse temperature). `scorer` is the
    similarity of an objective that owns one (`(image, text) -> [B, C]`); None means the cosine. It
    is attached by whoever builds the objective, and is not part of `save`; the same holds for
    `classifier`, which gives label scores [B, K] of pooled images where the objective has a head,
    for `disentangle`, which parts images into what is there and where (see `tasks.leakage`), and
    for `beside_prior`, which puts an image beside the one before (see `tasks.beside`).
    """

    def __init__(
        self,
        encoder: DualEncoder,
        tokenizer: Tokenizer,
        preprocessing: Preprocessing,
        *,
        scale: float = 1.0,
        scorer: Callable[[Encoded, Encoded], Tensor] | None = None,
    ) -> None:
        self.encoder = encoder
        self.tokenizer = tokenizer
        self.preprocessing = preprocessing
        self.scale = scale
        self.scorer = scorer
        self.classifier: Callable[..., Tensor] | None = None
        self.disentangle: Callable[[Encoded], tuple[Encoded, Encoded]] | None = None
        self.beside_prior: Callable[[Encoded, Encoded, Tensor], Tensor] | None = None
        self.scores_existence = False  # the scorer gives the log-odds that a text is true

    @torch.no_grad()
    def encode_pixels(
        self, items: np.ndarray, *, batch: int = 256, local: bool | None = None
    ) -> Encoded:
        """Embeddings of cached items [n, *item_shape] uint8, one row each, not normalised.

        `local` None computes local vectors only where the model's scorer reads them.
        """
        wanted = self.scorer is not None if local is None else local
        self.encoder.eval()
        parts = []
        for start in range(0, len(items), batch):
            pixels = to_tensor(np.asarray(items[start : start + batch]), self.preprocessing)
            parts.append(self.encoder.image(pixels.to(self.device), local=wanted))
        return _join(parts, self.encoder.width)

    @torch.no_grad()
    def encode_images(
        self,
        dataset: Any,
        *,
        batch: int = 256,
        local: bool | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Encoded:
        """One row per study: the mean of the unit-length embeddings of its images.

        `local` (see `encode_pixels`) is that of the study's first image. A study without an image
        has NaN. `progress(done, total)` is called with numbers of images.
        """
        check_same_preprocessing(dataset, self.preprocessing)
        rows = [np.asarray(slots, dtype=np.int64) for slots in dataset.image_rows()]
        study = np.repeat(np.arange(len(rows)), [len(slots) for slots in rows])
        slots = np.concatenate([*rows, np.zeros(0, np.int64)])
        first = np.diff(study, prepend=-1) > 0
        wanted = self.scorer is not None if local is None else local
        pooled = torch.zeros(len(rows), self.encoder.width)
        locals_: Tensor | None = None
        for start in range(0, len(slots), batch):
            here = slice(start, start + batch)
            part = self.encode_pixels(dataset.pixels[slots[here]], batch=batch, local=wanted)
            owner = torch.from_numpy(study[here])
            pooled.index_add_(0, owner, functional.normalize(part.pooled, dim=1))
            if part.local is not None:
                if locals_ is None:
                    locals_ = torch.full((len(rows), *part.local.shape[1:]), torch.nan)
                keep = torch.from_numpy(first[here])
                locals_[owner[keep]] = part.local[keep]
            if progress is not None:
                progress(min(start + batch, len(slots)), len(slots))
        counts = torch.tensor([len(s) for s in rows], dtype=torch.float32)
        return Encoded(pooled / counts.where(counts > 0, torch.nan)[:, None], locals_)

    @torch.no_grad()
    def encode_texts(
        self, texts: Sequence[str], *, batch: int = 256, local: bool | None = None
    ) -> Encoded:
        """Embeddings of texts, one row each in their order, not normalised; equal texts once."""
        wanted = self.scorer is not None if local is None else local
        self.encoder.eval()
        unique = sorted(dict.fromkeys(texts), key=len)
        longest = self.encoder.text.config.max_tokens
        parts = []
        for start in range(0, len(unique), batch):
            tokens = self.tokenizer.encode(unique[start : start + batch], max_length=longest)
            tokens = type(tokens)(tokens.ids.to(self.device), tokens.mask.to(self.device))
            parts.append(self.encoder.text(tokens, local=wanted))
        encoded = _join(parts, self.encoder.width)
        place = {text: index for index, text in enumerate(unique)}
        order = torch.tensor([place[text] for text in texts], dtype=torch.int64)
        return Encoded(
            encoded.pooled[order],
            None if encoded.local is None else encoded.local[order],
            None if encoded.valid is None else encoded.valid[order],
        )

    def encode_signals(self, dataset: Any, *, batch: int = 256) -> Encoded:
        """One row per study, not normalised; NaN for a study without a signal."""
        self.encoder.eval()
        return encode_signals(self.encoder.signal, dataset.signals, batch=batch)

    @torch.no_grad()
    def score(self, image: Encoded, text: Encoded) -> Tensor:
        """Similarity [B, C] of B images and C texts: the scorer's if there is one, else cosine."""
        if self.scorer is not None:
            return self.scorer(image, text)
        return cosine(image, text)

    @torch.no_grad()
    def classify(self, dataset: Any) -> np.ndarray:
        """Label logits [n, K] of every study, float32; ModelError without a classifier."""
        if self.classifier is None:
            raise ModelError("this model has no label head; train one with the recipe `supervised`")
        return self.classifier(self.encode_images(dataset)).numpy()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.encoder.parameters()).device

    def save(self, folder: str | Path) -> None:
        """Write the three files, each atomically."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint.save_tensors(self.encoder, folder / "model.safetensors")
        self.tokenizer.save(folder / "tokenizer.json")
        digest = checkpoint.file_digest(folder / "model.safetensors")
        checkpoint.write_json({**self.to_json(), "sha256": digest}, folder / "model.json")

    def to_json(self) -> dict[str, Any]:
        """What model.json holds; "signal" where there is a tower for it."""
        signal = self.encoder.signal
        return ({} if signal is None else {"signal": signal.config.to_json()}) | {
            "format": FORMAT,
            "image": self.encoder.image.config.to_json(),
            "text": self.encoder.text.config.to_json(),
            "preprocessing": self.preprocessing.to_json(),
            "scale": self.scale,
        }

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """Read a folder that `save` wrote, on the CPU, in evaluation mode.

        ModelError, with the first key that does not fit, when the weights are of another
        architecture, or when they are not the file that was saved; no pickle is ever opened.
        """
        from asclip.files.preprocessing import Preprocessing

        folder = Path(folder)
        if not folder.is_dir():
            raise ModelError(f"a model is a folder with model.json; {folder.name!r} is not one")
        values = checkpoint.read_json(folder / "model.json")
        if values.get("format") != FORMAT:
            raise ModelError(
                f"model.json has format {values.get('format')!r}, this Asclip reads {FORMAT}; "
                "update Asclip or train again"
            )
        try:
            image = ImageTower(ImageConfig.from_json(values["image"]))
            text = TextTower(TextConfig.from_json(values["text"]))
            preprocessing = Preprocessing.from_json(values["preprocessing"])
            third = values.get("signal")
            signal = third and SignalTower(SignalConfig.from_json(third))
        except KeyError as error:
            raise ModelError(f"model.json lacks {error}; it was not written by Asclip") from None
        encoder = DualEncoder(image, text, signal)
        tensors = checkpoint.read_tensors(folder / "model.safetensors")
        checkpoint.load_strict(encoder, tensors, f"model.safetensors of {folder.name!r}")
        if checkpoint.file_digest(folder / "model.safetensors") != values.get("sha256"):
            raise ModelError(
                f"model.safetensors of {folder.name!r} must be the file that model.json speaks of; "
                "it is damaged, or of another run; copy both again, or train again"
            )
        tokenizer = Tokenizer.load(folder / "tokenizer.json")
        model = cls(encoder.eval(), tokenizer, preprocessing, scale=float(values["scale"]))
        return model


def cosine(image: Encoded, text: Encoded) -> Tensor:
    """Cosine [B, C] of the pooled vectors of B images and C texts."""
    left = functional.normalize(image.pooled, dim=1)
    return left @ functional.normalize(text.pooled, dim=1).T


def _join(parts: Sequence[Encoded], width: int) -> Encoded:
    """Batches of embeddings as one, float32 on the CPU; texts padded to the longest."""
    if not parts:
        return Encoded(torch.zeros(0, width))
    pooled = torch.cat([part.pooled.float().cpu() for part in parts])
    if parts[0].local is None:
        return Encoded(pooled)
    longest = max(part.local.shape[1] for part in parts if part.local is not None)
    locals_, valids = [], []
    for part in parts:
        assert part.local is not None
        missing = longest - part.local.shape[1]
        locals_.append(functional.pad(part.local.float().cpu(), (0, 0, 0, missing)))
        if part.valid is not None:
            valids.append(functional.pad(part.valid.cpu(), (0, missing)))
    return Encoded(pooled, torch.cat(locals_), torch.cat(valids) if valids else None)
