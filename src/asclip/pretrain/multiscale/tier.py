"""CLIP, plus the entropy of how words spread over regions and regions over words.

    L = NCE(s u . x) + a mean_t H(softmax_n(w_t . v_n)) + b mean_n H(softmax_t(w_t . v_n))

    over every text and the image of the study that wrote it; H(p) = - sum p log p.

Paper    TIER, Palepu and Beam 2023 (MLHC), arXiv:2212.06710
Takes    image.pooled [B, D], image.local [B, N, D], text.pooled [M, D], text.local [M, T, D]
Gives    total; parts clip, word_entropy, region_entropy, scale
Equals   clip.py when word_weight = region_weight = 0
Differs  padding counts neither as words nor in the softmax over words (`variant="official"`: it
         does both, as in the authors' code). H is logsumexp minus mean logit (code: 1e-7 inside the
         logarithm). The authors' code leaves both weights to a search between 0 and 0.5.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, check_count, check_not_negative, log_scale
from asclip.pretrain.terms import contrast, owners, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair

HIDDEN = -1e4


def entropy(logits: Tensor, axis: int) -> Tensor:
    """Entropy of a softmax, in nats.

    >>> round(entropy(torch.zeros(2, 4), 1)[0].item(), 4)
    1.3863
    """
    log = logits.log_softmax(axis)
    return -(log.exp() * log).sum(axis)


def spread(regions: Tensor, words: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Mean entropy of m pairs' words and of their regions, each [m]; all of unit length."""
    similarity = words @ regions.mT  # [m, T, N]
    of_words = entropy(similarity, 2) * valid
    of_regions = entropy(similarity.masked_fill(~valid[..., None], HIDDEN), 1)
    return of_words.sum(1) / valid.sum(1).clamp(min=1), of_regions.mean(1)


class Tier(Scaled):
    """TIER's objective: CLIP's, and two entropies of each text with its own image."""

    def __init__(
        self,
        *,
        temperature: float = 0.07,
        word_weight: float = 0.2,
        region_weight: float = 0.1,
        variant: str = "paper",
        same_text: str = "positive",
        same_patient: str = "negative",
        chunk: int = 64,
    ) -> None:
        super().__init__()
        if variant not in ("paper", "official"):
            raise ModelError(f"variant must be 'paper' or 'official', got {variant!r}")
        check_not_negative(word_weight=word_weight, region_weight=region_weight)
        check_count(chunk=chunk)
        self.log_scale = log_scale(temperature)
        self.word_weight, self.region_weight = word_weight, region_weight
        self.official, self.chunk = variant == "official", chunk
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "image.local", "text.pooled", "text.local"}
            | relation_needs(same_text, same_patient)
        )

    def entropies(self, pair: Pair, facts: Facts) -> tuple[Tensor, Tensor]:
        """Mean entropies of words and of regions over the texts, each with its own image."""
        if pair.image.local is None or pair.text.local is None:
            raise ValueError("tier needs local vectors of both towers; got None")
        regions, words, valid = unit(pair.image.local), unit(pair.text.local), pair.text.valid
        if valid is None or self.official:
            valid = torch.ones(words.shape[:2], dtype=torch.bool, device=words.device)
        owner = owners(facts, len(words))
        owned = (owner >= 0).nonzero()[:, 0]  # a text of nobody has no regions to lie on
        if not len(owned):
            return 0.0 * words.sum(), 0.0 * regions.sum()
        parts = [
            checkpoint(spread, regions[owner[m]], words[m], valid[m], use_reentrant=False)
            for m in owned.split(self.chunk)
        ]
        of_words, of_regions = (torch.cat(x).mean() for x in zip(*parts, strict=True))
        return of_words, of_regions

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        scale = self.scale
        logits = scale * unit(pair.image.pooled) @ unit(pair.text.pooled[pairs.texts]).T
        clip = torch.stack(contrast(logits, pairs)).mean()
        of_words, of_regions = self.entropies(pair, facts)
        total = clip + self.word_weight * of_words + self.region_weight * of_regions
        parts = {
            "clip": clip, "word_entropy": of_words, "region_entropy": of_regions, "scale": scale,
        }  # fmt: skip
        return Loss(total, {name: part.detach() for name, part in parts.items()})
