"""The contrast of very many images and texts, without the matrix of all pairs.

    contrast(scale * image @ text.T, relation(...))    as in terms.py: the same two numbers

The matrix is computed in tiles of rows x columns. The forward pass keeps the log-sum-exp of every
row and column; the backward pass computes each tile again and has its gradient from them:

    dz_im = a_i exp(z_im - lse_i) + b_m exp(z_im - lse_m), less a_i/|P(i)| + b_m/|P(m)| if positive

with a_i the gradient of the first number over the rows that count, b_m of the second over columns:
one product more than with the whole matrix, and the memory of one tile. Log-sum-exp by parts:
Milakov & Gimelshein 2018, arXiv:1805.02867; this loss in tiles: Cheng et al. 2024,
arXiv:2410.17243. Which pairs are true is told by codes, B and U of them in place of B x U answers.

Benchmark: benchmarks/contrast.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce
from typing import Any, NamedTuple

import torch
from torch import Tensor

from asclip.pretrain.terms import firsts, relation_needs
from asclip.types import Facts

TILE = 1024  # rows and columns of a tile, 4 MB: most of it stays in a processor's cache
FULL = 2**24  # more pairs than this are computed in tiles
SAFE = 60.0  # exp(z), sums of a million of them and their inverses are float32 for |z| up to this


class Meeting(NamedTuple):
    """Pairs of a row that has any number of keys and a column that has one of them.

    `place`, `key` [E] int64 are the rows' keys, sorted by place; `single` [U] the columns'.
    """

    place: Tensor
    key: Tensor
    single: Tensor

    def tile(self, rows: slice, columns: slice) -> Tensor | None:
        """Which pairs of the tile meet, bool [rows, columns]; None if no pair does."""
        ends = torch.tensor([rows.start, rows.stop], device=self.place.device)
        first, last = torch.searchsorted(self.place, ends).tolist()
        place, key = self.place[first:last], self.key[first:last]
        distinct, which = self.single[columns].unique(return_inverse=True)
        at = torch.searchsorted(distinct, key).clamp(max=len(distinct) - 1)
        hit = distinct[at] == key
        if not hit.any():
            return None
        # Keys are the rows: to copy rows takes far less than to gather columns byte by byte.
        has = key.new_zeros(len(distinct), rows.stop - rows.start, dtype=torch.bool)
        has[at[hit], place[hit] - rows.start] = True
        return has[which].T.contiguous()


class Pairs(NamedTuple):
    """What `terms.relation` says, [B, U], in tiles; `texts` [U] int64 are the texts kept."""

    positives: tuple[Meeting, ...]
    neutrals: tuple[Meeting, ...]
    texts: Tensor

    def tile(self, rows: slice, columns: slice) -> tuple[Tensor | None, Tensor | None]:
        """Positive and neutral pairs of a tile, bool [rows, columns]; None where there is none."""
        positive = _any([m.tile(rows, columns) for m in self.positives])
        neutral = _any([m.tile(rows, columns) for m in self.neutrals])
        if positive is not None and neutral is not None:
            neutral = neutral & ~positive
        return positive, neutral


def _any(masks: list[Tensor | None]) -> Tensor | None:
    return reduce(lambda a, b: b if a is None else a if b is None else a | b, masks, None)


def pairs_of(
    facts: Facts, texts: int, *, same_text: str = "positive", same_patient: str = "negative"
) -> Pairs:
    """The relation of `terms.relation`, with the same words, without a matrix.

    >>> facts = Facts(torch.tensor([7, 7, 8]), targets={"text": torch.tensor([1, 2, 1])})
    >>> pairs = pairs_of(facts, 3, same_patient="neutral")
    >>> [mask.int().tolist() for mask in pairs.tile(slice(0, 3), slice(0, 2))]
    [[[1, 0], [0, 1], [1, 0]], [[0, 1], [1, 0], [0, 0]]]
    """
    relation_needs(same_text, same_patient)  # refuses words that it does not know
    patient = facts.patient
    row, column = _owned(facts, texts)  # [E] each: image `row` wrote text `column`
    every = torch.arange(texts, device=patient.device)
    code = every if same_text == "negative" else facts.targets["text"]
    kept = firsts(code) if same_text == "positive" else every
    found: dict[str, list[Meeting]] = {"positive": [], "neutral": [], "negative": []}
    if same_text != "positive":
        found["positive"].append(Meeting(row, column, every))
    found[same_text].append(Meeting(row, code[column], code[kept]))
    if same_patient != "negative":
        # Every image with what any study of its patient says, whichever copy of it.
        told = torch.stack([patient[row], code[column]], 1).unique(dim=0)  # sorted by patient
        place, which = _join(patient, told[:, 0].contiguous())
        found[same_patient].append(Meeting(place, told[which, 1], code[kept]))
    return Pairs(tuple(found["positive"]), tuple(found["neutral"]), kept)


def _owned(facts: Facts, texts: int) -> tuple[Tensor, Tensor]:
    """Every image [E], sorted, with every text [E] that its study wrote."""
    if "owner" not in facts.targets:
        rows = torch.arange(min(len(facts.patient), texts), device=facts.patient.device)
        return rows, rows
    owner = facts.targets["owner"]
    order = owner.argsort(stable=True)
    row, which = _join(facts.targets["study"], owner[order])
    return row, order[which]


def _join(keys: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Places of all pairs of equal values, sorted by those of `keys`; `others` is sorted."""
    first = torch.searchsorted(others, keys)
    number = torch.searchsorted(others, keys, right=True) - first
    place = torch.arange(len(keys), device=keys.device).repeat_interleave(number)
    within = torch.arange(len(place), device=keys.device) - (number.cumsum(0) - number)[place]
    return place, first[place] + within


class _Way(NamedTuple):
    """How to compute: the relation, the side of a tile, and whether exp(z) needs no shift."""

    pairs: Pairs
    tile: int
    safe: bool


class _Tile(NamedTuple):
    rows: slice
    columns: slice
    z: Tensor  # [rows, columns]
    positive: tuple[Tensor, ...]  # coordinates inside the tile, () if there is none
    neutral: Tensor | None


def _tiles(image: Tensor, text: Tensor, scale: Tensor, way: _Way) -> Iterator[_Tile]:
    """The tiles of the logits, row after row, in one array that each tile uses again."""
    room = image.new_empty(way.tile * way.tile)
    for i in range(0, len(image), way.tile):
        rows = slice(i, min(i + way.tile, len(image)))
        some = image[rows] * scale
        for m in range(0, len(text), way.tile):
            columns = slice(m, min(m + way.tile, len(text)))
            shape = (rows.stop - i, columns.stop - m)
            z = torch.mm(some, text[columns].T, out=room[: math.prod(shape)].view(shape))
            positive, neutral = way.pairs.tile(rows, columns)
            where = () if positive is None else positive.nonzero(as_tuple=True)
            yield _Tile(rows, columns, z, where, neutral)


class _Contrast(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, text: Tensor, scale: Tensor, way: _Way) -> Any:
        start = 0.0 if way.safe else -math.inf
        sums = [x.new_full((len(x),), start) for x in (image, text)]  # of exp(z), or its log
        hits = [x.new_zeros(len(x)) for x in (image, text)]  # sums of the positives' logits
        counts = [x.new_zeros(len(x)) for x in (image, text)]
        for tile in _tiles(image, text, scale, way):
            sides = (tile.rows, tile.columns)
            if tile.positive:
                value = tile.z[tile.positive]
                for side, hit, count, place in zip(sides, hits, counts, tile.positive, strict=True):
                    hit[side].index_add_(0, place, value)
                    count[side].index_add_(0, place, torch.ones_like(value))
            z = tile.z.exp_() if way.safe else tile.z
            if tile.neutral is not None:
                z.masked_fill_(tile.neutral, start)
            for axis, (side, total) in enumerate(zip(sides, sums, strict=True)):
                if way.safe:
                    total[side] += z.sum(1 - axis)
                else:
                    total[side] = torch.logaddexp(total[side], torch.logsumexp(z, 1 - axis))
        logs = [total.log() if way.safe else total for total in sums]
        ctx.save_for_backward(image, text, scale, *logs, *counts)
        ctx.way = way
        return tuple(
            torch.where(n > 0, lse - hit / n.clamp(min=1), 0.0).sum() / _real(n)
            for lse, hit, n in zip(logs, hits, counts, strict=True)
        )

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        image, text, scale, *rest = ctx.saved_tensors
        way: _Way = ctx.way
        # A row of neutral pairs alone has lse = -inf: it shall get exp(z - inf) = 0 and not NaN.
        logs = [lse.masked_fill(lse == -math.inf, math.inf) for lse in rest[:2]]
        # a [B], b [U]
        share = [g * (n > 0) / _real(n) for g, n in zip(grads, rest[2:], strict=True)]
        away = [a / n.clamp(min=1) for a, n in zip(share, rest[2:], strict=True)]
        flat = [a * (-lse).exp() for a, lse in zip(share, logs, strict=True)] if way.safe else logs
        d_image, d_text = torch.zeros_like(image), torch.zeros_like(text)
        for tile in _tiles(image, text, scale, way):
            r, c = tile.rows, tile.columns
            if way.safe:
                dz = tile.z.exp_().mul_(flat[0][r, None] + flat[1][c])
            else:
                dz = (tile.z - logs[0][r, None]).exp_().mul_(share[0][r, None])
                dz.addcmul_(tile.z.sub_(logs[1][c]).exp_(), share[1][c].expand_as(dz))
            if tile.neutral is not None:
                dz.masked_fill_(tile.neutral, 0.0)
            if tile.positive:
                i, m = tile.positive
                dz[i, m] -= away[0][r][i] + away[1][c][m]
            d_image[r].addmm_(dz, text[c])
            d_text[c].addmm_(dz.T, image[r])
        d_scale = (d_image * image).sum().view_as(scale)
        return d_image.mul_(scale), d_text.mul_(scale), d_scale, None


def _real(counts: Tensor) -> Tensor:
    """How many have a positive, at least 1."""
    return (counts > 0).sum().clamp(min=1)


def tiled_contrast(
    image: Tensor, text: Tensor, scale: Tensor, pairs: Pairs, *, tile: int = 0
) -> tuple[Tensor, Tensor]:
    """`contrast(scale * image @ text.T, pairs)`: image to text, and text to image.

    `image` [B, D], `text` [U, D] (the rows `pairs.texts`), `scale` [] float32; `tile` is the number
    of rows and columns of a tile, 0 = `TILE`. The gradients are those of the whole matrix, too.

    >>> pairs = pairs_of(Facts(torch.arange(2)), 2, same_text="negative")
    >>> a, b = tiled_contrast(torch.zeros(2, 3), torch.zeros(2, 3), torch.tensor(9.0), pairs)
    >>> round(float(a), 4), round(float(b), 4)
    (0.6931, 0.6931)
    """
    with torch.no_grad():
        largest = image.norm(dim=1).amax() * text.norm(dim=1).amax() * scale.abs()
    return _Contrast.apply(image, text, scale, _Way(pairs, tile or TILE, bool(largest < SAFE)))
