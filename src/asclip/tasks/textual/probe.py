"""Report -> labels: what a linear probe reads from frozen text embeddings.

    fitted on the reports of train, its strength chosen on validation, scored on test

Takes    three splits with label columns and reports
Gives    AUROC and average precision per label and macro, with intervals over patients; the same of
         a bag of the training words, which says how much of a label the words alone give away
Equals   `classification.supervised.Probe` with a report in the place of an image
Differs  more than `MOST` training studies are drawn from, with the seed
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from asclip.data.leakage import in_both
from asclip.tasks.classification.supervised import Probe
from asclip.tasks.provenance import provenance
from asclip.tasks.textual.generated import reports_of
from asclip.tasks.textual.rows import WORDS, BagOfWords, score
from asclip.types import Encoded, Predictions, Score

TASK = "text-probe"
MOST = 4000


class Reports:
    """A model that is shown a study's report when it is asked for its image."""

    def __init__(self, model: Any, words: BagOfWords | None = None) -> None:
        self.model, self.words, self.preprocessing = model, words, model.preprocessing

    def encode_images(self, data: Any) -> Encoded:
        """[n, D] of the reports; NaN for a study without one."""
        texts = reports_of(data)
        told = [text for text in texts if text]
        if self.words is not None:
            vectors = torch.from_numpy(self.words.vectors(told)).float()
        else:
            vectors = self.model.encode_texts(told).pooled
        out = torch.full((len(texts), vectors.shape[1]), torch.nan)
        out[torch.tensor([bool(text) for text in texts])] = vectors
        return Encoded(out)


def probe(
    model: Any, train: Any, validation: Any, test: Any, *, seed: int = 0, resamples: int = 1000
) -> tuple[list[Score], dict[str, Predictions]]:
    """The scores, and the predictions by the name of their task ("text-probe-words": the bag's).

    One undefined score with its reason where labels or reports are missing on a side, or where a
    patient of `test` is also in another: a probe knows by heart what it was fitted on.
    """
    sides = {"train": train, "val": validation}
    why = _missing({**sides, "test": test}) or _known(sides, test)
    if why:
        facts = provenance(TASK, model, test, seed=seed)
        ends = ("", WORDS)
        return [score(facts, "auroc", np.nan, end=e, label="macro", why=why) for e in ends], {}
    if len(train) > MOST:
        train = train.take(np.sort(np.random.default_rng(seed).permutation(len(train))[:MOST]))
    words = BagOfWords([text for text in reports_of(train) if text])
    scores, found = [], {}
    for end, bag in (("", None), (WORDS, words)):
        fitted = Probe(tuple(test.labels), seed=seed, resamples=resamples).fit(
            Reports(model, bag), train, validation
        )
        said = fitted.predict(Reports(model, bag), test)
        task = f"{TASK}{end}"
        said = Predictions(
            said.scores, said.truth, said.labels, said.study, said.patient,
            {**said.provenance, "task": task},
        )  # fmt: skip
        found[task] = said
        scores += fitted.evaluate(said)
    return scores, found


def _known(sides: dict[str, Any], test: Any) -> str:
    for (name, side), done in zip(sides.items(), ("fitted", "chosen"), strict=True):
        if both := in_both(side.studies["patient"], test.studies["patient"]):
            return f"{both:,} of the scored patients are in {name}, on which the probe is {done}"
    return ""


def _missing(sides: dict[str, Any]) -> str:
    if not sides["test"].labels:
        return "the data set has no label column that a probe could be fitted on"
    for name, side in sides.items():
        if not any(reports_of(side)):
            return f"no study of {name} has a report of its own"
    return ""
