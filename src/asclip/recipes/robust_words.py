"""What a run's scores lose to other words: single prompts, typing errors, denials, absent texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from asclip.data.dataset import Dataset
from asclip.data.prompts import PromptSet
from asclip.metrics.bootstrap import bootstrap_mean
from asclip.metrics.chance import chance_recall_at_k
from asclip.tasks.classification.zero_shot import ZeroShot
from asclip.tasks.probing import unit
from asclip.tasks.provenance import provenance, who
from asclip.trust import prompting
from asclip.trust.robustness import (
    Quality,
    compared,
    quality,
    relative_drop,
    score_of,
    spread,
)
from asclip.types import Predictions, Score

NOT_SAID = ("unpaired", "twin")  # texts that are not said of the study's image
DEPTH, POOL = 10, 500  # of the retrieval with a text left out


def words(
    model: Any, part: Dataset, prompts: PromptSet, clean: Predictions, draw: dict[str, int]
) -> Iterator[Score]:
    """Scores with each prompt alone, with typing errors, and with affirmations and denials alone.

    `clean` are the predictions with the whole set; `model` keeps the images that it has encoded.
    """
    asked = prompts.only(*(label for label in clean.labels if label in prompts.classes))

    def ask(one: PromptSet) -> Predictions:
        return ZeroShot(one, seed=draw["seed"]).predict(model, part)

    yield score_of(clean, "prompts", "all templates", quality(clean, **draw))
    single = prompting.templates(asked)
    if len(single) > 1:
        yield from spread([ask(one) for one in single], **draw)
    typed = {
        f"typing-{s + 1}": ask(prompting.typing(asked, s + 1, seed=draw["seed"]))
        for s in range(len(prompting.TYPING))
    }
    for both in compared(clean, typed, "prompts", **draw).values():
        yield from both
    yield from _negation(model, asked, ask, draw)


def _negation(model: Any, asked: PromptSet, ask: Any, draw: dict[str, int]) -> Iterator[Score]:
    """AUROC of presence by affirmations alone, and of absence by denials alone."""
    sides = prompting.affirmed(asked), prompting.denied(asked)
    for label, one in zip(("affirmed", "denied"), sides, strict=True):
        if one is None:
            continue
        found = ask(one)
        columns = [found.labels.index(name) for name in one.labels]
        truth = found.truth[:, columns]
        truth = 1 - truth if label == "denied" else truth
        found = replace(found, truth=truth, scores=found.scores[:, columns], labels=one.labels)
        if label == "denied" and getattr(model, "scores_existence", False):
            why = "the model scores whether a named finding is there, and is asked no denial"
            nothing = Quality("auroc", float("nan"), np.empty(0), len(truth), 0.5)
            yield replace(score_of(found, "negation", label, nothing), why_nan=why)
        else:
            yield score_of(found, "negation", label, quality(found, **draw))


def absent_texts(model: Any, part: Dataset, draw: dict[str, int]) -> Iterator[Score]:
    """Image to text recall of the studies that have several texts, with all and without each.

    A study's texts stand for it by the mean of their unit vectors; those that read the same are all
    right. Nothing for a model whose similarity is not a cosine.
    """
    names = [name for name in part.text_names if name not in NOT_SAID and any(part.texts(name))]
    texts = {name: part.texts(name) for name in names}
    full = [all(texts[name][row] for name in names) for row in range(len(part))]
    images = model.encode_images(part).pooled.numpy() if names else np.zeros((0, 1))
    rows = np.flatnonzero(np.array(full, bool) & ~np.isnan(images).any(axis=1))[:POOL]
    if len(names) < 2 or len(rows) < 2 * DEPTH or model.scorer is not None:
        return
    said = {name: [texts[name][row] for row in rows] for name in names}
    vectors = {name: unit(model.encode_texts(told).pooled.numpy()) for name, told in said.items()}
    facts = provenance("missing", model, part, seed=draw["seed"])
    nothing = np.zeros((len(rows), 0))
    whose = {key: column[rows] for key, column in who(part).items()}
    few = Predictions(nothing, nothing, (), **whose, provenance=facts)

    def recall(kept: list[str], told: list[str]) -> Quality:
        """Of the texts `kept`; right is what reads the same in the texts `told`."""
        scores = unit(images[rows]) @ unit(np.mean([vectors[name] for name in kept], axis=0)).T
        wording = np.array(["\n".join(both) for both in zip(*(said[k] for k in told), strict=True)])
        same = wording[:, None] == wording[None]
        best = np.where(same, scores, -np.inf).max(axis=1, keepdims=True)
        hits = (((scores >= best) & ~same).sum(axis=1) < DEPTH)[:, None].astype(float)
        rng = np.random.default_rng(draw["seed"])
        samples = bootstrap_mean(hits, groups=few.patient, resamples=draw["resamples"], rng=rng)
        chance = chance_recall_at_k(len(rows), same.sum(axis=1), DEPTH, blocks=True)
        return Quality(f"recall@{DEPTH}", float(hits.mean()), samples[:, 0], len(rows), chance)

    yield score_of(few, "missing", "all texts", recall(names, names))
    for name in names:
        others = [other for other in names if other != name]
        now = recall(others, others)
        yield score_of(few, "missing", f"without {name}", now)
        # What is lost is told by one rule for both: fewer texts read the same more often, which
        # alone makes a hit easier.
        lost = relative_drop(recall(names, others), now)
        yield score_of(few, "missing", f"without {name}", lost)
