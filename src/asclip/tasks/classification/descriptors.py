"""Zero-shot with evidence: a finding is judged by the signs that a reader would name.

    d_j = s (u.t_j+ - u.t_j-)       sign j said to be there, and said to be absent
    p = exp(mean_j log sigmoid(d_j))        over the signs of a finding

Paper    Xplainer, Pellegrini et al. 2023 (MICCAI), arXiv:2303.13391
Takes    a model, a prompt set whose classes have as many negative as positive sentences, sign by
         sign in one order (`signs` makes it from the clinical catalogue), a data set
Gives    log-odds of p [n, K] as predictions, the d_j of every sign beside them; scores as zero-shot
Differs  s is the model's own scale (paper: 1 / 0.5). The signs are our own, of the catalogue's
         version, written without a language model. A model whose score is the log-odds of a finding
         (a query network) is asked for the sign alone, as in `zero_shot`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asclip.clinical.bank import canonical, catalogue
from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.errors import DataError
from asclip.tasks.classification.scoring import evaluate
from asclip.tasks.classification.truth import truth_of
from asclip.tasks.provenance import provenance, who
from asclip.tasks.similarity import similarity
from asclip.types import Encoded, Predictions, Score


def signs(labels: Sequence[str]) -> PromptSet:
    """The catalogue's signs of these findings, as sentences that state and deny each of them.

    A label may be written as in public label sets; those without signs are left out.

    Raises:
        DataError: none of the labels has signs.

    >>> signs(["Edema"]).classes["Edema"].negative[0]
    'No haze around both hila indicating pulmonary oedema.'
    """
    file = catalogue("descriptors")
    classes = {}
    for label in labels:
        try:
            finding = canonical(label)
        except DataError:
            continue  # no finding of the catalogue, so without signs too
        said = [
            {"sign": sign, "Sign": sign[:1].upper() + sign[1:], "finding": finding}
            for sign in file["findings"].get(finding, ())
        ]
        if said:
            sides = (tuple(file[k].format(**one) for one in said) for k in ("present", "absent"))
            classes[label] = ClassPrompts(*sides)
    if not classes:
        raise DataError(
            f"signs are known of {', '.join(file['findings'])}; got none of them in "
            f"{', '.join(labels) or 'no label'}; give a prompt set of your own"
        )
    about = f"clinical catalogue of signs, version {file['version']}. {file['reviewed']}"
    return PromptSet("signs", file["version"], "multi-label", classes, source=about)


@dataclass(frozen=True)
class Descriptors:
    """A question for findings by their signs; fields as those of `ZeroShot`."""

    prompts: PromptSet
    temperature: bool | float = True
    seed: int = 0
    resamples: int = 1000

    name = "descriptors"

    def __post_init__(self) -> None:
        uneven = [k for k, c in self.prompts.classes.items() if len(c.positive) != len(c.negative)]
        if self.prompts.single_label or uneven:
            raise DataError(
                f"prompt set {self.prompts.name}: descriptors need a multi-label set with one "
                f"negative sentence for each positive one, in its order; got "
                f"{uneven[0] if uneven else 'a single-label set'!r}; write the denials too"
            )

    def predict(self, model: Any, data: Any) -> Predictions:
        """Log-odds [n, K], and in the provenance what they come from.

        `evidence` [n, J] are the signs' log-odds, `signs` J pairs of a label and a sentence.

        Raises:
            DataError: no study, or no label of `data` is in the prompt set.
        """
        facts = provenance(self.name, model, data, seed=self.seed, prompts=self.prompts.id)
        truth = truth_of(self.prompts, data)
        asked = self.prompts.only(*(name for name in truth.labels if name in self.prompts.classes))
        found = evidence(model, model.encode_images(data), asked, temperature=self.temperature)
        scores = np.full(truth.values.shape, np.nan)
        scores[:, [truth.labels.index(label) for label in asked.labels]] = joined(found, asked)
        facts |= truth.notes | {
            "kind": "multi-label",
            "evidence": found,
            "signs": [[name, text] for name, c in asked.classes.items() for text in c.positive],
        }
        return Predictions(scores, truth.values, truth.labels, **who(data), provenance=facts)

    def evaluate(
        self, predictions: Predictions, validation: Predictions | None = None
    ) -> list[Score]:
        """As zero-shot classification."""
        return evaluate(predictions, validation, resamples=self.resamples)


def evidence(
    model: Any, images: Encoded, prompts: PromptSet, *, temperature: bool | float = True
) -> np.ndarray:
    """[n, J] float64 log-odds of every sign of every class, in the set's order."""
    classes = list(prompts.classes.values())
    stated = model.encode_texts([text for part in classes for text in part.positive])
    there = similarity(model, images, stated)
    if getattr(model, "scores_existence", False):
        return there
    denied = model.encode_texts([text for part in classes for text in part.negative])
    scale = float(model.scale) if temperature is True else float(temperature or 1.0)
    return scale * (there - similarity(model, images, denied))


def joined(found: np.ndarray, prompts: PromptSet) -> np.ndarray:
    """[n, K] log-odds of the classes: of the geometric mean of their signs' probabilities."""
    ends = np.cumsum([len(part.positive) for part in prompts.classes.values()])
    logs = [-np.logaddexp(0, -part).mean(1) for part in np.split(found, ends[:-1], axis=1)]
    log_p = np.stack(logs, axis=1)
    # log p - log(1 - p); exp is below 1, and where it rounds to it p is as sure as can be told.
    return log_p - np.log(np.maximum(-np.expm1(log_p), np.finfo(np.float64).tiny))


def reasons(predictions: Predictions, row: int, label: str) -> list[tuple[str, float]]:
    """The signs of a label in one study and their probabilities, the surest first.

    Raises:
        DataError: predictions of another task, or a label without signs.
    """
    names: Any = predictions.provenance.get("signs", ())
    values = np.asarray(predictions.provenance.get("evidence", np.empty((0, 0))))
    mine = [k for k, (name, _) in enumerate(names) if name == label]
    if not mine:
        raise DataError(f"these predictions hold no signs of {label!r}; predict with Descriptors")
    shares = 1 / (1 + np.exp(-np.clip(values[row, mine], -500, 500)))
    order = np.argsort(-shares, kind="stable")
    return [(names[mine[k]][1], float(shares[k])) for k in order]
