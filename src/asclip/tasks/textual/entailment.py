"""Entailment: what follows from a sentence, by a linear head on frozen embeddings.

    premise   a finding with a place, affirmed or denied
    entailed  the same without the place, or (affirmed) a finding of which it is a kind
    contrary  the contrary assertion of the same finding
    neutral   the same finding at another place, or a finding that is no kind of it
    head      logistic regression of [u, v, |u - v|, u * v]; a finding is said by a fit on others

Source   the features of InferSent, Conneau et al. 2017, arXiv:1705.02364; the question of RadNLI,
         Miura et al. 2021, arXiv:2010.10042
Gives    balanced accuracy of the three classes (chance 1/3) and the share of each that is found
Differs  pairs are generated, not written by radiologists: a head that fails here fails there, the
         reverse does not follow. Denial: "no nodule in the left upper zone" does not entail "no
         nodule", so a denied premise has no place, and what it entails is a paraphrase
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from asclip.clinical.bank import lineage
from asclip.tasks.probing import FOLDS, cross_validated
from asclip.tasks.provenance import provenance
from asclip.tasks.textual.generated import (
    PLACES,
    WORDINGS,
    Said,
    reports_of,
    spoken_of,
    version,
)
from asclip.tasks.textual.rows import both, mean_score
from asclip.tasks.textual.sentence_similarity import kin
from asclip.types import Score

TASK = "entailment"
CLASSES = ("contradiction", "entailment", "neutral")
EACH = 8  # pairs of each class and finding
FEW = f"fewer than {FOLDS} unlike findings are stated by the reports of this split"


def entailment(model: Any, data: Any, *, seed: int = 0, resamples: int = 1000) -> list[Score]:
    """The scores for the model and for a bag of words."""
    facts = provenance(TASK, model, data, seed=seed, prompts=version())
    pairs, classes, group = generated(spoken_of(reports_of(data)), np.random.default_rng(seed))
    if len(np.unique(group)) < FOLDS:
        pairs, classes, group = [], classes[:0], group[:0]
    vectors = both(model, [one.text for pair in pairs for one in pair])
    scores = []
    for end, rows in vectors.items():
        hits = np.zeros((0, len(CLASSES)))
        if pairs:
            hits = cross_validated(features(rows[0::2], rows[1::2]), classes, group)
        common = {"resamples": resamples, "end": end, "why": FEW}
        scores.append(
            mean_score(facts, "balanced_accuracy", hits, group, chance=1 / len(CLASSES), **common)
        )
        scores += [
            mean_score(facts, "recall", hits[:, k], group, label=name, **common)
            for k, name in enumerate(CLASSES)
        ]
    return scores


def features(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """[n, 4D] of premises [n, D] and hypotheses [n, D]."""
    return np.concatenate([u, v, np.abs(u - v), u * v], axis=1)


def generated(
    names: Sequence[str], rng: np.random.Generator
) -> tuple[list[tuple[Said, Said]], np.ndarray, np.ndarray]:
    """Pairs (premise, hypothesis), their classes [n] and the number [n] of the premise's finding.

    As many of each class, of affirmed and of denied premises, with and without a place.
    """
    pairs, classes, group = [], [], []
    for number, name in enumerate(names):
        others = [other for other in names if not kin(name, other)]
        if not others:
            continue
        for turn in range(EACH):
            for relation in CLASSES:
                pairs.append(_pair(name, others, relation, affirmed=turn % 2 == 0, rng=rng))
                classes.append(relation)
                group.append(number)
    return pairs, np.array(classes, dtype=str), np.array(group, dtype=np.int64)


def _pair(
    name: str, others: Sequence[str], relation: str, *, affirmed: bool, rng: np.random.Generator
) -> tuple[Said, Said]:
    """One pair; the place of the premise never tells its relation, nor does its wording."""
    first, second = (int(k) for k in rng.choice(WORDINGS, 2, replace=False))
    here, there = (PLACES[int(k)] for k in rng.choice(len(PLACES), 2, replace=False))
    premise = Said(name, affirmed, first, here if affirmed else "")
    other = others[int(rng.integers(len(others)))]
    if relation == "contradiction":
        return premise, Said(name, not affirmed, second, here if affirmed and second % 2 else "")
    if relation == "entailment":
        wider = [name, *lineage(name)] if affirmed else [name]
        return premise, Said(wider[int(rng.integers(len(wider)))], affirmed, second)
    if affirmed and rng.random() < 0.5:
        return premise, Said(name, True, second, there)
    return premise, Said(other, bool(rng.random() < 0.5), second)
