"""Training a copy of a model's towers on a few studies, for methods that need pixels.

    f_i = unit(mean over images of unit(e(x_ij))),   z = s f.T + b,   L = CE(z, y) on small batches

The model that was given is never altered: its towers are copied, and what a method moves are
tensors of its own from which the copy's weights follow. Dropout and running statistics stay as in
use, so that the start is the given model exactly.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from asclip.adapt.depth import last
from asclip.adapt.interface import ClassTexts, Examples
from asclip.adapt.question import embeddings
from asclip.adapt.terms import check, descend, loss, quality, recorded, start_bias
from asclip.errors import ModelError
from asclip.towers.model import Model
from asclip.towers.pair import DualEncoder
from asclip.towers.pixels import to_tensor

TOWERS = ("image", "both")
LOOKS = 4


@dataclass(frozen=True)
class Tuning:
    """How weights are trained: Adam steps and rate, studies a step, the last `blocks` (0: all)."""

    steps: int = 40
    rate: float = 1e-4
    batch: int = 8
    blocks: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """What is trained: `parameters`, each with its share of the rate.

    `weights()` are the towers' weights that follow, by their name in the pair ("image.", "text."),
    `about` is for the record.
    """

    parameters: Sequence[Tensor]
    shares: Sequence[float]
    weights: Callable[[], Mapping[str, Tensor]]
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Tuned:
    """A model of its own: `scores` takes features of `model`, not of the model that was given."""

    model: Model
    texts: ClassTexts
    bias: Tensor
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def scores(self, features: Tensor) -> Tensor:
        """Logits [n, K] of features [n, D] of `model`."""
        return self.texts.logits(features) + self.bias

    def again(self, texts: ClassTexts) -> Tuned:
        """See `Adapted`; the bias is 0 for classes without examples."""
        own = self.texts.model is self.model  # its text tower was trained, too
        asked = ClassTexts.of(self.model, texts.prompts) if own else texts
        return replace(self, texts=asked, bias=torch.zeros(len(texts.labels)))


def tune(
    support: Examples,
    validation: Examples,
    texts: ClassTexts,
    choose: Callable[[DualEncoder, torch.Generator], Moved],
    *,
    how: Tuning,
    towers: str = "image",
    seed: int,
) -> Tuned:
    """Train what `choose` gives for the copied towers to its best step.

    Raises:
        ModelError: the examples have no images, or `towers` is neither "image" nor "both".
    """
    check(support, validation, texts)
    if towers not in TOWERS:
        raise ModelError(f"towers must be 'image' or 'both', got {towers!r}")
    if support.part is None or validation.part is None:
        raise ModelError(
            "a method that trains the image tower needs the images of its examples, got features "
            "alone; give Examples their data set (part=...)"
        )
    generator = torch.Generator().manual_seed(seed)
    model = copied(texts.model, towers)
    moved = choose(model.encoder, generator)
    single, truth = texts.single, support.truth
    bias = start_bias(texts.logits(support.features), truth, single=single)
    start = quality(texts.logits(validation.features) + bias, validation.truth, single=single)
    parameters = [*moved.parameters] if single else [*moved.parameters, bias.requires_grad_()]

    def gradients() -> Sequence[Tensor]:
        rows = torch.randperm(len(truth), generator=generator)[: how.batch]
        weights = moved.weights()
        directions = texts.directions if towers == "image" else read(model, weights, texts)
        features = seen(model, weights, support.part, rows.numpy())
        z = texts.scale * features @ directions.T + bias
        total = loss(z, truth[rows], single=single)
        return torch.autograd.grad(total, parameters, allow_unused=True, materialize_grads=True)

    def fitted(chosen: Mapping[str, Any]) -> Tuned:
        settle(model.encoder, moved.weights())
        own = texts if towers == "image" else ClassTexts.of(model, texts.prompts)
        return Tuned(model, own, bias.detach().clone(), chosen)

    def judge() -> tuple[float, float]:
        z = fitted({}).scores(embeddings(model, validation.part))
        return quality(z, validation.truth, single=single)

    chosen = descend(
        parameters, gradients, judge, steps=how.steps, rate=how.rate, checks=LOOKS, start=start,
        shares=[*moved.shares, *[1.0] * (len(parameters) - len(moved.parameters))],
    )  # fmt: skip
    return fitted({**moved.about, **recorded(chosen)})


def copied(model: Any, towers: str = "image") -> Model:
    """A model whose image tower (both towers) may be altered without altering `model`."""
    pair = model.encoder
    image = _open(pair.image)
    text = _open(pair.text) if towers == "both" else pair.text
    encoder = DualEncoder(image, text, pair.signal).eval()
    return Model(encoder, model.tokenizer, model.preprocessing, scale=model.scale)


def _open(tower: Any) -> Any:
    """A copy through which gradients go, also where the tower was locked in training."""
    tower = copy.deepcopy(tower).requires_grad_(False)
    tower.locked = False
    return tower


def settle(encoder: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Write weights into the copy."""
    own = dict(encoder.named_parameters())
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)


def seen(model: Model, weights: Mapping[str, Tensor], part: Any, rows: np.ndarray) -> Tensor:
    """Unit-length features [m, D] of the studies at `rows`, on the CPU, with a graph."""
    every = part.image_rows()
    slots = [every[row] for row in rows]
    owner = torch.arange(len(rows)).repeat_interleave(torch.tensor([len(s) for s in slots]))
    pixels = to_tensor(np.asarray(part.pixels[np.concatenate(slots)]), model.preprocessing)
    pooled = _through(model.encoder.image, "image.", weights, pixels.to(model.device))
    summed = torch.zeros(len(rows), pooled.shape[1]).index_add(0, owner, pooled)
    return functional.normalize(summed, dim=1)


def read(model: Model, weights: Mapping[str, Tensor], texts: ClassTexts) -> Tensor:
    """Text directions T [K, D] of the classes' sentences, on the CPU, with a graph."""
    parts = texts.prompts.classes.values()
    sides = [[part.positive for part in parts]]
    if not texts.single:
        sides.append([part.negative for part in parts])
    tower = model.encoder.text
    sentences = [text for side in sides for some in side for text in some]
    tokens = model.tokenizer.encode(sentences, max_length=tower.config.max_tokens)
    tokens = type(tokens)(tokens.ids.to(model.device), tokens.mask.to(model.device))
    pooled = _through(tower, "text.", weights, tokens)
    groups = iter(pooled.split([len(some) for side in sides for some in side]))
    means = [
        torch.stack([functional.normalize(next(groups).sum(0), dim=0) for _ in side])
        for side in sides
    ]
    return means[0] if texts.single else means[0] - means[1]


def _through(tower: Any, prefix: str, weights: Mapping[str, Tensor], x: Any) -> Tensor:
    """Unit-length embeddings of a tower with some of its weights replaced."""
    own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    pooled = functional_call(tower, own, (x,), {"local": False}).pooled
    return functional.normalize(pooled.float(), dim=1).cpu()


def free(encoder: DualEncoder, blocks: int, decay: float) -> Moved:
    """The image tower's last blocks (0: all) and its projection.

    A block's rate is `decay` times that of the block behind it.
    """
    own = dict(encoder.image.named_parameters())
    found = [
        [f"backbone.{name}" for name in level] for level in last(encoder.image.backbone, blocks)
    ]
    behind = [name for name in own if not name.startswith("backbone.")]
    moved, shares = {}, []
    for depth, level in enumerate([*found, behind]):
        for name in level:
            moved[f"image.{name}"] = own[name].detach().clone().requires_grad_()
            shares.append(decay ** (len(found) - depth))
    parameters = list(moved.values())
    about = {"levels": len(found), "weights": sum(one.numel() for one in parameters)}
    return Moved(parameters, shares, lambda: moved, about)
