"""Small tables of pictures on disk, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from asclip.files.preprocessing import Preprocessing

Hospital = Callable[..., Path]


@pytest.fixture
def small() -> Preprocessing:
    """16 x 16 grey."""
    return Preprocessing(size=(16, 16))


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    """Writes `hospital/` with distinct PNGs and a table; returns the table's path."""

    def make(num: int = 12, *, rows: Sequence[str] = (), header: str = "", seed: int = 0) -> Path:
        folder = tmp_path / "hospital"
        folder.mkdir(exist_ok=True)
        rng = np.random.default_rng(seed)
        for number in range(num):
            pixels = rng.integers(0, 256, (20, 24), dtype=np.uint8)
            path = folder / f"film{number:03d}.png"
            if not path.exists():
                Image.fromarray(pixels).save(path)
        table = folder / "reports.csv"
        lines = list(rows) or [
            f"film{number:03d}.png,Report number {number}.,PAT-{number // 2:04d}"
            for number in range(num)
        ]
        table.write_text("\n".join([header or "image,text,patient", *lines]) + "\n")
        return table

    return make
