"""Pieces of words for a WordPiece vocabulary, by merging the most frequent pairs.

Byte-pair merging (Sennrich et al. 2016, arXiv:1508.07909) on words with counts. Our own, because
the trainer of `tokenizers` breaks ties by the order of a hash map: two runs on one corpus give
different ids, and then a seed does not repeat a run. Here ties go to the alphabetically first pair.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

Pair = tuple[str, str]


def learn_pieces(words: Mapping[str, int], letters: Sequence[str], size: int) -> list[str]:
    """At most `size` pieces: every letter at the start and inside ("##a") of a word, then merges.

    A pair is merged when its words count at least 2 together. The same input gives the same list.

    >>> learn_pieces({"lung": 5, "lungs": 3}, "lungs", 16)[10:]
    ['##ng', '##ung', 'lung', 'lungs']
    """
    pieces = [*sorted(letters), *("##" + letter for letter in sorted(letters))][:size]
    known = set(pieces)
    split = [[w[0], *("##" + x for x in w[1:])] for w in sorted(words) if set(w) <= set(letters)]
    counts = [words[w] for w in sorted(words) if set(w) <= set(letters)]
    totals: dict[Pair, int] = defaultdict(int)
    where: dict[Pair, set[int]] = defaultdict(set)
    for index, parts in enumerate(split):
        for pair in pairwise(parts):
            totals[pair] += counts[index]
            where[pair].add(index)
    heap = [(-total, pair) for pair, total in totals.items()]
    heapq.heapify(heap)
    while heap and len(pieces) < size:
        total, pair = heapq.heappop(heap)
        if -total != totals[pair]:
            continue  # an old entry; the new count has one of its own
        if -total < 2:
            break
        merged = pair[0] + pair[1].removeprefix("##")
        if merged not in known:
            known.add(merged)
            pieces.append(merged)
        for changed in _merge(pair, merged, split, counts, (totals, where)):
            heapq.heappush(heap, (-totals[changed], changed))
    return pieces


def _merge(
    pair: Pair,
    merged: str,
    split: list[list[str]],
    counts: list[int],
    index: tuple[dict[Pair, int], dict[Pair, set[int]]],
) -> list[Pair]:
    """Write `merged` for `pair` in every word; the pairs whose counts changed, sorted."""
    totals, where = index
    changed: set[Pair] = set()
    for number in sorted(where.pop(pair, ())):
        old = split[number]
        new: list[str] = []
        place = 0
        while place < len(old):
            if tuple(old[place : place + 2]) == pair:
                new.append(merged)
                place += 2
            else:
                new.append(old[place])
                place += 1
        split[number] = new
        for parts, sign in ((old, -1), (new, 1)):
            for neighbour in pairwise(parts):
                totals[neighbour] += sign * counts[number]
                changed.add(neighbour)
                if sign > 0:
                    where[neighbour].add(number)
    totals.pop(pair, None)
    changed.discard(pair)
    return sorted(changed)
