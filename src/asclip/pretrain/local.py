"""Words against the regions that they attend to, for every image with every text.

    a_tn = softmax_n(sharpness * w_t . v_n),   c_t = sum_n a_tn v_n,
    S = log mean_t exp(emphasis * cos(w_t, c_t)) / emphasis

Source: GLoRIA, Huang et al. 2021, eq. 3-6; mean in place of sum over words so that a long text is
not closer to every image (the sum adds log T).

The context vectors c_t are never formed: w_t . c_t = sum_n a_tn (w_t . v_n), and |c_t|^2 is
a_t^T G a_t with the Gram matrix G = v v^T of the image. The gradient is written by hand, so that a
chunk of texts needs one pass forward and one back, in place, and no more memory than the chunk:

    dS/dcos_t = p_t (softmax over words);  dcos/da = s / |c| - (w . c) G a / |c|^3
    dcos/dG = - (w . c) a a^T / (2 |c|^3);  the softmax over regions, then s = v w^T, as usual

Benchmark: benchmarks/local.py.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from asclip.pretrain.terms import unit

ROOM = 2**21  # numbers in one array of a chunk, 8 MB: most of it stays in a processor's cache


class _Way(NamedTuple):
    """How to compute: chunks as (rows of texts, longest of them), and the options."""

    chunks: list[tuple[Tensor, int]]
    sharpness: float
    emphasis: float
    two_softmaxes: bool


class _Chunk(NamedTuple):
    """Of m texts: s, the input of the attention, a, G a [B, m, T, N]; w . c, |c| [B, m, T]."""

    similarity: Tensor
    scores: Tensor
    attention: Tensor
    moved: Tensor
    dot: Tensor
    length: Tensor


def _chunk(v: Tensor, gram: Tensor, w: Tensor, valid: Tensor, way: _Way) -> _Chunk:
    similarity = torch.matmul(w, v.mT).unflatten(1, valid.shape)
    scores = similarity
    if way.two_softmaxes:
        scores = similarity.masked_fill(~valid[None, :, :, None], -1e4).softmax(2)
    attention = (way.sharpness * scores).softmax(-1)
    moved = torch.bmm(attention.flatten(1, 2), gram).view_as(attention)
    dot = torch.einsum("bmtn,bmtn->bmt", attention, similarity)
    length = torch.einsum("bmtn,bmtn->bmt", attention, moved).clamp(min=1e-8).sqrt()
    return _Chunk(similarity, scores, attention, moved, dot, length)


class _LocalSimilarity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor, w: Tensor, valid: Tensor, way: _Way) -> Tensor:
        gram = v @ v.mT
        ctx.save_for_backward(v, gram, w, valid)
        ctx.way = way
        out = v.new_empty(len(v), len(w))
        for rows, longest in way.chunks:
            real = valid[rows, :longest]
            part = _chunk(v, gram, w[rows, :longest].flatten(0, 1), real, way)
            cosine = (part.dot / part.length).masked_fill(~real, -torch.inf)
            count = real.sum(-1).clamp(min=1).float().log()
            out[:, rows] = (torch.logsumexp(way.emphasis * cosine, -1) - count) / way.emphasis
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        v, gram, w, valid = ctx.saved_tensors
        way: _Way = ctx.way
        dv, dgram, dw = torch.zeros_like(v), torch.zeros_like(gram), torch.zeros_like(w)
        for rows, longest in way.chunks:
            real, words = valid[rows, :longest], w[rows, :longest].flatten(0, 1)
            part = _chunk(v, gram, words, real, way)
            a = part.attention
            cosine = (part.dot / part.length).masked_fill(~real, -torch.inf)
            share = grads[0][:, rows, None] * (way.emphasis * cosine).softmax(-1)
            direct = (share / part.length)[..., None]
            through = (share * part.dot / part.length**3)[..., None]
            da = part.moved.mul_(-through).addcmul_(part.similarity, direct)
            dgram.baddbmm_((a * through).flatten(1, 2).mT, a.flatten(1, 2), alpha=-0.5)
            inner = torch.einsum("bmtn,bmtn->bmt", da, a)[..., None]
            ds = da.sub_(inner).mul_(a).mul_(way.sharpness)
            if way.two_softmaxes:
                ds = ds.sub_((ds * part.scores).sum(2, keepdim=True)).mul_(part.scores)
            flat = ds.addcmul_(a, direct).flatten(1, 2)  # [B, m T, N]
            dv.baddbmm_(flat.mT, words.expand(len(v), -1, -1))
            own = flat.transpose(0, 1).flatten(1) @ v.flatten(0, 1)
            dw[rows, :longest] = own.view(len(rows), longest, -1)
        return dv.baddbmm_(dgram, v, alpha=2.0), dw, None, None  # dgram is symmetric


def local_similarity(
    regions: Tensor,
    words: Tensor,
    valid: Tensor | None = None,
    *,
    sharpness: float = 4.0,
    emphasis: float = 5.0,
    two_softmaxes: bool = False,
    room: int = ROOM,
) -> Tensor:
    """Word-to-region similarity of every image with every text, [B, M] in [-1, 1].

    `regions` [B, N, D], `words` [M, T, D], `valid` [M, T] bool (real tokens first). Texts of
    similar length are computed together, about `room` numbers at a time. `two_softmaxes` first
    normalises over the words of each region, as the authors' code does.
    """
    v, w = unit(regions), unit(words)
    if valid is None:
        valid = torch.ones(w.shape[:2], dtype=torch.bool, device=w.device)
    order = valid.sum(1).argsort()
    lengths = valid.sum(1).clamp(min=1)[order].tolist()
    each = v.shape[0] * v.shape[1]
    chunks, start = [], 0
    for end, longest in enumerate(lengths, 1):
        following = lengths[end] if end < len(lengths) else 0
        if not following or (end + 1 - start) * following * each > room:
            chunks.append((order[start:end], longest))
            start = end
    way = _Way(chunks, sharpness, emphasis, two_softmaxes)
    out: Tensor = _LocalSimilarity.apply(v, w, valid, way)
    return out
