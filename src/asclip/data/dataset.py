"""An ingested data set: two tables and one memory map of pixels."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asclip.data import pixels as pixel_file
from asclip.data.folder import INFO_FILE, TABLES, read_info
from asclip.data.signals import Signals, open_signals
from asclip.data.splits import SIDES
from asclip.data.tables import per_split, prevalence, values_of
from asclip.errors import DataError, nearest

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from asclip.files.preprocessing import Preprocessing


@dataclass(frozen=True)
class Dataset:
    """Studies with their images, texts, labels and facts; `len()` is the number of studies.

    `studies` has a row per study: study, patient (pseudonyms), group (patients who share an
    identical image have one), split, text, text_is_placeholder, `text:NAME`, `label:NAME` (1, 0,
    NaN), `meta:NAME`. `images` has a row per image: study (row number in `studies`), view, slot
    (row in `pixels`), digest, file_digest, modality, shape, spacing (mm), blank. `pixels` is
    uint8 [slots, *item], a read-only memory map that all parts of a data set share. `info` is
    dataset.json.
    """

    root: Path
    info: dict[str, Any]
    studies: DataFrame
    images: DataFrame
    pixels: np.ndarray
    part: str = ""

    @classmethod
    def open(cls, folder: str | Path) -> Dataset:
        """The data set in `folder`.

        Raises:
            DataError: no data set, an unfinished one, another format, or files that do not belong
                together.
        """
        import pandas as pd

        root = Path(folder)
        info = read_info(root)
        for name in TABLES:
            path = root / name
            expected = info["tables"][path.stem]
            if not path.is_file() or sha256(path.read_bytes()).hexdigest() != expected:
                raise DataError(
                    f"{root}: {name} must be the one that {INFO_FILE} speaks of and is not there "
                    "or another; run the same asclip ingest again, decoded files are kept"
                )
        studies, images = (pd.read_parquet(root / name) for name in TABLES)
        shape = tuple(info["item_shape"])
        path = root / pixel_file.PIXEL_FILE
        needed = info["num_slots"] * math.prod(shape)
        size = path.stat().st_size if path.is_file() else 0
        if size < needed:
            raise DataError(
                f"{path} must have {needed:,} bytes, got {size:,}; copy it again, or run the same "
                "asclip ingest again"
            )
        pixels = pixel_file.open_slots(path, info["num_slots"], shape)
        return cls(root, info, studies, images, pixels)

    def __len__(self) -> int:
        return len(self.studies)

    def __repr__(self) -> str:
        part = f", split {self.part!r}" if self.part else ""
        return f"<Dataset {self.name!r}{part}: {len(self)} studies, {len(self.images)} images>"

    @property
    def name(self) -> str:
        """The name that scores carry."""
        return self.info["name"]

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """How the pixels were made, the same object that goes with a model."""
        from asclip.files.preprocessing import Preprocessing

        return Preprocessing.from_json(self.info["preprocessing"])

    @property
    def labels(self) -> tuple[str, ...]:
        """The label names, in the order of `label_matrix`."""
        return self._named("label:")

    @property
    def text_names(self) -> tuple[str, ...]:
        """The main text's name and those of the further texts."""
        return ("text", *self._named("text:"))

    @property
    def meta_names(self) -> tuple[str, ...]:
        """The names of the facts that `meta` gives."""
        return self._named("meta:")

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits over both tables, the pixels' digests and the preprocessing."""
        tables = self.info["tables"]
        words = (tables["studies"], tables["images"], self.info["preprocessing_digest"])
        return sha256("\n".join(words).encode()).hexdigest()[:16]

    @cached_property
    def split_hash(self) -> str:
        """16 hexadecimal digits over which image is on which side.

        It depends on pictures and sides alone, not on pseudonyms: two sites that ingest the same
        files with the same split and preprocessing get the same.
        """
        sides = self.studies["split"].to_numpy()[self.images["study"].to_numpy()]
        lines = sorted(f"{side}:{one}" for side, one in zip(sides, self.images.digest, strict=True))
        return sha256("\n".join(lines).encode()).hexdigest()[:16]

    def split(self, name: str) -> Dataset:
        """The studies of one side ("train", "val", "test"), or "all"; the pixels are shared.

        Raises:
            DataError: another name.
        """
        if name == "all":
            return self
        if name not in SIDES:
            raise DataError(
                f"a split is train, val, test or all, got {name!r}; {nearest(name, list(SIDES))}"
            )
        return self.take(np.flatnonzero((self.studies["split"] == name).to_numpy()), part=name)

    def take(self, rows: np.ndarray, *, part: str = "") -> Dataset:
        """The studies at `rows` (row numbers or a mask), in that order, each at most once."""
        rows = np.arange(len(self))[np.asarray(rows)]
        number = np.full(len(self), -1, np.int32)
        number[rows] = np.arange(len(rows), dtype=np.int32)
        owner = number[self.images["study"].to_numpy()]
        images = self.images[owner >= 0].assign(study=owner[owner >= 0])
        images = images.sort_values("study", kind="stable").reset_index(drop=True)
        studies = self.studies.iloc[rows].reset_index(drop=True)
        return replace(self, studies=studies, images=images, part=part or self.part)

    def texts(self, name: str = "text", *, placeholders: bool = False) -> list[str]:
        """One text per study; '' where there is none, and for a placeholder unless asked for.

        Raises:
            DataError: no text of this name.
        """
        main = name == "text"
        column = self._column("text" if main else f"text:{name}", name, self.text_names)
        if placeholders:
            return column.tolist()
        flags = self.studies["text_is_placeholder" if main else f"placeholder:{name}"]
        return ["" if flag else text for text, flag in zip(column, flags, strict=True)]

    def image_rows(self) -> list[np.ndarray]:
        """The slots of each study's images, int64, in the source's order."""
        slots = self.images["slot"].to_numpy(np.int64)
        ends = np.bincount(self.images["study"].to_numpy(), minlength=len(self)).cumsum()
        return np.split(slots, ends[:-1]) if len(self) else []

    @property
    def signals(self) -> Signals | None:
        """The studies' signals (ECG), None if the data set was ingested without any."""
        return open_signals(self.root, self.info, self.studies)

    def label_matrix(self) -> np.ndarray:
        """float32 [n, K]: 1, 0, or NaN where the source does not say."""
        columns = [f"label:{name}" for name in self.labels]
        return self.studies[columns].to_numpy(np.float32).reshape(len(self), len(columns))

    def meta(self, name: str) -> Series:
        """One fact per study: float with NaN, or strings with NaN where it is not known.

        Raises:
            DataError: no fact of this name.
        """
        return self._column(f"meta:{name}", name, self.meta_names)

    def patient_codes(self) -> np.ndarray:
        """int64 [n], equal where the patient is the same or shares an identical image."""
        return np.unique(self.studies["group"].to_numpy(str), return_inverse=True)[1].astype(
            np.int64
        )

    def describe(self) -> dict[str, Any]:
        """What a report card says about the data: counts, labels, views, texts, provenance."""
        words = [len(text.split()) for text in self.texts() if text]
        return {
            "name": self.name,
            "part": self.part or "all",
            "studies": len(self),
            "patients": len(set(values_of(self.studies, "patient"))),
            "images": len(self.images),
            "splits": per_split(self.studies, self.images),
            "labels": prevalence(self.studies),
            "views": dict(Counter(values_of(self.images, "view").tolist()).most_common()),
            "texts": {
                "with_text": len(words),
                "distinct": len({text for text in self.texts() if text}),
                "median_words": float(np.median(words)) if words else math.nan,
                "placeholders": int(values_of(self.studies, "text_is_placeholder").sum()),
            },
            "counts": self.info["counts"],
            "notes": self.info["notes"],
            "leakage": self.info["leakage"],
            "split_rule": self.info["split"],
            "preprocessing": self.info["preprocessing"],
            "hash": self.hash,
            "split_hash": self.split_hash,
            "software": self.info["software"],
        }

    def _named(self, prefix: str) -> tuple[str, ...]:
        names = (name for name in self.studies.columns if name.startswith(prefix))
        return tuple(name.removeprefix(prefix) for name in names)

    def _column(self, column: str, name: str, known: tuple[str, ...]) -> Series:
        if column not in self.studies:
            role = f"meta={name}" if column.startswith("meta:") else f"{column}=COLUMN"
            hint = nearest(name, list(known)) if known else "it has none of that kind"
            raise DataError(
                f"{self.name} has no {column!r}; {hint}; to add it, ingest again with --map {role}"
            )
        return self.studies.loc[:, column]
