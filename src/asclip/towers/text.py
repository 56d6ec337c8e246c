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
POOLINGS = ("mean", "first", "last")


@dataclass(frozen=True, slots=True)
class TextConfig:
    """Everything that rebuilds a text tower, except its weights; plain JSON values.

    `vocabulary` is the number of token ids, `max_tokens` the longest text; `width` is D. `pooling`
    is "mean" over real tokens, "first" or "last" real token. `local` as in `ImageConfig`.
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

    def to_json(self) -> dict[str, Any]:
        """Plain values for model.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TextConfig:
        """The inverse of `to_json`; an unknown field is a ModelError."""
        return read_config(cls, values)


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
        options = {"hidden": config.hidden, "dropout": config.dropout}
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
            hidden = self._hidden(ids, mask)
            pooled = pool(hidden, mask, self.config.pooling)
            missing = tokens.ids.shape[1] - longest
            parts.append((pooled, functional.pad(hidden, (0, 0, 0, missing)) if local else pooled))
            places.append(rows)
        back = torch.cat(places).argsort()
        pooled, hidden = (torch.cat(group)[back] for group in zip(*parts, strict=True))
        return Encoded(pooled, hidden if local else None, tokens.mask if local else None)

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.locked):
            if isinstance(self.backbone, (TextTransformer, Words)):
                return self.backbone(ids, mask)
            # Without padding no mask is given: attention then takes its faster way.
            given = None if bool(mask.all()) else mask.long()
            return self.backbone(input_ids=ids, attention_mask=given).last_hidden_state

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


def by_length(lengths: Tensor) -> list[Tensor]:
    """Rows in groups of similar length (up to 12, 24, 48 ... tokens).

    A batch of sentences and whole reports is mostly padding otherwise, and padding is computed.

    >>> [rows.tolist() for rows in by_length(torch.tensor([5, 90, 12, 20]))]
    [[0, 2], [3], [1]]
    """
    group = (lengths.clamp(min=1) / 12).log2().ceil().clamp(min=0)
    return [(group == value).nonzero()[:, 0] for value in group.unique()]


def pool(hidden: Tensor, mask: Tensor, how: str) -> Tensor:
    """One vector per text [B, F] from hidden states [B, T, F] and mask [B, T].

    "mean" over real tokens, the "first" or the "last" real token; padding never counts.

    >>> hidden = torch.tensor([[[1.0], [3.0], [9.0]]])
    >>> pool(hidden, torch.tensor([[True, True, False]]), "mean").item()
    2.0
    """
    if how == "first":
        return hidden[:, 0]
    if how == "last":
        last = (mask.sum(1) - 1).clamp(min=0)
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    share = mask.to(hidden.dtype)
    share = share / share.sum(1, keepdim=True).clamp(min=1)
    return (share.unsqueeze(1) @ hidden).squeeze(1)


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
