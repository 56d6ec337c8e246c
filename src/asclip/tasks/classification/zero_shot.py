"""Zero-shot classification: a class is the sentences that say it.

    u_i  embedding of study i     v_k  mean of the unit embeddings of class k's prompts, again unit
    several labels    d_ik = s (u_i.v_k+ - u_i.v_k-)                       p = sigmoid(d)
    one class         d_ik = s u_i.v_k - logsumexp_{j != k} s u_i.v_j      p = softmax = sigmoid(d)

Paper    CLIP, Radford et al. 2021, arXiv:2103.00020, section 3.1 (prompts, ensembles); CheXzero,
         Tiu et al. 2022, doi:10.1038/s41551-022-00936-9 (positive and negative prompts)
Takes    a model (`encode_images`, `encode_texts`, `score`, `scale`), a prompt set, a data set
Gives    log-odds d [n, K] as predictions; AUROC, average precision, accuracy with intervals
Differs  predictions are log-odds, not probabilities: in float64 a probability is exactly 1 from
         d = 37 on, and such ties would change the AUROC. CheXzero has no temperature (s = 1).
         Where an objective owns a score, it is averaged over the prompts of a class; where that is
         the log-odds of a finding (a query network), negative prompts are not asked: "no effusion"
         names the effusion too
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asclip.data.prompts import PromptSet
from asclip.errors import DataError
from asclip.tasks.beside import asked_of
from asclip.tasks.classification.scoring import evaluate
from asclip.tasks.classification.truth import truth_of
from asclip.tasks.provenance import provenance, who
from asclip.tasks.similarity import one_against_rest, owns_score, similarity
from asclip.types import Encoded, Predictions, Score


@dataclass(frozen=True)
class ZeroShot:
    """A zero-shot question; `prompts` also says whether a study has one class or several labels.

    `temperature` True multiplies similarities by the model's own scale, False by 1, a number by
    itself. It changes no AUROC of a pair of prompts. `seed` is recorded and seeds the resamples.
    """

    prompts: PromptSet
    temperature: bool | float = True
    seed: int = 0
    resamples: int = 1000

    name = "zero-shot"

    def predict(self, model: Any, data: Any) -> Predictions:
        """Log-odds [n, K] and truth of every study, in the order of `data`.

        Candidates of a single-label question are the classes that occur in `data`, as in a data
        set's own list of classes; use `prompts.only` and a data set to ask for others.

        Raises:
            DataError: no study, or no label or value of `data` is in the prompt set.
        """
        facts = provenance(self.name, model, data, seed=self.seed, prompts=self.prompts.id)
        truth = truth_of(self.prompts, data)
        asked = self.prompts.only(*(name for name in truth.labels if name in self.prompts.classes))
        scores = np.full(truth.values.shape, np.nan)
        columns = [truth.labels.index(label) for label in asked.labels]
        seeing = asked_of(model, self.prompts)
        images = seeing.encode_images(data)
        scores[:, columns] = log_odds(seeing, images, asked, temperature=self.temperature)
        if self.prompts.beside:
            facts["sees_prior"] = seeing is not model
        facts |= truth.notes | {
            "kind": self.prompts.kind,
            "temperature": _multiplier(model, self.temperature),
            "labels_without_probability": [
                label for label in asked.labels if not is_log_odds(seeing, asked, label)
            ],
            "studies_not_scored": int(np.isnan(scores[:, columns]).any(axis=1).sum()),
        }
        return Predictions(scores, truth.values, truth.labels, **who(data), provenance=facts)

    def evaluate(
        self, predictions: Predictions, validation: Predictions | None = None
    ) -> list[Score]:
        """AUROC and average precision per label and macro, accuracy where one class is right.

        With `validation` (predictions of other patients) also F1 and MCC, at the thresholds that
        are best there.
        """
        return evaluate(predictions, validation, resamples=self.resamples)


def log_odds(
    model: Any, images: Encoded, prompts: PromptSet, *, temperature: bool | float = True
) -> np.ndarray:
    """[B, K] float64 log-odds of the classes of `prompts` for encoded images.

    `1 / (1 + exp(-d))` is the probability. A multi-label class without negative prompts has no
    probability: its column is the plain similarity.
    """
    scale = 1.0 if getattr(model, "scores_existence", False) else _multiplier(model, temperature)
    classes = list(prompts.classes.values())
    positive = _class_similarity(model, images, [part.positive for part in classes])  # [B, K]
    if prompts.single_label:
        if len(classes) < 2:
            raise DataError(f"prompt set {prompts.name}: one class is no choice; ask for two")
        return one_against_rest(scale * positive)
    if getattr(model, "scores_existence", False):
        return positive
    paired = [k for k, part in enumerate(classes) if part.negative]
    out = positive
    if paired:
        negative = _class_similarity(model, images, [classes[k].negative for k in paired])
        out[:, paired] = scale * (positive[:, paired] - negative)
    return out


def score_encoded(model: Any, images: Encoded, prompts: PromptSet) -> np.ndarray:
    """[B, K] what to show for encoded images: probabilities of the classes of `prompts`.

    A multi-label class without negative prompts has its plain similarity, see `log_odds`.

    Raises:
        DataError: the set asks of an image beside the study before, and here images stand alone.
    """
    if prompts.beside:
        raise DataError(
            f"prompt set {prompts.name} asks of an image beside the patient's study before, and "
            "here it stands alone; ask of a data set: asclip evaluate RUN DATA --prompts FILE"
        )
    scores = log_odds(model, images, prompts)
    for k, label in enumerate(prompts.classes):
        if is_log_odds(model, prompts, label):
            # exp of a negative number only: no overflow however sure the model is.
            small = np.exp(-np.abs(scores[:, k]))
            scores[:, k] = np.where(scores[:, k] < 0, small, 1.0) / (1.0 + small)
    return scores


def is_log_odds(model: Any, prompts: PromptSet, label: str) -> bool:
    """Whether the score of a class is a log-odds; else it is a plain similarity."""
    negative = prompts.classes[label].negative
    return bool(prompts.single_label or negative or getattr(model, "scores_existence", False))


def _multiplier(model: Any, temperature: bool | float) -> float:
    if temperature is True:
        return float(model.scale)
    return 1.0 if temperature is False else float(temperature)


def _class_similarity(model: Any, images: Encoded, prompts: Sequence[Sequence[str]]) -> np.ndarray:
    """[B, K] similarity of images to classes, each given by its prompts."""
    import torch

    texts = model.encode_texts([text for part in prompts for text in part])
    owner = np.repeat(np.arange(len(prompts)), [len(part) for part in prompts])
    if owns_score(model):
        every = similarity(model, images, texts)  # [B, prompts]
        return np.stack([every[:, owner == k].mean(axis=1) for k in range(len(prompts))], axis=1)
    unit = texts.pooled / texts.pooled.norm(dim=1, keepdim=True).clamp(min=1e-12)
    means = [unit[torch.from_numpy(owner == k)].mean(dim=0) for k in range(len(prompts))]
    vectors = torch.stack(means)
    vectors = vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-12)  # [K, D]
    return similarity(model, images, Encoded(vectors))
