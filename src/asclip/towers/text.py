"""The text tower: tokens or cached features -> `Encoded` in the joint space.

    Tokens [B, T] -> backbone -> hidden states [B, T, F] -> pool -> projection -> [B, D]

Presets `tiny`, `small`, `base` are our own transformer (transformer.py) for a vocabulary learned
from the user's reports, `words` an average of word vectors (words.py) for few of them;
`hf:ORG/NAME` or `hf:FOLDER` is any text encoder of `transformers`, and `all-minilm-l6-v2` has
sentence-embedding weights that ship as a package (weights.py).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from asclip.errors import ModelError, nearest
from asclip.towers import hub, weights
from asclip.towers.checkpoint import read_config
from asclip.towers.pooling import POOLINGS, by_length, pool
from asclip.towers.projection import Projection
from asclip.towers.transformer import TextTransformer
from asclip.towers.words import Words
from asclip.types import Encoded, Tokens

TRANSFORMERS: dict[str, dict[str, int]] = {
    "tiny": {"width": 128, "layers": 2, "heads": 4},
    "small": {"width": 320, "layers": 4, "heads": 8},
    "base": {"width": 512, "layers": 8, "heads": 8},
}
WORDS_WIDTH = 128
OWN = (*TRANSFORMERS, "words")


@dataclass(frozen=True, slots=True)
class TextConfig:
    """Everything that rebuilds a text tower, except its weights; plain JSON values.

    `vocabulary` is the number of token ids, `max_tokens` the longest text; `width` is D. `pooling`
    is "mean" over real tokens, "first" or "last" real token. `local` and `projection` as in
    `ImageConfig`. `layers` are the hidden states (0 the embeddings, -1 the last) whose mean is
    read; none: the last. `fill` is the id that texts are filled up with to `max_tokens`, all of
    which the tower then reads (SigLIP); None: what is behind a text is never read.
    """

    name: str = "tiny"
    width: int = 256
    vocabulary: int = 4096
    max_tokens: int = 96
    pooling: str = "mean"
    locked: bool = False
    dropout: float = 0.0
    hidden: int = 0
    local: str = "shared"
    architecture: dict[str, Any] | None = None
    weights: str = ""
    projection: str = "norm"
    layers: tuple[int, ...] = ()
    fill: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for model.json."""
        return {**asdict(self), "layers": list(self.layers)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TextConfig:
        """The inverse of `to_json`; an unknown field is a ModelError."""
        return read_config(cls, {**values, "layers": tuple(values.get("layers", ()))})


class TextTower(nn.Module):
    """`tower(tokens)` is `Encoded(pooled [B, D], local [B, T, D], valid [B, T])`, not normalised.

    `width` D, `features` F of the hidden states, `locked` whether the backbone is frozen.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        if config.pooling not in POOLINGS:
            raise ModelError(f"pooling {config.pooling!r}: {nearest(config.pooling, [*POOLINGS])}")
        self.config = config
        self.width = config.width
        self.locked = config.locked
        self.backbone = _build(config)
        options: dict[str, Any] = {
            "hidden": config.hidden,
            "dropout": config.dropout,
            "kind": config.projection,
        }
        self.features = _features(self.backbone)
        self.projection = Projection(self.features, config.width, **options)
        self.local_projection = (
            Projection(self.features, config.width, **options) if config.local == "own" else None
        )
        if self.locked:
            self.backbone.requires_grad_(False)
            self.backbone.eval()

    def train(self, mode: bool = True) -> TextTower:
        """Training mode, except for a locked backbone."""
        super().train(mode)
        if self.locked:
            self.backbone.eval()
        return self

    def raw(self, tokens: Tokens, *, local: bool = True) -> Encoded:
        """Pooled and single hidden states of the backbone, not projected."""
        if tokens.ids.shape[1] > self.config.max_tokens:
            raise ModelError(
                f"a text of {tokens.ids.shape[1]} tokens is longer than the tower's "
                f"{self.config.max_tokens}; encode with max_length={self.config.max_tokens}"
            )
        lengths = tokens.mask.sum(1)
        parts, places = [], []
        for rows in by_length(lengths):
            longest = max(1, int(lengths[rows].max()))
            ids, mask = tokens.ids[rows, :longest], tokens.mask[rows, :longest]
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.locked):
                pooled, hidden = self.read(ids, mask)
            missing = tokens.ids.shape[1] - longest
            parts.append((pooled, functional.pad(hidden, (0, 0, 0, missing)) if local else pooled))
            places.append(rows)
        back = torch.cat(places).argsort()
        pooled, hidden = (torch.cat(group)[back] for group in zip(*parts, strict=True))
        return Encoded(pooled, hidden if local else None, tokens.mask if local else None)

    def read(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The pooled [B, F] and the single [B, T, F] hidden states of ids and mask [B, T].

        With a graph even where the backbone is locked: `raw` is what respects the lock.
        """
        if self.config.fill is None:
            hidden = self._hidden(ids, mask)
            return pool(hidden, mask, self.config.pooling), hidden
        missing = self.config.max_tokens - ids.shape[1]
        whole = functional.pad(
            ids.masked_fill(~mask, self.config.fill), (0, missing), value=self.config.fill
        )
        everywhere = torch.ones_like(whole, dtype=torch.bool)
        hidden = self._hidden(whole, everywhere)
        return pool(hidden, everywhere, self.config.pooling), hidden[:, : ids.shape[1]]

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        if isinstance(self.backbone, (TextTransformer, Words)):
            return self.backbone(ids, mask)
        # Without padding no mask is given: attention then takes its faster way.
        given = None if bool(mask.all()) else mask.long()
        if not self.config.layers:
            return self.backbone(input_ids=ids, attention_mask=given).last_hidden_state
        out = self.backbone(input_ids=ids, attention_mask=given, output_hidden_states=True)
        return torch.stack([out.hidden_states[layer] for layer in self.config.layers]).mean(0)

    def project(self, raw: Encoded, *, local: bool = True) -> Encoded:
        """Raw features (fresh or cached, any float dtype) -> joint space."""
        pooled = self.projection(raw.pooled)
        if not local:
            return Encoded(pooled)
        if raw.local is None:
            raise ModelError(
                "local text features are needed, but the cached features hold only the pooled "
                "ones; cache them again with local=True"
            )
        projection = self.local_projection or self.projection
        return Encoded(pooled, projection(raw.local), raw.valid)

    def forward(self, x: Tokens | Encoded, *, local: bool = True) -> Encoded:
        """Encode tokens, or cached raw features."""
        raw = x if isinstance(x, Encoded) else self.raw(x, local=local)
        return self.project(raw, local=local)


def _features(backbone: Any) -> int:
    if isinstance(backbone, (TextTransformer, Words)):
        return backbone.words.embedding_dim
    return int(backbone.config.hidden_size)


def _build(config: TextConfig) -> Any:
    if config.name in TRANSFORMERS:
        return TextTransformer(
            config.vocabulary,
            max_tokens=config.max_tokens,
            dropout=config.dropout,
            **TRANSFORMERS[config.name],
        )
    if config.name == "words":
        return Words(config.vocabulary, WORDS_WIDTH)
    if config.name in ("hf", *weights.TEXT):
        return hub.model_from_architecture(config.architecture or {})
    known = [*OWN, *weights.TEXT, "hf:ORG/NAME", "run:FOLDER"]
    raise ModelError(f"no text tower is called {config.name!r}; {nearest(config.name, known)}")


def text_tower(
    config: TextConfig, *, pretrained: bool = True, local_files_only: bool = False
) -> TextTower:
    """A text tower, with the pretrained weights of its name where there are any.

    Names: `tiny`, `small`, `base`, `words` (random weights), `all-minilm-l6-v2`, `hf:ORG/NAME`,
    `hf:FOLDER`. With `hf:` and random weights, `vocabulary` replaces the architecture's own; with
    pretrained ones the vocabulary and the longest text are the checkpoint's.
    """
    name = config.name
    if name in OWN:
        return TextTower(config)
    if name in weights.TEXT:
        source, config = str(weights.folder(name)), replace(config, weights=name)
        local_files_only = True
    elif name.startswith("hf:"):
        source = name[3:]
        config = replace(config, name="hf", weights=hub.shown(source) if pretrained else "")
    else:
        return TextTower(config)  # raises, with the nearest names
    changes = {} if pretrained else {"vocab_size": config.vocabulary}
    architecture = hub.read_architecture(
        source, part="text_config", changes=changes, local_files_only=local_files_only
    )
    longest = int(architecture.get("max_position_embeddings", config.max_tokens))
    config = replace(
        config,
        architecture=architecture,
        vocabulary=int(architecture["vocab_size"]),
        max_tokens=min(config.max_tokens, longest),
    )
    tower = TextTower(config)
    if pretrained:
        net = hub.pretrained(source, part="text_config", local_files_only=local_files_only)
        tower.backbone.load_state_dict(net.state_dict())
    return tower
