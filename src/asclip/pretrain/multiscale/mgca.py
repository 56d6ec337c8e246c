"""Contrast at three levels: instances, tokens inside a pair, and prototypes.

    L = l1 * instance + l2 * (words + patches) + l3 * prototypes
    words: o_t = unit(sum_n softmax_n(w_t . p_n / tau) p_n), z = w o^T / tau  [T, T] inside a pair,
           sum_t a_t (CE(z_t, t) + CE(z^T_t, t)) / 2;  patches: the same with the roles exchanged
    prototypes: q = Sinkhorn(u C^T / eps), -(q_image log softmax(v C^T / tp) + the reverse) / 2

Paper    MGCA, Wang et al. 2022 (NeurIPS), arXiv:2210.06044
Takes    image.pooled [B, D], image.local [B, N, D], text.pooled [M, D], text.local [M, T, D]
Gives    total; parts instance, words, patches, prototypes
Equals   clip.py with a fixed temperature when token_weight = prototype_weight = 0
Differs  a_t is the last layer's attention of the class token in the authors' code, which towers do
         not show: here sg softmax_t(w_t . u / tau), u the pooled vector (`weights="pooled"`), or
         "uniform", which is what the code takes for patches of a CNN. `variant="official"`: the
         instance term is the sum of both directions, padding stays among the words that are
         compared and what patches take from words keeps its length. Prototypes are normalised
         inside the formula (code: overwritten before each step) and learn from the first step
         (code: from the second epoch on). A text that studies share is one sample of Sinkhorn.
         The temperatures are fixed, weights are 1 (the constructor's defaults: 1, 0.7, 0.5).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from asclip.errors import ModelError
from asclip.pretrain.scale import check_count, check_not_negative, check_positive
from asclip.pretrain.terms import (
    Relation,
    contrast,
    owners,
    reach,
    relation,
    relation_needs,
    unit,
)
from asclip.types import Facts, Loss, Pair

HIDDEN = -1e4


def both_ways(z: Tensor, weights: Tensor, valid: Tensor | None) -> Tensor:
    """Weighted cross-entropy to the own position over rows and columns of z [m, N, N] -> [m]."""
    true = z.diagonal(dim1=1, dim2=2)
    total = torch.zeros_like(true)
    for axis in (2, 1):
        hidden = None if valid is None else ~valid.unsqueeze(3 - axis)
        seen = z if hidden is None else z.masked_fill(hidden, HIDDEN)
        total = total + seen.logsumexp(axis) - true
    return (weights * total).sum(1) / 2


def token_terms(
    patches: Tensor,
    words: Tensor,
    valid: Tensor,
    patch_weights: Tensor,
    word_weights: Tensor,
    *,
    temperature: float,
    official: bool,
) -> tuple[Tensor, Tensor]:
    """The words' and the patches' term of m pairs, each [m]; patches [m, N, D], words [m, T, D].

    Contexts are never formed: w_s . (sum_n a_tn p_n) = sum_n a_tn s_sn with the similarities s,
    and lengths come from the Gram matrices, so nothing of size N x N x D is computed.
    """
    similarity = words @ patches.mT  # [m, T, N]
    to_patch = (similarity / temperature).softmax(-1)
    length = ((to_patch @ (patches @ patches.mT)) * to_patch).sum(-1).clamp(min=1e-8).sqrt()
    z = similarity @ to_patch.mT / length[:, None, :] / temperature  # [m, T, T]
    of_words = both_ways(z, word_weights, None if official else valid)
    scores = (similarity / temperature).masked_fill(~valid[..., None], HIDDEN)
    to_word = scores.softmax(1).mT  # [m, N, T]
    z = similarity.mT @ to_word.mT / temperature  # [m, N, N]
    if not official:
        length = ((to_word @ (words @ words.mT)) * to_word).sum(-1).clamp(min=1e-8).sqrt()
        z = z / length[:, None, :]
    return of_words, both_ways(z, patch_weights, None)


def token_weights(local: Tensor, pooled: Tensor, valid: Tensor, temperature: float) -> Tensor:
    """Softmax over the cosines of local vectors with the pooled one, [m, N], without gradient."""
    with torch.no_grad():
        cosine = (local @ pooled[..., None])[..., 0] / temperature
        return cosine.masked_fill(~valid, HIDDEN).softmax(-1) * valid


@torch.no_grad()
def sinkhorn(logits: Tensor, iterations: int = 3) -> Tensor:
    """Assignments [B, K] whose rows sum to 1 and whose columns are (nearly) equally full.

    In the log domain: exp of similarities / 0.05 leaves float32 where they are not cosines.

    >>> sinkhorn(torch.tensor([[900.0, 0.0], [900.0, 0.0]])).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    log = logits.float()
    for _ in range(iterations):
        log = log - log.logsumexp(0, keepdim=True)
        log = log - log.logsumexp(1, keepdim=True)
    return log.exp()


def swapped(
    image: Tensor, text: Tensor, prototypes: Tensor, pairs: Relation, *, epsilon: float,
    temperature: float, iterations: int,
) -> Tensor:  # fmt: skip
    """Each side's assignment predicted from the other: mean over images and over texts, halved."""
    scores, other = image @ prototypes.T, text @ prototypes.T  # [B, K], [U, K]
    code = sinkhorn(scores / epsilon, iterations)
    other_code = sinkhorn(other / epsilon, iterations)
    by_text = -code @ (other / temperature).log_softmax(1).T  # [B, U]
    by_image = -(scores / temperature).log_softmax(1) @ other_code.T
    total = scores.new_zeros(())
    for axis, each in ((1, by_text), (0, by_image)):
        count = pairs.positive.sum(axis)
        mean = (each * pairs.positive).sum(axis) / count.clamp(min=1)
        total = total + mean.sum() / (count > 0).sum().clamp(min=1)
    return total / 2


class Mgca(nn.Module):
    """MGCA's objective for towers of `width` D; it owns the prototypes [K, D]."""

    def __init__(
        self,
        width: int,
        *,
        temperature: float = 0.07,
        token_temperature: float = 0.1,
        prototype_temperature: float = 0.2,
        epsilon: float = 0.05,
        iterations: int = 3,
        prototypes: int = 500,
        token_weight: float = 1.0,
        prototype_weight: float = 1.0,
        weights: str = "pooled",
        variant: str = "paper",
        same_text: str = "positive",
        same_patient: str = "negative",
        chunk: int = 16,
    ) -> None:
        super().__init__()
        if variant not in ("paper", "official"):
            raise ModelError(f"variant must be 'paper' or 'official', got {variant!r}")
        if weights not in ("pooled", "uniform"):
            raise ModelError(f"weights must be 'pooled' or 'uniform', got {weights!r}")
        check_positive(
            temperature=temperature, token_temperature=token_temperature,
            prototype_temperature=prototype_temperature, epsilon=epsilon,
        )  # fmt: skip
        check_count(prototypes=prototypes, iterations=iterations, chunk=chunk)
        check_not_negative(token_weight=token_weight, prototype_weight=prototype_weight)
        self.prototypes = nn.Parameter(torch.randn(prototypes, width) / math.sqrt(width))
        self.temperature, self.token_temperature = temperature, token_temperature
        self.prototype_temperature, self.epsilon = prototype_temperature, epsilon
        self.iterations, self.chunk = iterations, chunk
        self.token_weight, self.prototype_weight = token_weight, prototype_weight
        self.weights, self.official = weights, variant == "official"
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "image.local", "text.pooled", "text.local"}
            | relation_needs(same_text, same_patient)
        )

    @property
    def scale(self) -> float:
        """What cosines of the instance term are multiplied with."""
        return 1 / self.temperature

    def _some(
        self, patches: Tensor, words: Tensor, valid: Tensor, image: Tensor, text: Tensor
    ) -> tuple[Tensor, Tensor]:
        every = valid.new_ones(patches.shape[:2])
        if self.weights == "uniform":
            of_patches, of_words = (x / x.sum(1, keepdim=True).clamp(min=1) for x in (every, valid))
        else:
            of_patches = token_weights(patches, image, every, self.token_temperature)
            of_words = token_weights(words, text, valid, self.token_temperature)
        return token_terms(
            patches, words, valid, of_patches, of_words,
            temperature=self.token_temperature, official=self.official,
        )  # fmt: skip

    def tokens(self, pair: Pair, facts: Facts) -> tuple[Tensor, Tensor]:
        """The words' and the patches' terms, means over the pairs of a text and its image."""
        if pair.image.local is None or pair.text.local is None:
            raise ValueError("mgca needs local vectors of both towers; got None")
        patches, words, valid = unit(pair.image.local), unit(pair.text.local), pair.text.valid
        image, text = unit(pair.image.pooled), unit(pair.text.pooled)
        if valid is None:
            valid = torch.ones(words.shape[:2], dtype=torch.bool, device=words.device)
        owner, parts = owners(facts, len(words)), []
        order = valid.sum(1).argsort()  # texts of similar length together, without their padding
        order = order[owner[order] >= 0]  # a text of nobody has no patches to be compared with
        if not len(order):
            return 0.0 * words.sum(), 0.0 * patches.sum()
        for m in order.split(self.chunk):
            longest = words.shape[1] if self.official else reach(valid[m])
            some = (patches[owner[m]], words[m, :longest], valid[m, :longest])
            parts.append(
                checkpoint(self._some, *some, image[owner[m]], text[m], use_reentrant=False)
            )
        of_words, of_patches = (torch.cat(x).mean() for x in zip(*parts, strict=True))
        return of_words, of_patches

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        image = unit(pair.image.pooled)
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        text = unit(pair.text.pooled[pairs.texts])
        instance = torch.stack(contrast(image @ text.T / self.temperature, pairs))
        instance = instance.sum() if self.official else instance.mean()
        words, patches = self.tokens(pair, facts)
        prototypes = swapped(
            image, text, unit(self.prototypes), pairs, epsilon=self.epsilon,
            temperature=self.prototype_temperature, iterations=self.iterations,
        )  # fmt: skip
        total = instance + self.token_weight * (words + patches)
        total = total + self.prototype_weight * prototypes
        parts = {
            "instance": instance, "words": words, "patches": patches, "prototypes": prototypes,
        }  # fmt: skip
        return Loss(total, {name: part.detach() for name, part in parts.items()})
