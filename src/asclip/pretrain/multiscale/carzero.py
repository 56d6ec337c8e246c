"""Contrast of a similarity that is itself a cross-attention.

    i2t_im = MLP(Decoder(query x_m, memory [u_i; v_i1 .. v_iN])) + s cos(u_i, x_m)
    t2i_mi   the same with query u_i and memory [x_m; w_m1 .. w_mT];   L = NCE(i2t) + NCE(t2i^T)

Paper    CARZero, Lai et al. 2024 (CVPR), arXiv:2402.17417
Takes    image.pooled [B, D], image.local [B, N, D], text.pooled [M, D], text.local [M, T, D]
Gives    total; parts image_memory, text_memory, scale
Equals   twice clip.py before the first step
Differs  published is the MLP alone (`variant="official"`). At the start what it says of a pair is
         1/200 of a logit, so that the towers follow noise: from scratch it stands still at a
         learning rate of 2e-3 and learns at 2e-4 (published: 5e-5, and towers trained before). So
         the MLP starts at 0 and is added to the cosine of the pooled vectors. One decoder and one
         MLP serve both directions, as in the authors' code; their decoder has a ReLU and dropout
         0.1 (here GELU, none) and normalises the memory once (here in each layer). Padding is no
         memory (code: it is). A text that several studies share is true of all of them
         (`same_text="positive"`). The authors' rewriting of sentences as "There is ..." belongs to
         the prompts, not to the loss. `score` is the mean of both directions, the logits that were
         trained over the scale of their cosine, with which whoever asks multiplies it (code: cosine
         of the two decoders' outputs, in another variant).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from asclip.errors import ModelError
from asclip.pretrain.decoder import Decoder
from asclip.pretrain.scale import Scaled, log_scale, scale_of
from asclip.pretrain.terms import contrast, reach, relation, relation_needs, rows, unit
from asclip.types import Encoded, Facts, Loss, Pair

ROOM = 2**23  # numbers in the largest tensor of a chunk of memories


class CarZero(Scaled):
    """CARZero's objective for towers of `width` D (a multiple of `heads`)."""

    def __init__(
        self,
        width: int,
        *,
        layers: int = 4,
        heads: int = 4,
        hidden: int = 1024,
        head: tuple[int, ...] = (1024, 512, 256),
        temperature: float = 0.07,
        variant: str = "paper",
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if variant not in ("paper", "official"):
            raise ModelError(f"variant must be 'paper' or 'official', got {variant!r}")
        self.variant = variant
        self.decoder = Decoder(
            width, layers=layers, heads=heads, hidden=hidden, self_attention=False
        )
        self.enter = nn.LayerNorm(width)
        sizes, steps = (width, *head), []
        for a, b in pairwise(sizes):
            steps += [nn.Linear(a, b), nn.ReLU()]
        last = nn.Linear(sizes[-1], 1)
        if variant == "paper":
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            self.log_scale = log_scale(temperature)
        self.head = nn.Sequential(*steps, last)
        self.widest = max(hidden, 2 * width, *head)
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "image.local", "text.pooled", "text.local"}
            | relation_needs(same_text, same_patient)
        )

    @property
    def scale(self) -> Tensor:
        """What cosines are multiplied with; 1 where there are none (`variant="official"`)."""
        return scale_of(self.log_scale) if self.variant == "paper" else torch.ones(())

    def logits(self, memory: Encoded, queries: Tensor) -> Tensor:
        """One logit of each memory with each query: [R] memories, queries [Q, D] -> [R, Q].

        Memories go some at a time, so that their keys and values are made once; each chunk is
        recomputed in the backward pass.
        """
        if memory.local is None:
            raise ValueError("carzero needs local vectors of both towers; got None")
        tokens = torch.cat([memory.pooled[:, None], memory.local], 1).float()
        valid = memory.valid
        if valid is None:
            valid = torch.ones(memory.local.shape[:2], dtype=torch.bool, device=tokens.device)
        valid = torch.cat([torch.ones_like(valid[:, :1]), valid], 1)
        tokens, entered = self.enter(tokens), self.enter(queries.float())

        def some(tokens: Tensor, valid: Tensor) -> Tensor:
            return self.head(self.decoder(entered, tokens, valid)[0])[..., 0]

        order = valid.sum(1).argsort()
        size = max(1, ROOM // (max(len(queries), tokens.shape[1]) * self.widest))
        parts = []
        for r in order.split(size):
            longest = reach(valid[r])
            chunk = (tokens[r, :longest], valid[r, :longest])
            parts.append(checkpoint(some, *chunk, use_reentrant=False))
        logits = torch.cat(parts)[order.argsort()]
        if self.variant == "official":
            return logits
        return logits + self.scale * unit(memory.pooled) @ unit(queries).T

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        texts = rows(pair.text, pairs.texts)
        to_text = torch.stack(contrast(self.logits(pair.image, texts.pooled), pairs)).mean()
        to_image = torch.stack(contrast(self.logits(texts, pair.image.pooled).T, pairs)).mean()
        parts = {"image_memory": to_text.detach(), "text_memory": to_image.detach()}
        if self.variant == "paper":
            parts["scale"] = self.scale.detach()
        return Loss(to_text + to_image, parts)

    @torch.no_grad()
    def score(self, image: Encoded, text: Encoded) -> Tensor:
        """Mean of both directions' logits over `scale`, [B, C]: comparable with a cosine."""
        both = self.logits(image, text.pooled) + self.logits(text, image.pooled).T
        return both / 2 / self.scale
