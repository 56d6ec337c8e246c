"""Drawn pictures with captions, for tests that go the whole way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

SAID = {
    "effusion": ("There is a left effusion.", "No effusion."),
    "mass": ("A mass is seen on the right.", "There is no mass."),
}


def draw(folder: Path, studies: int = 90) -> Path:
    """A table: a bright corner is an effusion, a bright disc on the other side a mass."""
    rng = np.random.default_rng(0)
    rows = []
    (folder / "png").mkdir(parents=True)
    for k in range(studies):
        found = {name: int(rng.random() < 0.4) for name in SAID}
        film = rng.normal(90, 12, (40, 40))
        film[24:, 24:] += 110 * found["effusion"]
        film[6:16, 4:14] += 110 * found["mass"]
        picture = np.clip(film, 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / "png" / f"{k}.png")
        text = " ".join(SAID[name][1 - true] for name, true in found.items())
        rows.append(
            {"image": f"png/{k}.png", "text": text, "patient": f"patient {k // 2}"}
            | {f"label:{name}": true for name, true in found.items()}
        )
    pd.DataFrame(rows).to_csv(folder / "reports.csv", index=False)
    return folder / "reports.csv"
