"""What a report card holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from asclip.errors import DataError
from asclip.metrics.calibration import Reliability
from asclip.types import Predictions, Score


@dataclass(frozen=True, slots=True)
class RetrievalExample:
    """One query and the candidates that the model ranks first.

    `image` uint8 [H, W] or [H, W, 3] and `text` belong to the same study. `candidates` are
    (text, similarity, is hit), best first; `first_hit_rank` counts from 1. With direction
    "text_to_image" the text is the query, and `pictures` may hold the candidates' images.
    """

    image: np.ndarray
    text: str
    candidates: Sequence[tuple[str, float, bool]]
    first_hit_rank: int
    direction: str = "image_to_text"
    pictures: Sequence[np.ndarray] = ()

    def __post_init__(self) -> None:
        _require_picture(self.image, "RetrievalExample.image")
        for picture in self.pictures:
            _require_picture(picture, "RetrievalExample.pictures")


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Where a model finds a phrase in an image.

    `image` uint8 [H, W] or [H, W, 3]; `heat` float [h, w] similarity over the whole image, in any
    range, NaN where there is no patch; `box` is the true (x_min, y_min, x_max, y_max) in pixels
    of `image`, x to the right and y down, or None.
    """

    image: np.ndarray
    phrase: str
    heat: np.ndarray
    box: tuple[float, float, float, float] | None = None
    note: str = ""

    def __post_init__(self) -> None:
        _require_picture(self.image, "Heatmap.image")
        if np.ndim(self.heat) != 2:
            raise DataError(f"Heatmap.heat must be [h, w], got shape {np.shape(self.heat)}")


@dataclass(frozen=True, slots=True)
class Explained:
    """One image and phrase as several methods explain it.

    `image` uint8 [H, W] or [H, W, 3]; `boxes` [M, 4] are the true places as shares of its sides
    (x_min, y_min, x_max, y_max), M = 0 where unknown; `maps` [h, w] by method, in any range.
    """

    image: np.ndarray
    phrase: str
    boxes: np.ndarray
    maps: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        _require_picture(self.image, "Explained.image")


@dataclass(frozen=True, slots=True)
class Judged:
    """What may be believed of one task's predictions.

    `reliability` has a table by stage of calibration, over the answers to all labels; `risk` is
    (coverage [m], risk [m]) of the m answers, the surest first. `scores` are the task's trust
    records, `promised` the coverage that conformal sets are to have, `subgroups` the rows of its
    subgroup table.
    """

    name: str
    title: str
    reliability: Mapping[str, Reliability] = field(default_factory=dict)
    risk: tuple[np.ndarray, np.ndarray] = (np.empty(0), np.empty(0))
    scores: Sequence[Score] = ()
    subgroups: Sequence[Mapping[str, object]] = ()
    promised: float = 0.9


@dataclass(frozen=True, slots=True)
class Card:
    """All facts of one report card; every part but the title may be left empty.

    `run` has the recipe, its parameters (a mapping), steps, seconds, seed; `data` is what
    `Dataset.describe()` says; `curves` are the rows of metrics.csv; `bound` holds the scores of
    the supervised bound (same tower, labels given); `commands` are the lines that repeat the run.
    Of the blocks of a suite `warnings` are sentences and `seconds` the time, by block; `judged` is
    what the trust block plots, `explained` the contact sheet of the explanation block.
    """

    title: str
    created: str = ""
    run: Mapping[str, object] = field(default_factory=dict)
    data: Mapping[str, object] = field(default_factory=dict)
    curves: Sequence[Mapping[str, float]] = ()
    scores: Sequence[Score] = ()
    predictions: Sequence[Predictions] = ()
    examples: Sequence[RetrievalExample] = ()
    heatmaps: Sequence[Heatmap] = ()
    preprocessing: Sequence[tuple[str, object]] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)
    limits: Sequence[str] = ()
    bound: Sequence[Score] = ()
    commands: Sequence[str] = ()
    warnings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    judged: Sequence[Judged] = ()
    explained: Sequence[Explained] = ()


def _require_picture(image: np.ndarray, what: str) -> None:
    shape = np.shape(image)
    if image.dtype != np.uint8 or not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)):
        raise DataError(f"{what} must be uint8 [H, W] or [H, W, 3], got {image.dtype} {shape}")
