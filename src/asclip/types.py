"""The nouns of the house, in the order in which they flow.

    files -> Image    Study -> Batch -> towers -> Pair -> Objective -> Loss
                                          |-> Task -> Predictions -> Score -> card

Shape legend, used in every docstring:

    B  studies in a batch     C  channels or candidate texts   D  width of the joint space
    N  patches or tokens      T  tokens of a text              K  labels
    H, W  rows, columns of an image            Z  slices of a volume
    L, T  leads, samples of a signal

Unknown is NaN (labels, scores, millimetres), absent is None; neither is ever 0 or ''.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Image:
    """What a file holds, decoded and oriented, before any choice of window or size.

    `pixels` is [H, W] grey, [H, W, 3] colour (uint8 or uint16), or [I, J, K] for a volume, in the
    file's own index order with `affine` (4 x 4, voxel index to RAS+ millimetres). Values are after
    the modality LUT (HU for CT), and bright means dense: MONOCHROME1 is already inverted.
    `spacing` is in mm along each spatial axis of `pixels`, NaN where the file does not say.
    `windows` are the (low, high) windows that the file proposes, in pixel units, first one first.
    `full_range` is the (low, high) that the stored bits allow, in pixel units; None if unbounded.
    `voi` is the file's own VOI look-up table as (first input, outputs), or None.
    `step` > 1 where `pixels` were decoded at a lower resolution: sample k is the film at sample
    k * step of the `extent` (H, W) that the file has; `spacing` is then that of the file.
    """

    pixels: np.ndarray
    modality: str = ""
    spacing: tuple[float, ...] | None = None
    affine: np.ndarray | None = None
    windows: tuple[tuple[float, float], ...] = ()
    full_range: tuple[float, float] | None = None
    voi: tuple[float, np.ndarray] | None = None
    view: str = ""
    step: int = 1
    extent: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The file's own size: `pixels.shape`, or what it would be without `step`."""
        return self.pixels.shape if self.extent is None else self.extent

    @property
    def is_volume(self) -> bool:
        """True for [I, J, K] with an affine."""
        return self.affine is not None

    @property
    def is_colour(self) -> bool:
        """True for [H, W, 3]."""
        return self.affine is None and self.pixels.ndim == 3


@dataclass(frozen=True, slots=True)
class Signal:
    """What a file of a signal over time holds, such as an ECG: `values` [L, T] float32, L leads.

    NaN is a sample that is not known. `rate` in Hz, NaN where the file does not say; `unit` is
    "mV" where that is known, else "".
    """

    values: np.ndarray
    rate: float = float("nan")
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """One exam: where its images lie, what was written and what is known about it; no pixels.

    `texts` holds the main text under "text" and further ones (title, impression) under their
    names. `labels` are 1, 0 or NaN (not stated). `meta` holds facts such as age, sex, site.
    `signal` is where a recording over time lies (an ECG), if there is one.
    """

    id: str
    patient: str
    images: tuple[str, ...]
    views: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, float] = field(default_factory=dict)
    meta: Mapping[str, object] = field(default_factory=dict)
    split: str | None = None
    signal: str | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids [U, T] int64 and their mask [U, T] bool (True = a real token).

    `rows` [M] int64 says which of the U distinct texts each of the M rows of a batch repeats, so
    that a text that stands in many reports is encoded once; None means M = U, in order.
    """

    ids: Tensor
    mask: Tensor
    rows: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a tower says: `pooled` [B, D], `local` [B, N, D] or None, `valid` [B, N] bool or None.

    Not normalised. `valid` None means that every local vector counts.
    """

    pooled: Tensor
    local: Tensor | None = None
    valid: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Embeddings that an objective compares; `others` holds every further stream by its name.

    Of the studies, one row each: "view" (a second image), "second" (a second text), "prior" (an
    image of an earlier study), "masked" (the image with holes), "gapped" (the text with gaps),
    "signal" (a recording over time).
    Of the run, not of its studies: "definitions" [F] and "places" [A], a text for each finding and
    each anatomy that the facts speak of; "queries" [F], one of the wordings of each finding;
    "names" and "meanings" [K], name and definition of every concept that the run knows.
    """

    image: Encoded
    text: Encoded
    others: Mapping[str, Encoded] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What an objective may know besides embeddings.

    `patient` [B] int64; `labels` [B, K] float32, NaN = not stated, or None. `targets` maps names
    to tensors with one row a study, or one row a text where a study may bring M > B texts:

    study, owner   [B], [M] int64: a study's number, and the study that wrote each text
    text           [M] int64, equal where two texts say the same
    findings       [B, F] float32, 1 present, 0 absent, NaN not stated or unsure
    normal         [B] bool, the report or a label says that there is no finding
    stated         [M, F] float32, the same of each text
    location       [B, F, A] float32, 1 where the report puts finding f at anatomy a, else 0
    meaning        [M, E] float32, fixed features of each text, of unit length
    report         [B, E] float32, the same of each whole report
    second         [B] int64, the number of the second text, equal where two say the same
    has_view, has_second, has_prior, has_signal    [B] bool, false where the stream is a stand-in
    change         [B, F] float32 against the prior: 1 worse, 0 the same, -1 better, NaN not stated
    patches, holes [B, N, P] float32, [B, N] bool: what "masked" hides, N in rows of the local grid
    words, gaps    [B, T] int64, [B, T] bool: what "gapped" hides
    weight         [B, T] float32, what each word weighs where gaps go by entities
    meta           [B, E] float32, age, sex, site ... as numbers, NaN where unknown
    group:NAME     [B] int64, the group of a column (sex, age:40:65) that a study is of, -1 unknown
    """

    patient: Tensor
    labels: Tensor | None = None
    targets: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: images by name ([B, C, H, W] float32 or cached `Encoded`), texts, facts.

    "signal" is among the images: [B, L, T] float32 as in the file, NaN where a sample is not known
    and throughout where a study has none.
    `knowledge` holds texts of the run, not of its studies ("definitions", "queries", "places"):
    every process has all of them, and they are not gathered.
    """

    images: Mapping[str, Tensor | Encoded]
    texts: Mapping[str, Tokens | Encoded]
    facts: Facts
    knowledge: Mapping[str, Tokens | Encoded] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loss:
    """`total` is differentiated; `parts` are detached numbers for the log."""

    total: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Predictions:
    """Scores of one task on one split; scoring needs no model.

    `scores` [n, K] float (NaN = not scored), `truth` [n, K] float (NaN = not stated), `labels`
    the K names, `study` and `patient` [n] strings (pseudonyms), `provenance` what is needed to
    repeat them: dataset, split, task, seed, prompts, preprocessing.
    """

    scores: np.ndarray
    truth: np.ndarray
    labels: tuple[str, ...]
    study: np.ndarray
    patient: np.ndarray
    provenance: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Score:
    """One number with all that is needed to read it; `scores.json` is a list of these.

    `low` and `high` are the 95 % bootstrap interval over patients. `label` is a label's name,
    "macro" for the mean over labels, or "" where a label makes no sense. `value` is NaN when the
    metric is undefined, and then `why_nan` says why, as it does of an interval that is not given.
    `pool` is the number of candidates of a ranking metric; `chance` is what a coin would reach. Of
    sentences that were made for their findings the interval is over findings. `block` is the part
    of the suite that the number is of ("vision", "text", "trust" ...), `split_hash` says which
    pictures were on which side.
    """

    dataset: str
    split: str
    task: str
    metric: str
    label: str
    value: float
    low: float = float("nan")
    high: float = float("nan")
    n: int = 0
    seed: int = 0
    prompts: str = ""
    preprocessing: str = ""
    why_nan: str = ""
    pool: int | None = None
    chance: float | None = None
    block: str = ""
    split_hash: str = ""
