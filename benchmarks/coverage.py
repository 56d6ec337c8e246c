"""Do conformal sets keep their promise on new patients of the same hospital, and do they warn?

    python benchmarks/coverage.py --folder runs/coverage --out coverage.json

Plain CLIP is trained on a part of a phantom hospital and asked about patients that it has not seen.
These are halved by patients, many times at random: on one half the sets are fitted, on the other
their coverage is counted, of studies with a finding and of those without, each a promise of its
own; the means are over halvings, and findings with too few studies for the promise are left out. A
quantile of n studies keeps up to 1 / (n + 1) more than it promised (`allowed`); `error` is that of
a mean over halvings. Then the same with a second half from another scanner, whose images are noisy:
the coverage is lost, and a warning is wanted. `warned` are the halvings in which `asclip trust`
would warn; on like halves they are false alarms.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.prompts import load_prompt_set
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing
from asclip.phantom.hospital import write
from asclip.recipes import load, pretrain
from asclip.tasks.classification.zero_shot import ZeroShot
from asclip.terminal import plain, print_rows
from asclip.trust.conformal import needed
from asclip.trust.corruptions import corrupt
from asclip.trust.scoring.coverage import coverage_scores
from asclip.trust.shift import one_each, shift
from asclip.types import Predictions

STUDIES, SIZE = 2400, 64
EQUAL: dict[str, Any] = {
    "image_tower": "micro", "text_tower": "words", "batch": 64, "texts": "sentences",
    "steps": 200, "evaluations": 1, "seed": 0,
}  # fmt: skip
FAULT = ("noise", 3)


def asked(folder: Path) -> tuple[Predictions, Predictions]:
    """Predictions of unseen studies: their images as they are, and noisy."""
    table = write(folder / "hospital", STUDIES, 0, size=SIZE)
    how = Preprocessing(size=(SIZE, SIZE), mean=(0.5,), std=(0.25,))
    data = ingest(
        Table(table, name="phantom"), folder / "data", how, fractions=(0.25, 0.05, 0.7)
    )  # fmt: skip
    if not (folder / "run" / "run.json").exists():
        pretrain(data.root, "clip", folder / "run", EQUAL)
    model = load(folder / "run")
    part = Dataset.open(data.root).split("test")
    slots = part.images["slot"].to_numpy()
    noisy = np.stack([
        corrupt(np.asarray(part.pixels[slot]), *FAULT, np.random.default_rng(row))
        for row, slot in enumerate(slots)
    ])  # fmt: skip
    other = replace(part, pixels=noisy, images=part.images.assign(slot=np.arange(len(slots))))
    task = ZeroShot(load_prompt_set("phantom-findings"))
    return task.predict(model, part), task.predict(model, other)


def halves(patients: np.ndarray, seed: int) -> np.ndarray:
    """[n] bool: studies of a random half of the patients."""
    names = np.unique(patients)
    return np.isin(patients, np.random.default_rng(seed).permutation(names)[: len(names) // 2])


def some(all_: Predictions, rows: np.ndarray) -> Predictions:
    """The predictions of some studies."""
    cut = {name: getattr(all_, name)[rows] for name in ("scores", "truth", "study", "patient")}
    return replace(all_, **cut)


def tried(first: Predictions, second: Predictions, splits: int, alpha: float) -> dict[str, Any]:
    """Coverage over halvings: sets fitted on studies of `first`, counted on others of `second`."""
    fewest, warned = needed(alpha), 0
    found: dict[tuple[str, str], list[float]] = {}
    allowed: dict[tuple[str, str], list[float]] = {}
    for seed in range(splits):
        half = halves(first.patient, seed)
        known, new = some(first, half), some(second, ~half)
        scores, said = coverage_scores(known, new, alpha=alpha, resamples=2)
        ones = [one.scores[one_each(one.patient)] for one in (known, new)]
        moved = shift(ones[0], ones[1], names=new.labels).warning
        warned += bool(moved) or any("was promised" in text for text in said)
        for score in scores:
            side = score.metric.partition("@")[0].removeprefix("conformal_")
            if side in ("present", "absent") and score.label != "macro" and score.value >= 0:
                n = int(
                    (known.truth[:, new.labels.index(score.label)] == (side == "present")).sum()
                )
                assert n >= fewest
                found.setdefault((score.label, side), []).append(score.value)
                allowed.setdefault((score.label, side), []).append(1 / (n + 1))
    rows = [
        {
            "finding": label,
            "studies": "with" if side == "present" else "without",
            "coverage": float(np.mean(values)),
            "error": float(np.std(values, ddof=1) / len(values) ** 0.5),
            "allowed": float(np.mean(allowed[label, side])),
            "splits": len(values),
        }
        for (label, side), values in sorted(found.items())
    ]
    means = {
        side: float(np.mean([row["coverage"] for row in rows if row["studies"] == side]))
        for side in ("with", "without")
    }
    return {"means": means, "warned": warned, "splits": splits, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("runs/coverage"))
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--alpha", type=float, default=0.1)
    parser.add_argument("--out", "--json", type=Path, dest="out")
    given = parser.parse_args()
    same, noisy = asked(given.folder)
    like = tried(same, same, given.splits, given.alpha)
    moved = tried(same, noisy, given.splits, given.alpha)
    rows = [
        one | {"another scanner": other["coverage"]}
        for one, other in zip(like["rows"], moved["rows"], strict=True)
    ]
    print_rows(f"Coverage, {1 - given.alpha:g} promised, mean of {given.splits} halvings", rows)
    for name, one in (("the same hospital", like), (f"{FAULT[0]} of severity {FAULT[1]}", moved)):
        means = ", ".join(f"{value:.3f} {side} a finding" for side, value in one["means"].items())
        print(f"{name}: coverage {means}; warned in {one['warned']} of {one['splits']}")
    worst = max(abs(row["coverage"] - 1 + given.alpha) for row in like["rows"])
    print(f"largest distance of a single finding in the same hospital: {worst:.3f}")
    result = {"benchmark": "coverage", "settings": EQUAL, "studies": STUDIES, "size": SIZE,
              "alpha": given.alpha, "fault": FAULT, "same": like, "shifted": moved,
              "worst": worst}  # fmt: skip
    if given.out:
        given.out.write_text(json.dumps(plain(result), indent=1) + "\n")


if __name__ == "__main__":
    main()
