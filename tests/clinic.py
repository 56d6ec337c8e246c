"""A data set of a few studies that a test writes down itself; images are noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing


def clinic(folder: Path, studies: Sequence[Mapping[str, object]], size: int = 16) -> Dataset:
    """The data set of `studies`, in their order, each a row of the table with its own values.

    `images` is how many a study has (1); without `patient` it has one of its own, and without
    `split` it is a training study.
    """
    rng = np.random.default_rng(0)
    rows = []
    (folder / "png").mkdir(parents=True)
    for number, study in enumerate(studies):
        row = {"patient": f"P{number}", "split": "train", "study": f"S{number}", "text": ""}
        row |= dict(study)
        for image in range(int(str(row.pop("images", 1)))):
            name = f"png/{number}-{image}.png"
            picture = rng.integers(0, 256, (size, size), dtype=np.uint8)
            Image.fromarray(picture).save(folder / name)
            rows.append({"image": name, **row})
    pd.DataFrame(rows).to_csv(folder / "reports.csv", index=False)
    how = Preprocessing(size=(size, size), mean=(0.5,), std=(0.25,))
    return ingest(Table(folder / "reports.csv"), folder / "data", how, workers=0)
