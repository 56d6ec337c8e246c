"""The measures of a challenge: one number each, with resamples over patients.

A measure is what challenge.json of a challenge says (`phantom.challenges`): its kind, the prompt
set, the columns of the truth, the studies that are asked. Kinds:

    zero-shot, negation   AUROC of the labels, or balanced accuracy of one class (prompts)
    negation, no prompts  share of images nearer to their report than to its contrary, mean of those
                          whose contrary adds a finding and those whose contrary denies one
    retrieval             R@k of the own report          cross-modal   R@k of the image of a view
    precision             share of the k nearest images of other patients with the same findings
    change-probe          logistic regression on (image, prior, difference), balanced accuracy
    probe                 the same of a fact from one image: what should not be in there; a second
                          column is made independent of it by weights and cells
    leakage               the same of a fact from one stream of a model that has two (leakage.py)
    pointing              share of images whose best region lies in the finding's box, less
                          the share of other images' boxes that it lies in
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from asclip.data.dataset import Dataset
from asclip.data.further import prior_studies
from asclip.data.prompts import load_prompt_set
from asclip.data.texts import told
from asclip.errors import DataError
from asclip.metrics.bootstrap import bootstrap_auroc, bootstrap_mean
from asclip.metrics.classification import auroc_columns, hits_by_class
from asclip.metrics.known import mean_of_defined
from asclip.tasks import leakage
from asclip.tasks.classification.zero_shot import ZeroShot
from asclip.tasks.dense.pointing import gains, region_scores
from asclip.tasks.probing import balanced, cross_validated, regression, unit
from asclip.tasks.similarity import similarity

STRENGTHS = (0.01, 0.1, 1.0, 10.0)
MARGIN = 0.125  # share of the image's side by which a box is widened, see phantom.challenges.bounds


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measure saw: `values` [n, K], NaN where a study is not asked, and whose they are.

    With `truth` [n, K] the number is the mean AUROC of the columns, else the mean over columns of
    the mean over studies (K = 1: a mean; K classes of hits: balanced accuracy).
    """

    values: np.ndarray
    patient: np.ndarray
    truth: np.ndarray | None = None

    def value(self) -> float:
        """The number."""
        if self.truth is not None:
            return float(mean_of_defined(auroc_columns(self.truth, self.values)))
        return float(mean_of_defined(mean_of_defined(self.values)))

    def samples(self, resamples: int = 1000, seed: int = 0) -> np.ndarray:
        """[resamples] the number over patients drawn anew; equal seeds draw the same patients."""
        draw: dict[str, Any] = {"groups": self.patient, "resamples": resamples}
        rng = np.random.default_rng(seed)
        if self.truth is not None:
            return mean_of_defined(
                bootstrap_auroc(self.truth, self.values, rng=rng, **draw), axis=1
            )
        return mean_of_defined(bootstrap_mean(self.values, rng=rng, **draw), axis=1)


def measure(model: Any, data: Dataset, about: Mapping[str, Any], folder: Path) -> Measured:
    """Take one measure on the test split of `data`; `folder` holds the prompt sets.

    Raises:
        DataError: a kind or a column that is not known.
    """
    kinds: dict[str, Callable[[Any, Dataset, Mapping[str, Any], Path], Measured]] = {
        "zero-shot": _zero_shot,
        "negation": _zero_shot if about["prompts"] else _twins,
        "retrieval": _retrieval,
        "precision": _precision,
        "cross-modal": _cross_modal,
        "change-probe": _change,
        "probe": _probe,
        "leakage": _leakage,
        "pointing": _pointing,
    }
    if about["kind"] not in kinds:
        raise DataError(f"a measure is one of {', '.join(kinds)}; got {about['kind']!r}")
    return kinds[about["kind"]](model, data, about, folder)


def _asked(part: Dataset, about: Mapping[str, Any]) -> Dataset:
    """The studies whose columns have the values that the measure asks for."""
    keep = np.ones(len(part), bool)
    for column, value in about["where"].items():
        keep &= np.array([_word(cell) == value for cell in part.studies[column]])
    if not keep.any():
        raise DataError(f"no study is asked by {about['name']!r}; {dict(about['where'])} never met")
    return part.take(keep)


def _word(cell: object) -> str:
    if isinstance(cell, (float, np.floating)) and cell == cell and float(cell).is_integer():
        return str(int(cell))
    return str(cell)


def _of_view(part: Dataset, view: str) -> Dataset:
    """The studies with an image of this view, with that image only."""
    images = part.images[part.images["view"] == view]
    narrow = replace(part, images=images.reset_index(drop=True))
    return narrow.take(np.unique(np.asarray(images["study"])))


def _who(part: Dataset) -> np.ndarray:
    return part.studies["group"].to_numpy(str)


def _zero_shot(model: Any, data: Dataset, about: Mapping[str, Any], folder: Path) -> Measured:
    part = _asked(data.split("test"), about)
    if about["rule"].startswith("the image of view "):
        part = _of_view(part, about["rule"].rpartition(" ")[2])
    prompts = load_prompt_set(str(folder / about["prompts"]))
    found = ZeroShot(prompts).predict(model, part)
    if "accuracy" in about["metric"]:
        return Measured(hits_by_class(found.truth, found.scores), _who(part))
    columns = [found.labels.index(prompts.resolve(name)) for name in about["of"]]
    return Measured(found.scores[:, columns], _who(part), found.truth[:, columns])


def _k(about: Mapping[str, Any]) -> int:
    return int(about["metric"].rpartition("@")[2])


def _hits(scores: np.ndarray, same: np.ndarray, k: int) -> np.ndarray:
    """[n, 1] whether a right candidate (`same` [n, C]) is among the k best; ties are misses."""
    best = np.where(same, scores, -np.inf).max(1, keepdims=True)
    before = ((scores >= best) & ~same).sum(1)
    return (before < k).astype(float)[:, None]


def _retrieval(model: Any, data: Dataset, about: Mapping[str, Any], folder: Path) -> Measured:
    part = _asked(data.split("test"), about)
    texts = [told(text) for text in part.texts()]
    part, texts = part.take([bool(t) for t in texts]), [t for t in texts if t]  # type: ignore[arg-type]
    scores = similarity(model, model.encode_images(part), model.encode_texts(texts))
    said = np.array(texts)
    return Measured(_hits(scores, said[:, None] == said[None], _k(about)), _who(part))


def _cross_modal(model: Any, data: Dataset, about: Mapping[str, Any], folder: Path) -> Measured:
    part = _asked(data.split("test"), about)
    one, other = (_unit(model, _of_view(part, view)) for view in about["of"])
    return Measured(_hits(one @ other.T, np.eye(len(one), dtype=bool), _k(about)), _who(part))


def _precision(model: Any, data: Dataset, about: Mapping[str, Any], folder: Path) -> Measured:
    part = _asked(data.split("test"), about)
    truth = part.studies[about["columns"]].to_numpy(float) == 1
    unit, who = _unit(model, part), _who(part)
    shared = (truth[:, None] & truth[None]).sum(-1)
    either = (truth[:, None] | truth[None]).sum(-1)
    right = 2 * shared >= np.maximum(either, 1)
    scores = np.where(who[:, None] == who[None], -np.inf, unit @ unit.T)
    nearest = np.argsort(-scores, axis=1, kind="stable")[:, : _k(about)]
    hits = np.take_along_axis(right, nearest, 1).mean(1)
    return Measured(np.where(truth.any(1), hits, np.nan)[:, None], who)


def _twins(model: Any, data: Dataset, about: Mapping[str, Any], folder: Path) -> Measured:
    part = data.split("test")
    names = [column.partition(":")[2] or "text" for column in about["columns"]]
    said = [[told(text) for text in part.texts(name)] for name in names]
    rows = np.flatnonzero([all(texts) for texts in zip(*said, strict=True)])
    part = part.take(rows)
    images = model.encode_images(part)
    texts = [model.encode_texts([column[row] for row in rows]) for column in said]
    own, contrary = (np.diag(similarity(model, images, one)) for one in texts)
    hit = (own > contrary) + 0.5 * (own == contrary)
    # Both ways count the same: most findings are absent, so a lean to denials would be right.
    had = np.array(
        [part.studies[f"label:{name}"].iloc[k] == 1 for k, name in enumerate(_flipped(part))]
    )
    return Measured(
        np.stack([np.where(had, hit, np.nan), np.where(had, np.nan, hit)], 1), _who(part)
    )


def _flipped(part: Dataset) -> list[str]:
    """Of which finding each study's twin says the contrary."""
    return part.studies["meta:truth:flipped"].astype(str).tolist()


def _unit(model: Any, part: Dataset) -> np.ndarray:
    return unit(model.encode_images(part).pooled.numpy())


def _pairs(model: Any, part: Dataset, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(features [n, 3 D] of current, prior and difference, words of the change, patients)."""
    before = prior_studies(part)
    unit = _unit(model, part)
    known = part.studies[column].notna().to_numpy() & (before >= 0)
    rows = np.flatnonzero(known)
    now, prior = unit[rows], unit[before[rows]]
    words = part.studies[column].to_numpy()[rows].astype(str)
    return np.concatenate([now, prior, now - prior], 1), words, _who(part)[rows]


def _change(model: Any, data: Dataset, about: Mapping[str, Any], folder: Path) -> Measured:
    (column,) = about["columns"]
    train, val, test = (_pairs(model, data.split(s), column) for s in ("train", "val", "test"))
    if min(len(np.unique(train[1])), len(test[1])) < 2:
        raise DataError(
            f"{about['name']!r} needs two kinds of change in training and two studies with a prior "
            f"in test; got {len(np.unique(train[1]))} and {len(test[1])}; make more studies"
        )
    strengths = STRENGTHS if len(val[1]) else (1.0,)
    fits = [regression(train[0], train[1], strength) for strength in strengths]
    best = fits[0]
    if len(fits) > 1:
        best = max(fits, key=lambda fit: balanced(fit.predict(val[0]), val[1]))
    said = best.predict(test[0])
    hits = [np.where(test[1] == c, said == c, np.nan) for c in np.unique(test[1])]
    return Measured(np.stack(hits, 1), test[2])


def _probe(model: Any, data: Dataset, about: Mapping[str, Any], folder: Path) -> Measured:
    part = data.split("test")
    columns = about["columns"]
    known = np.all([part.studies[column].notna() for column in columns], axis=0)
    part = part.take(known)  # unknown is no class
    words, *beside = (part.studies[column].to_numpy().astype(str) for column in columns)
    found = cross_validated(_unit(model, part), words, _who(part), *beside)
    return Measured(found, _who(part))


def _leakage(model: Any, data: Dataset, about: Mapping[str, Any], folder: Path) -> Measured:
    part = data.split("test")
    (column,), (source,) = about["columns"], about["of"]
    found, patient, _ = leakage.hits(model, part, column, source)
    return Measured(found, patient)


def _pointing(model: Any, data: Dataset, about: Mapping[str, Any], folder: Path) -> Measured:
    part = _asked(data.split("test"), about)
    prompts = load_prompt_set(str(folder / about["prompts"]))
    images = model.encode_images(part, local=True)
    hit = []
    for column, name in zip(about["columns"], about["of"], strict=True):
        said = list(prompts.classes[prompts.resolve(name) or name].positive)
        texts = model.encode_texts(said)
        cells = part.studies[column]
        boxes = [str(cell).split() if cell == cell else [np.nan] * 4 for cell in cells]
        scores = region_scores(model, images, texts).mean(2)
        hit.append(gains(scores, model.encoder.image.grid, np.array(boxes, float), MARGIN))
    return Measured(np.stack(hit, 1), _who(part))
