"""What an adapter is given and what it gives, the same for all of them.

    f  [D] unit-length feature of a study    v_k+, v_k-  [D] unit-length vectors of class k's texts
    T  [K, D] text directions: v_k+ of one class of several, v_k+ - v_k- of several labels
    s  the model's scale                     zero-shot logits  z = s f.T

A class of a multi-label question without negative texts has v_k- = 0. Logits of one class of
several go into a softmax, those of labels into a sigmoid each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from asclip.data.prompts import PromptSet
from asclip.errors import DataError, ModelError


@dataclass(frozen=True, slots=True)
class Examples:
    """Studies with a truth: `features` [n, D] float32 of unit length, `truth` [n, K] 1, 0, NaN.

    Truth of one class of several is one-hot and known in every row. `part` is the data set of these
    studies, row by row, for methods that train the image tower; None where there are no pixels.
    """

    features: Tensor
    truth: Tensor
    part: Any = None

    def __post_init__(self) -> None:
        shape = tuple(self.features.shape), tuple(self.truth.shape)
        if self.features.ndim != 2 or self.truth.ndim != 2 or shape[0][0] != shape[1][0]:
            raise DataError(
                f"examples must have features [n, D] and truth [n, K] of equal n, got {shape[0]} "
                f"and {shape[1]}; take both from the same studies"
            )
        if self.part is not None and len(self.part) != len(self.features):
            raise DataError(
                f"the data set of examples must have their {len(self.features)} studies, got "
                f"{len(self.part)}; take both from the same studies"
            )
        if not self.features.isfinite().all():
            raise DataError(
                "features of examples must be finite numbers, got NaN or infinity; leave out "
                "studies without an image"
            )
        odd = self.truth[~(self.truth.isnan() | (self.truth == 0) | (self.truth == 1))]
        if len(odd):
            raise DataError(f"truth must be 1, 0 or NaN (unknown), got {odd[0]:g}; map it first")


@dataclass(frozen=True, slots=True)
class ClassTexts:
    """The classes of a question and what the model's text tower says of them.

    `positive`, `negative` [K, D] float32: unit-length mean of the class's texts, 0 where it has
    none. `scale` multiplies a cosine to give a logit. `prompts` are the sentences, `model` is for
    methods that go back through the text tower.
    """

    labels: tuple[str, ...]
    single: bool
    positive: Tensor
    negative: Tensor
    scale: float
    prompts: PromptSet
    model: Any = None

    @classmethod
    def of(cls, model: Any, prompts: PromptSet) -> ClassTexts:
        """The texts of `prompts` as `model` reads them.

        Raises:
            DataError: one class of one.
            ModelError: the model was trained without text.
        """
        if prompts.single_label and len(prompts.labels) < 2:
            raise DataError(
                f"prompt set {prompts.name}: one class ({', '.join(prompts.labels)}) is no "
                "choice; at least two must occur in the training split"
            )
        if getattr(model, "classifier", None) is not None:
            raise ModelError(
                "adapters need a model that understands text, and this one was trained on labels "
                "alone; adapt a run of another recipe"
            )
        classes = prompts.classes.values()
        return cls(
            labels=prompts.labels,
            single=prompts.single_label,
            positive=torch.stack([_mean(model, part.positive) for part in classes]),
            negative=torch.stack(
                [_mean(model, () if prompts.single_label else part.negative) for part in classes]
            ),
            scale=float(model.scale),
            prompts=prompts,
            model=model,
        )

    @property
    def directions(self) -> Tensor:
        """T [K, D]."""
        return self.positive - self.negative

    def logits(self, features: Tensor) -> Tensor:
        """Zero-shot logits [n, K]."""
        return self.scale * features @ self.directions.T


def _mean(model: Any, texts: tuple[str, ...]) -> Tensor:
    """[D] unit-length mean of the unit embeddings of some texts; 0 of none."""
    pooled = model.encode_texts(list(texts) or [""], local=False).pooled.float()
    mean = functional.normalize(functional.normalize(pooled, dim=1).mean(0), dim=0)
    return mean if texts else torch.zeros_like(mean)


class Adapted(Protocol):
    """A fitted adapter."""

    @property
    def chosen(self) -> Mapping[str, Any]:
        """What validation has chosen, for the record."""
        ...

    def scores(self, features: Tensor) -> Tensor:
        """Logits [n, K] of features [n, D]."""
        ...

    def again(self, texts: ClassTexts) -> Adapted | None:
        """The same for other classes, without examples of them; None if it knows its own alone."""
        ...


class Adapter(Protocol):
    """A method with its parameters; `fit` sees training and validation studies and nothing else."""

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Adapted:
        """The adapter for these classes; equal arguments give equal results."""
        ...


@dataclass(frozen=True)
class Linear:
    """Logits f.W + b with `weight` [K, D] and `bias` [K]; `learned` is what training moved.

    `reads` gives the same of other classes' texts, where texts are all that the weights come from.
    """

    weight: Tensor
    bias: Tensor
    chosen: Mapping[str, Any] = field(default_factory=dict)
    learned: Mapping[str, Tensor] = field(default_factory=dict)
    reads: Callable[[ClassTexts], Linear] | None = None

    def scores(self, features: Tensor) -> Tensor:
        """Logits [n, K] of features [n, D]."""
        return features @ self.weight.T + self.bias

    def again(self, texts: ClassTexts) -> Linear | None:
        """See `Adapted`."""
        return None if self.reads is None else self.reads(texts)
