"""Retrieval: from an image to its text among all texts, and from a text to its image.

A text that says the same (without regard to case and white space) is right too, and so is every
image that has it. The pool is the studies of the split that have a text: empty texts and
placeholders are left out and counted. Of a report with headings only findings and impression are
read, as in training: the indication says who the patient is, not what the image shows. Ties are
pessimistic (see `metrics.ranking`).

Takes    a model (`encode_images`, `encode_texts`, `score`) and a data set
Gives    ranks of the first hit as predictions; R@1, R@5, R@10, median rank and MRR in both
         directions, each with its pool, the exact value of a random order and an interval. In a
         random order of texts all studies with one text stand together, since the text has one
         similarity to an image; images have one each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asclip.data.texts import told
from asclip.errors import DataError
from asclip.metrics.bootstrap import bootstrap_mean, interval, percentile_interval
from asclip.metrics.chance import chance_median_rank, chance_recall_at_k, chance_reciprocal_rank
from asclip.metrics.known import mean_of_defined
from asclip.metrics.ranking import Ranked, median_rank, rank_queries
from asclip.tasks.provenance import provenance, record, who
from asclip.tasks.similarity import CHUNK, similarity, take
from asclip.types import Encoded, Predictions, Score

DIRECTIONS = ("image_to_text", "text_to_image")
CUTS = (1, 5, 10)
TOP = 10


@dataclass(frozen=True)
class Retrieval:
    """Retrieval with the text column `text` ("text", or the name of a further one).

    Intervals draw patients of the queries with replacement; the pool stays as it is. An R@k
    depends on the pool, so compare it only at equal `pool`, or by its distance from `chance`.
    """

    text: str = "text"
    seed: int = 0
    resamples: int = 1000

    name = "retrieval"

    def predict(self, model: Any, data: Any) -> Predictions:
        """Ranks of the first hit, and the best candidates for showing.

        `labels` are "image_to_text_rank" and "text_to_image_rank": `scores` [n, 2] holds the ranks
        (from 1) and `truth` [n, 2] how many candidates are right, both NaN for a study left out.
        `provenance` has `pool`, what was left out, and for each direction the best candidates:
        "image_to_text_top" [n, 10] int64 rows of studies (-1 where there is none), with
        "image_to_text_top_hits" bool and "image_to_text_top_similarity" float64 (NaN).

        Raises:
            DataError: `data` has no such text column.
        """
        facts = provenance(self.name, model, data, seed=self.seed)
        texts, why_not = self._texts(data)
        images = model.encode_images(data)
        blind = np.isnan(images.pooled.numpy()).any(axis=1)
        why_not = np.where((why_not == "") & blind, "no_image", why_not)
        rows = np.flatnonzero(why_not == "")
        facts |= {
            "text": self.text,
            "pool": len(rows),
            "distinct_texts": len({wording(texts[row]) for row in rows}),
            "left_out": {str(w): int((why_not == w).sum()) for w in np.unique(why_not) if w},
        }
        ranks, right = np.full((len(data), 2), np.nan), np.full((len(data), 2), np.nan)
        found = _rank([texts[row] for row in rows], model, take(images, rows)) if len(rows) else {}
        for column, way in enumerate(DIRECTIONS):
            facts |= _tops(way, found.get(way), rows, len(data))
            if way in found:
                ranks[rows, column], right[rows, column] = found[way].first, found[way].relevant
        labels = tuple(f"{way}_rank" for way in DIRECTIONS)
        return Predictions(ranks, right, labels, **who(data), provenance=facts)

    def evaluate(self, predictions: Predictions) -> list[Score]:
        """R@1, R@5, R@10, median rank and MRR of both directions; `label` is empty."""
        return [
            score
            for way in range(len(DIRECTIONS))
            for score in evaluate_way(
                predictions,
                way,
                DIRECTIONS[way],
                resamples=self.resamples,
                blocks=DIRECTIONS[way] == "image_to_text",
                why="no study of this split has an image and a text of its own",
            )
        ]

    def _texts(self, data: Any) -> tuple[list[str], np.ndarray]:
        """The texts [n], and for each "" or the reason why it is left out."""
        main = self.text == "text"
        column = "text" if main else f"text:{self.text}"
        if column not in data.studies:
            have = [c.removeprefix("text:") for c in data.studies if c.startswith("text")]
            raise DataError(f"{data.name} has no text {self.text!r}; it has {', '.join(have)}")
        texts = ["" if text != text else told(text or "") for text in data.studies[column]]
        flag = "text_is_placeholder" if main else f"placeholder:{self.text}"
        flags = (
            data.studies[flag].to_numpy(dtype=bool)
            if flag in data.studies
            else np.zeros(len(texts), dtype=bool)
        )
        empty = np.array([not text.strip() for text in texts], dtype=bool)
        return texts, np.where(empty, "empty_text", np.where(flags, "placeholder_text", ""))


def wording(text: str) -> str:
    """A text without regard to case and white space; texts of one wording count as one.

    >>> wording("No  Effusion. ") == wording("no effusion.")
    True
    """
    return " ".join(text.casefold().split())


def _rank(texts: list[str], model: Any, images: Encoded) -> dict[str, Ranked]:
    """Both directions of m images and their m texts."""
    _, first, group = np.unique(
        [wording(text) for text in texts], return_index=True, return_inverse=True
    )
    # One wording stands for all that say the same: each is encoded and scored once.
    encoded = model.encode_texts([texts[index] for index in first])
    forward = rank_queries(
        lambda rows: similarity(model, take(images, rows), encoded)[:, group],
        group,
        candidate_groups=group,
        top=TOP,
        chunk=CHUNK,
    )
    backward = rank_queries(
        lambda rows: similarity(model, images, take(encoded, rows)).T,
        np.arange(len(first)),
        candidate_groups=group,
        top=TOP,
        chunk=CHUNK,
    )
    # A text that several studies have asks once for each of them, and finds the same.
    return dict(zip(DIRECTIONS, (forward, backward.take(group)), strict=True))


def _tops(way: str, ranked: Ranked | None, rows: np.ndarray, number: int) -> dict[str, np.ndarray]:
    """The best candidates of each of `number` studies, as rows of the data set."""
    top = np.full((number, TOP), -1, dtype=np.int64)
    hits = np.zeros((number, TOP), dtype=bool)
    close = np.full((number, TOP), np.nan)
    if ranked is not None:
        depth = slice(ranked.top.shape[1])
        top[rows, depth] = rows[ranked.top]
        hits[rows, depth], close[rows, depth] = ranked.hits, ranked.similarity
    return {f"{way}_top": top, f"{way}_top_hits": hits, f"{way}_top_similarity": close}


def evaluate_way(
    predictions: Predictions, column: int, way: str, *, resamples: int, blocks: bool, why: str
) -> list[Score]:
    """The records of one direction, whose ranks are a `column` of the predictions.

    `blocks` as in `metrics.chance`; `why` says what is missing where no study is asked.
    """
    rank, relevant = predictions.scores[:, column], predictions.truth[:, column]
    pool = int(str(predictions.provenance["pool"]))
    asked = ~np.isnan(rank)
    counts = relevant[asked].astype(np.int64)
    patients = predictions.patient
    seed = int(str(predictions.provenance["seed"]))
    # Every metric but the median is a mean over queries of one of these columns.
    columns = np.stack([*((rank <= k).astype(float) for k in CUTS), 1.0 / rank], axis=1)
    columns[~asked] = np.nan
    names = [*(f"R@{k}" for k in CUTS), "MRR", "median_rank"]
    values = [*mean_of_defined(columns), median_rank(rank)]
    chances = [*(chance_recall_at_k(pool, counts, k, blocks=blocks) for k in CUTS)]
    chances += [chance_reciprocal_rank(pool, counts, blocks=blocks)]
    chances += [chance_median_rank(pool, counts, blocks=blocks)]
    intervals = [(np.nan, np.nan)] * len(names)
    if len(np.unique(patients[asked])) > 1:
        keywords = {"groups": patients[asked], "resamples": resamples}
        rng = np.random.default_rng(seed)
        samples = bootstrap_mean(columns[asked], rng=rng, **keywords)
        intervals = [percentile_interval(column) for column in samples.T]
        rng = np.random.default_rng(seed)
        intervals.append(
            interval(lambda _, r: median_rank(r), rank[asked], rank[asked], rng=rng, **keywords)
        )
    return [
        record(
            predictions, f"{way}_{name}", label="", value=float(value), low=float(low),
            high=float(high), n=int(asked.sum()), why_nan="" if asked.any() else why, pool=pool,
            chance=None if np.isnan(chance) else float(chance),
        )
        for name, value, (low, high), chance in zip(names, values, intervals, chances, strict=True)
    ]  # fmt: skip
