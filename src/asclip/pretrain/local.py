"""Words against the regions that they attend to, for every image with every text.

    a_tn = softmax_n(sharpness * w_t . v_n),   c_t = sum_n a_tn v_n,
    S = log mean_t exp(emphasis * cos(w_t, c_t)) / emphasis,   0 for a text without a word

Source: GLoRIA, Huang et al. 2021, eq. 3-6; mean in place of sum over words so that a long text is
not closer to every image (the sum adds log T).

The context vectors c_t are never formed: w_t . c_t = sum_n a_tn (w_t . v_n), and |c_t|^2 is
a_t^T G a_t with the Gram matrix G = v v^T of the image. The words of all texts stand in one row
without padding, and a few images at a time meet them, so that the arrays, which each chunk
overwrites, stay in a processor's cache. The scores s of the first chunks are kept for the way back,
up to a limit. The gradient is written by hand:

    dS/dcos_t = p_t (softmax over the words of a text)
    dcos/da = s / |c| - (w . c) G a / |c|^3,   dcos/dG = - (w . c) a a^T / (2 |c|^3)

and sum_n a_n dcos/da_n = 0, since the length of c does not matter to a cosine: the softmax over
regions passes a_n dcos/da_n on as it is. A word whose context is shorter than 1e-4, as where an
image's regions are all 0, has no direction: its cosine is w . c / 1e-4, and no gradient comes from
it (it would be that of a division by almost nothing).

Benchmark: benchmarks/local.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ROOM = 2**20  # numbers in one array [images, words, regions], 4 MB
KEPT = 2**25  # numbers of scores that are kept for the way back, 128 MB; others are computed again
SHORTEST = 1e-6  # a shorter vector is divided by this
NO_LENGTH = 1e-4  # a shorter context too, and has no gradient


class _Way(NamedTuple):
    """The options; `text` [W] is the row of the text that owns a word, in rising order."""

    text: Tensor
    texts: int
    sharpness: float
    emphasis: float
    two_softmaxes: bool
    room: int
    keep: int


def _unit(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of length 1, as `terms.unit` gives them, and their lengths [..., 1]."""
    x = x.float()
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp(min=SHORTEST)
    return x / length, length


def _through_unit(gradient: Tensor, x: Tensor, length: Tensor) -> Tensor:
    """`gradient` of unit rows `x` as that of the rows they came from, in place."""
    along = torch.linalg.vecdot(gradient, x)[..., None]
    along = along.masked_fill(length <= SHORTEST, 0.0)  # there the length was a constant
    return gradient.addcmul_(x, along, value=-1.0).div_(length)


def _chunks(way: _Way, images: int, regions: int) -> tuple[list[slice], list[slice]]:
    """Images, and words, that are computed together; a text is never cut."""
    first = torch.searchsorted(way.text, torch.arange(way.texts + 1, device=way.text.device))
    ends, most = first.tolist(), max(1, way.room // regions)
    cuts = [0]
    for row in range(1, way.texts + 1):
        full = row < way.texts and ends[row + 1] - cuts[-1] > most
        if ends[row] > cuts[-1] and (full or row == way.texts):
            cuts.append(ends[row])
    words = [slice(a, b) for a, b in pairwise(cuts)]
    step = max(1, most // max((t.stop - t.start for t in words), default=1))
    return [slice(i, min(i + step, images)) for i in range(0, images, step)], words


def _over_texts(x: Tensor, way: _Way, kind: str) -> Tensor:
    """Sum or largest of [B, W] over the words of each text, [B, M]."""
    if kind == "sum":
        return x.new_zeros(len(x), way.texts).index_add_(1, way.text, x)
    rows = way.text.expand(len(x), -1)
    return x.new_full((len(x), way.texts), -torch.inf).scatter_reduce_(1, rows, x, "amax")


class _Arrays:
    """Arrays that the next chunk overwrites: fresh memory costs more than the work in it."""

    def __init__(self, like: Tensor) -> None:
        self.like = like
        self.held: dict[str, Tensor] = {}

    def __call__(self, name: str, shape: Sequence[int]) -> Tensor:
        size = math.prod(shape)
        if name not in self.held or len(self.held[name]) < size:
            self.held[name] = self.like.new_empty(size)
        return self.held[name][:size].view(shape)


def _attend(z: Tensor, words: slice, way: _Way, arrays: _Arrays) -> tuple[Tensor, Tensor]:
    """What enters the softmax over regions, and a, of z = sharpness w v^T, all [b, w, N]."""
    given = z
    if way.two_softmaxes:
        text = way.text[words] - way.text[words.start]
        # of cosines: no overflow
        given = torch.div(z, way.sharpness, out=arrays("given", z.shape)).exp_()
        total = given.new_zeros(len(z), int(text[-1]) + 1, z.shape[2]).index_add_(1, text, given)
        total.reciprocal_().mul_(way.sharpness)
        given *= torch.index_select(total, 1, text, out=arrays("a", z.shape))
    return given, torch.softmax(given, -1, out=arrays("a", z.shape))


class _LocalSimilarity(torch.autograd.Function):
    """Lengths are divided out in here: autograd's backward of that holds three more copies."""

    @staticmethod
    def forward(ctx: Any, regions: Tensor, words: Tensor, way: _Way) -> Tensor:
        w, long = _unit(words)
        sharp, arrays = way.sharpness * w, _Arrays(w)
        dot = w.new_empty(len(regions), len(w))
        length = torch.empty_like(dot)
        kept: dict[tuple[int, int], Tensor] = {}
        free = way.keep
        some, pieces = _chunks(way, *regions.shape[:2])
        for i in some:
            v, _ = _unit(regions[i])
            gram = v @ v.mT
            for t in pieces:
                shape = (len(v), t.stop - t.start, v.shape[1])
                free -= math.prod(shape)
                z = w.new_empty(shape) if free >= 0 else arrays("z", shape)
                torch.bmm(sharp[t].expand(len(v), -1, -1), v.mT, out=z)
                a, spare = _attend(z, t, way, arrays)[1], arrays("spare", shape)
                dot[i, t] = torch.mul(a, z, out=spare).sum(-1) / way.sharpness
                length[i, t] = torch.bmm(a, gram, out=spare).mul_(a).sum(-1)
                if free >= 0:
                    kept[i.start, t.start] = z
        length = length.clamp_(min=0.0).sqrt_().clamp_(min=NO_LENGTH)
        cosine = way.emphasis * dot / length
        top = _over_texts(cosine, way, "max")
        p = (cosine - top[:, way.text]).exp_()
        total = _over_texts(p, way, "sum")
        p /= total[:, way.text]
        ctx.save_for_backward(regions, w, long, dot, length, p)
        ctx.way, ctx.kept, ctx.kind = way, kept, words.dtype
        number_of_words = torch.bincount(way.text, minlength=way.texts)
        out = (top + total.log() - number_of_words.log()) / way.emphasis
        return out.masked_fill(number_of_words == 0, 0.0)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, Tensor, None]:
        # Whoever is inside autocast may call this; the forward pass was not.
        with torch.autocast(grads[0].device.type, enabled=False):
            return _way_back(ctx, grads[0])


def _way_back(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
    regions, w, long, dot, length, p = ctx.saved_tensors
    way: _Way = ctx.way
    share = gradient[:, way.text] * p
    share = share.masked_fill_(length <= NO_LENGTH, 0.0)
    direct, through = share / length, share * dot / length**3
    to_regions, dw = torch.empty_like(regions), torch.zeros_like(w)
    sharp, arrays = way.sharpness * w, _Arrays(w)
    some, pieces = _chunks(way, *regions.shape[:2])
    for i in some:
        v, far = _unit(regions[i])
        gram = v @ v.mT
        dv, dgram = torch.zeros_like(v), torch.zeros_like(gram)
        for t in pieces:
            shape = (len(v), t.stop - t.start, v.shape[1])
            # A second way back finds none that was kept, and computes it.
            z = ctx.kept.pop((i.start, t.start), None)
            if z is None:
                z = torch.bmm(sharp[t].expand(len(v), -1, -1), v.mT, out=arrays("z", shape))
            given, a = _attend(z, t, way, arrays)
            near, turned = direct[i, t, None], through[i, t, None]
            weighted = torch.mul(a, turned, out=arrays("spare", shape))
            dgram.baddbmm_(weighted.mT, a, alpha=-0.5)
            # sharpness a dcos/da, and a direct for the scores in w . c, both in the place of z
            ds = (z if way.two_softmaxes else z.add_(1.0)).mul_(near)
            ds = ds.baddbmm_(weighted, gram, alpha=-way.sharpness).mul_(a)
            if way.two_softmaxes:
                ds = _second(ds, given, t, way, arrays).addcmul_(a, near)
            dv.baddbmm_(ds.mT, w[t].expand(len(v), -1, -1))
            for one, its in zip(ds, v, strict=True):  # joined they would be copied
                dw[t].addmm_(one, its)
        dv.baddbmm_(dgram, v, alpha=2.0)  # dgram is symmetric
        to_regions[i] = _through_unit(dv, v, far)
    return to_regions, _through_unit(dw, w, long).to(ctx.kind), None


def _second(ds: Tensor, given: Tensor, words: slice, way: _Way, arrays: _Arrays) -> Tensor:
    """The gradient before the softmax over the words of a text, in place."""
    text = way.text[words] - way.text[words.start]
    p, spare = given.div_(way.sharpness), arrays("spare", ds.shape)
    inner = ds.new_zeros(len(ds), int(text[-1]) + 1, ds.shape[2])
    inner.index_add_(1, text, torch.mul(ds, p, out=spare))
    return ds.sub_(torch.index_select(inner, 1, text, out=spare)).mul_(p)


def local_similarity(
    regions: Tensor,
    words: Tensor,
    valid: Tensor | None = None,
    *,
    sharpness: float = 4.0,
    emphasis: float = 5.0,
    two_softmaxes: bool = False,
    room: int = ROOM,
    keep: int = KEPT,
) -> Tensor:
    """Word-to-region similarity of every image with every text, [B, M] in [-1, 1].

    `regions` [B, N, D], `words` [M, T, D], `valid` [M, T] bool (real tokens). About `room` scores
    are computed at a time, and at most `keep` are kept for the way back. `two_softmaxes` first
    normalises over the words of each region, as the authors' code does. A text without a valid word
    has the similarity 0 and no gradient.

    Raises:
        ValueError: an image has no local vector.
    """
    if not regions.shape[1]:
        raise ValueError(
            f"an image must have at least one local vector, got {tuple(regions.shape)}; give "
            "regions [B, N, D] with N > 0"
        )
    real = valid
    if real is None:
        real = torch.ones(words.shape[:2], dtype=torch.bool, device=words.device)
    text = real.nonzero()[:, 0]
    back = torch.is_grad_enabled() and (regions.requires_grad or words.requires_grad)
    way = _Way(text, len(words), sharpness, emphasis, two_softmaxes, room, keep if back else 0)
    with torch.autocast(words.device.type, enabled=False):
        out: Tensor = _LocalSimilarity.apply(regions, words[real], way)
    return out
