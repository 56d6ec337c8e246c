"""Arithmetic that several objectives share: relations between studies and texts, and contrast.

Shapes: B images (one per study), M texts (M = B with one text per study; more when a study gives
several sentences), N patches, T tokens, D width. Everything here is float32, outside
autocast.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from asclip.errors import ModelError, nearest
from asclip.types import Encoded, Facts

RELATIONS = ("positive", "neutral", "negative")
ROUNDING = 1e-5  # below a threshold still counts: equal vectors' cosine may be 0.99999994


class Relation(NamedTuple):
    """Which pairs are true and which are left out: both [B, U] bool, never true together.

    `texts` [U] int64 are the rows of the M texts that the columns stand for.
    """

    positive: Tensor
    neutral: Tensor
    texts: Tensor


def unit(x: Tensor) -> Tensor:
    """`x` [..., D] in float32 with Euclidean length 1 along the last axis.

    >>> unit(torch.tensor([3.0, 4.0]))
    tensor([0.6000, 0.8000])
    """
    return F.normalize(x.float(), dim=-1, eps=1e-6)


def relation_needs(same_text: str, same_patient: str) -> frozenset[str]:
    """The facts that `relation` reads; ModelError for a word that it does not know.

    >>> sorted(relation_needs("negative", "neutral"))
    ['facts.owner', 'facts.patient', 'facts.study']
    """
    for name, word in (("same_text", same_text), ("same_patient", same_patient)):
        if word not in RELATIONS:
            hint = nearest(word, list(RELATIONS))
            raise ModelError(f"{name} must be positive, neutral or negative, got {word!r}; {hint}")
    needs = {"facts.study", "facts.owner", "facts.patient"}
    return frozenset(needs | ({"facts.text"} if same_text != "negative" else set()))


def relation(
    facts: Facts, texts: int, *, same_text: str = "positive", same_patient: str = "negative"
) -> Relation:
    """Who belongs to whom in a batch, [B, U].

    A text belongs to the study that wrote it (`facts.targets["owner"]` against
    `facts.targets["study"]`; row i to row i when there is no owner). `same_text` says what two
    studies with the same statement (`facts.targets["text"]`) are to each other's text, and
    `same_patient` what other studies of one patient are: "positive", "neutral" (left out of the
    denominator) or "negative". A shared text that is positive is one column (U <= M): what every
    second report says would otherwise outweigh what one report says.

    >>> facts = Facts(torch.tensor([7, 7, 8]), targets={"text": torch.tensor([1, 2, 1])})
    >>> relation(facts, 3, same_patient="neutral").positive.int().tolist()
    [[1, 0], [0, 1], [1, 0]]
    >>> relation(facts, 3, same_patient="neutral").neutral.int().tolist()
    [[0, 1], [1, 0], [0, 0]]
    """
    patient = facts.patient
    if "owner" in facts.targets:
        own = facts.targets["study"][:, None] == facts.targets["owner"][None, :]  # [B, M]
    else:
        own = torch.eye(len(patient), texts, dtype=torch.bool, device=patient.device)
    positive, neutral, owners = own.clone(), torch.zeros_like(own), own
    if same_text != "negative":
        text = facts.targets["text"]
        same = text[:, None] == text[None, :]  # [M, M]
        owners = (own.float() @ same.float()) > 0  # its copies' too
        (positive if same_text == "positive" else neutral).logical_or_(owners)
    if same_patient != "negative":
        # A text that several studies share has the patients of all of them, not of the first one:
        # no copy of it is a negative where another is not.
        of_patient = (patient[:, None] == patient[None, :]).float() @ owners.float() > 0
        (positive if same_patient == "positive" else neutral).logical_or_(of_patient)
    kept = torch.arange(own.shape[1], device=own.device)
    if same_text == "positive":
        kept = firsts(facts.targets["text"])
    return Relation(positive[:, kept], (neutral & ~positive)[:, kept], kept)


def firsts(values: Tensor) -> Tensor:
    """The row at which each distinct value stands first, in order."""
    distinct, place = values.unique(return_inverse=True)
    order = torch.arange(len(values), device=values.device)
    start = torch.full((len(distinct),), len(values), device=values.device)
    return start.scatter_reduce(0, place, order, "amin").sort().values


def rows(encoded: Encoded, which: Tensor) -> Encoded:
    """Some rows of an `Encoded`."""
    return Encoded(
        encoded.pooled[which],
        None if encoded.local is None else encoded.local[which],
        None if encoded.valid is None else encoded.valid[which],
    )


def contrast(logits: Tensor, pairs: Relation) -> tuple[Tensor, Tensor]:
    """Cross-entropy to the positives, spread evenly, over rows and over columns of [B, U].

        image_to_text = mean_i 1/|P(i)| sum_{p in P(i)} (lse_{m not neutral} z_im - z_ip)

    and text_to_image the same on the transpose. With one positive a row and nothing neutral this
    is CLIP's InfoNCE. Rows without a positive do not count.

    >>> one = torch.eye(2) > 0
    >>> a, b = contrast(torch.zeros(2, 2), Relation(one, ~one & one, torch.arange(2)))
    >>> round(float(a), 4), round(float(b), 4)
    (0.6931, 0.6931)
    """
    logits = logits.masked_fill(pairs.neutral, -torch.inf)

    def along(axis: int) -> Tensor:
        count = pairs.positive.sum(axis)
        logp = F.log_softmax(logits, dim=axis).masked_fill(~pairs.positive, 0.0)
        each = -logp.sum(axis) / count.clamp(min=1)
        return each.sum() / (count > 0).sum().clamp(min=1)

    return along(1), along(0)


def soft_contrast(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy to soft targets over rows and over columns of [B, M].

    `targets` [B, M] are weights >= 0; each row (and, for the second number, each column) is divided
    by its own sum, and those that sum to 0 do not count.

    >>> a, b = soft_contrast(torch.zeros(2, 2), torch.eye(2))
    >>> round(float(a), 4), round(float(b), 4)
    (0.6931, 0.6931)
    """

    def along(axis: int) -> Tensor:
        total = targets.sum(axis)
        each = -(targets * F.log_softmax(logits, dim=axis)).sum(axis) / total.clamp(min=1e-12)
        return each[total > 0].sum() / (total > 0).sum().clamp(min=1)

    return along(1), along(0)


def known_bce(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy, mean over the entries of `truth` that are not NaN; 0 if none is known.

    >>> round(float(known_bce(torch.zeros(2), torch.tensor([1.0, torch.nan]))), 4)
    0.6931
    """
    known = ~torch.isnan(truth)
    each = F.binary_cross_entropy_with_logits(
        logits, truth.masked_fill(~known, 0.0), reduction="none"
    )
    return each.masked_fill(~known, 0.0).sum() / known.sum().clamp(min=1)


def owners(facts: Facts, texts: int) -> Tensor:
    """The row of the study that wrote each text, [M] int64; -1 for a text of no study.

    >>> facts = Facts(torch.tensor([7, 8]), targets={"study": torch.tensor([5, 6])})
    >>> facts.targets["owner"] = torch.tensor([6, -1, 5])
    >>> owners(facts, 3).tolist()
    [1, -1, 0]
    """
    if "owner" not in facts.targets:
        return torch.arange(texts, device=facts.patient.device)
    own = facts.targets["study"][:, None] == facts.targets["owner"]  # [B, M]
    return own.float().argmax(0).masked_fill(~own.any(0), -1)


def by_study(values: Tensor, facts: Facts, studies: int) -> tuple[Tensor, Tensor]:
    """What has a row a text [M, ...] as [B, S, ...], zeros behind the last; and valid [B, S].

    S is at least 1, also where no text belongs to a study.
    """
    own = owners(facts, len(values)) == torch.arange(studies, device=values.device)[:, None]
    study, text = own.nonzero(as_tuple=True)
    place = own.cumsum(1)[study, text] - 1
    longest = max(1, int(own.sum(1).max()))
    padded = values.new_zeros(studies, longest, *values.shape[1:])
    valid = torch.zeros(studies, longest, dtype=torch.bool, device=values.device)
    valid[study, place] = True
    return padded.index_put((study, place), values[text]), valid


def patch_error(
    predicted: Tensor, patches: Tensor, holes: Tensor, *, normalise: bool = False
) -> Tensor:
    """Mean squared error over the pixels of hidden patches [B, N, P]; 0 if none is hidden.

    `normalise` brings each true patch to mean 0 and variance 1 first.
    """
    if normalise:
        spread = patches.var(-1, keepdim=True, unbiased=False)
        patches = (patches - patches.mean(-1, keepdim=True)) / (spread + 1e-6).sqrt()
    each = (predicted - patches).square().mean(-1).masked_fill(~holes, 0.0)
    return each.sum() / holes.sum().clamp(min=1)


def word_error(logits: Tensor, words: Tensor, weight: Tensor) -> Tensor:
    """Mean cross-entropy of logits [B, T, V], weighted [B, T]; 0 if nothing weighs."""
    each = F.cross_entropy(logits.transpose(1, 2), words, reduction="none")
    return (each * weight).sum() / weight.sum().clamp(min=1e-6)


def reach(valid: Tensor) -> int:
    """How many places [m, T] hold all that is valid, wherever padding stands; at least 1.

    >>> reach(torch.tensor([[False, True, False]])), reach(torch.tensor([[False, False]]))
    (2, 1)
    """
    places = valid.any(0).nonzero()
    return int(places[-1]) + 1 if len(places) else 1


def some_visible(holes: Tensor) -> Tensor:
    """What may be looked at [B, N]: visible patches, or all where every one is hidden."""
    return ~holes | holes.all(1, keepdim=True)


def mean_valid(local: Tensor, valid: Tensor | None) -> Tensor:
    """Mean of the real local vectors [B, N, D], valid [B, N] bool -> [B, D]; zeros if none is."""
    if valid is None:
        return local.mean(1)
    weight = valid[..., None].to(local.dtype)
    return (local * weight).sum(1) / weight.sum(1).clamp(min=1)
