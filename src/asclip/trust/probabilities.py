"""Probabilities of predictions, as the model gives them and as validation studies correct them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from asclip.trust.scaling import fit_class_temperature, fit_platt, fit_temperature, sigmoid
from asclip.types import Predictions


@dataclass(slots=True)
class Stages:
    """Test probabilities [n, K] by stage, and why a column of a stage is NaN.

    "raw" is the model's own; "temperature" has one temperature; "platt" a slope and a bias per
    label. One class of several has no "platt".
    """

    shares: dict[str, np.ndarray] = field(default_factory=dict)
    why: dict[str, list[str]] = field(default_factory=dict)

    @property
    def best(self) -> str:
        """The stage with the most parameters."""
        return list(self.shares)[-1]


def probabilities(validation: Predictions, test: Predictions) -> Stages:
    """The stages of `test`, fitted on `validation`; a stage that cannot be fitted is NaN.

    A label whose score is a plain similarity (no negative prompts) has a probability by Platt
    scaling alone.
    """
    number = len(test.labels)
    without = test.provenance.get("labels_without_probability", ())
    plain = np.isin(test.labels, np.array(without, dtype=str))
    similarity = f"no negative prompts in {test.provenance['prompts']}: a similarity has no odds"
    odds, known_odds = (
        np.where(plain, np.nan, np.asarray(part.scores, dtype=np.float64))
        for part in (test, validation)
    )
    stages = Stages()
    unasked: Sequence[str] = test.provenance.get("labels_without_prompts", ())  # type: ignore[assignment]
    asked = f"no prompts for this label in {test.provenance['prompts']}"
    missing = [asked if label in unasked else "" for label in test.labels]
    why = [one or (similarity if bare else "") for one, bare in zip(missing, plain, strict=True)]
    stages.shares["raw"], stages.why["raw"] = sigmoid(odds), why
    single = test.provenance.get("kind") == "single-label"
    fit = fit_class_temperature if single else fit_temperature
    scaled, reason = _tried(lambda: fit(known_odds, validation.truth)(odds), odds.shape)
    stages.shares["temperature"] = scaled
    stages.why["temperature"] = [one or reason for one in why]
    if single:
        return stages
    columns = [
        _tried(
            lambda k=k: fit_platt(validation.scores[:, k], validation.truth[:, k])(
                test.scores[:, k]
            ),
            (len(test.scores),),
        )
        for k in range(number)
    ]
    stages.shares["platt"] = np.stack([share for share, _ in columns], axis=1)
    stages.why["platt"] = [one or reason for one, (_, reason) in zip(missing, columns, strict=True)]
    return stages


def _tried(make: Callable[[], np.ndarray], shape: tuple[int, ...]) -> tuple[np.ndarray, str]:
    """What `make` gives and "", or NaN and why it could not."""
    try:
        return make(), ""
    except ValueError as error:
        return np.full(shape, np.nan), str(error)
