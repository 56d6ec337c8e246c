"""What the query networks share (KAD, MedKLIP, MeDSLIP): whom to ask what, and a text's score.

A query network tells of a finding whether it is there; it learns that of the findings of the
training studies. A text such as "a mass in the left upper zone" says more than a finding, and a
whole report says much more; their contrast hears the rest. So a text's score is the sum of both
logits: that of the finding and that of the contrast.
"""

from __future__ import annotations

import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.pretrain.decoder import Decoder
from asclip.pretrain.terms import unit
from asclip.types import Encoded, Pair

QUERIES = {"wordings": "queries", "definitions": "definitions"}
ANSWERS = ("both", "query")


def check_choices(variant: str, ask: str, answer: str) -> None:
    """ModelError for a word that the query networks do not know."""
    choices = (
        ("variant", variant, ("paper", "official")),
        ("ask", ask, tuple(QUERIES)),
        ("answer", answer, ANSWERS),
    )
    for name, word, known in choices:
        if word not in known:
            raise ModelError(f"{name} must be {' or '.join(map(repr, known))}, got {word!r}")


def texts_of(pair: Pair, stream: str, count: int) -> Tensor:
    """The texts [F, D] that ask for `count` findings; ValueError if there are more or fewer."""
    texts = pair.others[stream].pooled.float()
    if len(texts) != count:
        raise ValueError(
            f"each of the {count} findings needs a definition, got {len(texts)}; give one text a "
            "finding, in the same order"
        )
    return texts


def regions(image: Encoded, name: str) -> Tensor:
    """The local vectors [B, N, D] of an image; ValueError if there are none."""
    if image.local is None:
        raise ValueError(f"{name} needs local vectors of the image; got None")
    return image.local.float()


def of_texts(
    decoder: Decoder, queries: Tensor, pooled: Tensor, text: Tensor, truth: Tensor
) -> Tensor:
    """Answers [M, F, D] of texts [M, D], each a memory of one token, where `truth` [M, F] is known.

    `text` [M] is equal where two rows are one text, which then is asked once.
    """
    distinct, same = text.unique(return_inverse=True)
    order = torch.arange(len(text), device=text.device)
    first = torch.full_like(distinct, len(text)).scatter_reduce(0, same, order, "amin")
    known = ~torch.isnan(truth[first])
    return decoder.ask(queries, pooled[first][:, None].float(), None, known)[same]


def contrast_logits(image: Encoded, text: Encoded, scale: Tensor) -> Tensor:
    """The contrast of whole images with texts: scale * cosine, logits [B, C]."""
    return scale * unit(image.pooled) @ unit(text.pooled).T
