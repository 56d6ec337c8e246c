"""A mark that misleads a small group, on vectors or on the phantom's films: minutes, not hours.

    python benchmarks/group_shortcut.py --seeds 10,11,12,13,14,15
    python benchmarks/group_shortcut.py --films runs/group_shortcut --seeds 0,1,2,3,4,5

Half of the patients have a finding. The many are of a large group, of which 90 % have the mark and
the finding or neither; of the small group 10 % have. A vector holds a faint sign of the finding
(d' = 2), a clear one of the mark and noise, and nine patients in ten are of the large group. Films
are those of the challenge `subgroup` at 32 x 32 pixels, as the first 60 principal components of the
training films, and eight in ten are of the large group; the findings that go with no mark are
not asked for. Linear towers are trained with each objective for 80 steps (films: 300) of 128, and
asked for the finding in other patients: the AUROC of all, of either group, their gap, and ES-AUC.
Means over seeds, and the difference to plain CLIP on the same patients with Student's 95 % interval
over seeds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from asclip.adapt.summary import interval
from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing
from asclip.metrics.classification import auroc
from asclip.phantom import challenges
from asclip.phantom.challenges.subgroup import BOUND, FEW
from asclip.pretrain.clip import Clip
from asclip.pretrain.frontier.fairclip import FairClip
from asclip.pretrain.frontier.group_weights import GroupWeights
from asclip.pretrain.terms import unit
from asclip.trust.fairness import equity_scaled
from asclip.types import Encoded, Facts, Pair

OBJECTIVES: dict[str, Callable[[], nn.Module]] = {
    "clip": Clip,
    "group-weights, balance 0.5": lambda: GroupWeights("insurance", balance=0.5),
    "group-weights": lambda: GroupWeights("insurance"),
    "fairclip, weight 0.1": lambda: FairClip("insurance"),
    "fairclip, weight 1": lambda: FairClip("insurance", weight=1.0),
}
NUMBERS = ("all", "large group", "small group", "gap", "ES-AUC")
BATCH = 128
STUDIES, SIZE, COMPONENTS = 2000, 32, 60
People = tuple[Tensor, Tensor, Tensor]  # vectors [n, F], findings [n], 1 for the small group [n]


def simulated(seed: int, count: int) -> People:
    """Vectors of 8 numbers: a faint sign of the finding and a clear one of the mark."""
    rng = np.random.default_rng(seed)
    ill, few = rng.random(count) < 0.5, rng.random(count) < 0.1
    marked = ill == (rng.random(count) < np.where(few, 0.1, 0.9))
    images = rng.normal(size=(count, 8))
    images[:, 0] += np.where(ill, 1.0, -1.0)
    images[:, 1] = np.where(marked, 2.0, -2.0) + 0.3 * images[:, 1]
    return torch.tensor(images).float(), torch.tensor(ill).long(), torch.tensor(few).long()


def vectors(seed: int) -> tuple[People, People]:
    """2,000 to learn from and 1,500 others."""
    return simulated(seed, 2000), simulated(seed + 1000, 1500)


def films(folder: Path, seed: int) -> tuple[People, People]:
    """Training and test patients of the challenge; components are those of the training films."""
    place = folder / str(seed)
    table = challenges.write("subgroup", place, STUDIES, seed, SIZE)
    how = Preprocessing(size=(SIZE, SIZE), mean=(0.5,), std=(0.25,))
    ingest(Table(table, name="subgroup"), place / "data", how, seed=seed)
    data, found, told = Dataset.open(place / "data"), {}, {}
    for side in ("train", "test"):
        part = data.split(side)
        slots = np.concatenate(part.image_rows())
        found[side] = torch.tensor(data.pixels[slots].reshape(len(part), -1)).double()
        ill = part.label_matrix()[:, part.labels.index(BOUND)]
        few = (part.meta("insurance") == FEW).to_numpy()
        told[side] = (torch.tensor(ill).long(), torch.tensor(few).long())
    mean = found["train"].mean(0)
    _, scale, along = torch.linalg.svd(found["train"] - mean, full_matrices=False)
    spread = scale[:COMPONENTS] / len(found["train"]) ** 0.5
    sides = [
        (((found[side] - mean) @ along[:COMPONENTS].T / spread).float(), *told[side])
        for side in ("train", "test")
    ]
    return sides[0], sides[1]


def numbers(
    objective: nn.Module, seed: int, sides: tuple[People, People], steps: int
) -> np.ndarray:
    """`NUMBERS` [5] of the other patients, after training."""
    torch.manual_seed(seed)
    images, ill, few = sides[0]
    image, text = nn.Linear(images.shape[1], 8), nn.Embedding(2, 8)
    parts = nn.ModuleList([image, text, objective])
    optimiser, rng = torch.optim.Adam(parts.parameters(), lr=0.03), np.random.default_rng(seed)
    own = torch.arange(BATCH)
    for _ in range(steps):
        rows = torch.tensor(rng.choice(len(images), BATCH, replace=False))
        facts = {"study": own, "owner": own, "text": ill[rows], "group:insurance": few[rows]}
        pair = Pair(Encoded(image(images[rows])), Encoded(text(ill[rows])))
        optimiser.zero_grad()
        objective(pair, Facts(rows, targets=facts)).total.backward()
        optimiser.step()
    images, ill, few = sides[1]
    with torch.no_grad():
        no, yes = unit(text.weight)
        score, truth = (unit(image(images)) @ (yes - no)).numpy(), ill.numpy()
    small = few.numpy() == 1
    whole, large, little = (auroc(truth[of], score[of]) for of in (small | ~small, ~small, small))
    scaled = float(equity_scaled(whole, np.array([large, little])))
    return np.array([whole, large, little, large - little, scaled])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="10,11,12,13,14,15", help="two or more, comma-separated")
    parser.add_argument("--films", type=Path, help="phantom films, whose hospitals go here")
    parser.add_argument("--out", type=Path, help="all numbers as JSON")
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    if not 2 <= len(set(seeds)) == len(seeds):
        parser.error(f"--seeds must be two different numbers or more, got {seeds}")
    people, steps = (partial(films, given.films), 300) if given.films else (vectors, 80)
    every = [people(seed) for seed in seeds]
    print(f"| objective | {' | '.join(NUMBERS)} |\n|{' --- |' * 6}")
    plain, kept = np.zeros((len(seeds), 5)), {}
    for name, make in OBJECTIVES.items():
        found = np.stack(
            [numbers(make(), seed, sides, steps) for seed, sides in zip(seeds, every, strict=True)]
        )
        plain = found if name == "clip" else plain
        changes = [interval(change) for change in (found - plain).T.tolist()]
        told = [f"{value:.3f}" for value in found.mean(0)]
        if name != "clip":
            told = [f"{value} ({mean:+.3f} [{low:+.3f}, {high:+.3f}])"
                    for value, (mean, low, high) in zip(told, changes, strict=True)]  # fmt: skip
        print(f"| {name} | {' | '.join(told)} |", flush=True)
        kept[name] = {"by_seed": found.tolist(), "change": changes}
    if given.out:
        given.out.write_text(json.dumps({"seeds": seeds, "numbers": NUMBERS, **kept}, indent=1))


if __name__ == "__main__":
    main()
