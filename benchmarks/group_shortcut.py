"""A mark that misleads a small group, on vectors in place of films: minutes, not hours.

    python benchmarks/group_shortcut.py --seeds 10,11,12,13,14,15

Half of the simulated patients have a finding. Nine in ten are of a large group, of which 90 % have
the mark and the finding or neither; of the small group 10 % have. A vector holds a faint sign of
the finding (d' = 2), a clear one of the mark and noise. Linear towers are trained with each
objective for 80 steps of 128 out of 2,000 patients, and asked for the finding in 1,500 others: the
AUROC of all, of either group, their gap, and ES-AUC. Means over seeds, and the difference to plain
CLIP on the same patients with Student's 95 % interval.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from asclip.metrics.classification import auroc
from asclip.pretrain.clip import Clip
from asclip.pretrain.frontier.fairclip import FairClip
from asclip.pretrain.frontier.group_weights import GroupWeights
from asclip.pretrain.terms import unit
from asclip.recipes.paired import T95
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
STEPS, BATCH = 80, 128


def people(seed: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors [n, 8], findings [n] and groups [n], 1 for the small one."""
    rng = np.random.default_rng(seed)
    ill, few = rng.random(count) < 0.5, rng.random(count) < 0.1
    marked = ill == (rng.random(count) < np.where(few, 0.1, 0.9))
    images = rng.normal(size=(count, 8))
    images[:, 0] += np.where(ill, 1.0, -1.0)
    images[:, 1] = np.where(marked, 2.0, -2.0) + 0.3 * images[:, 1]
    return torch.tensor(images).float(), torch.tensor(ill).long(), torch.tensor(few).long()


def numbers(objective: nn.Module, seed: int) -> np.ndarray:
    """`NUMBERS` [5] of other patients, after training."""
    torch.manual_seed(seed)
    images, ill, few = people(seed, 2000)
    image, text = nn.Linear(8, 8), nn.Embedding(2, 8)
    parts = nn.ModuleList([image, text, objective])
    optimiser, rng = torch.optim.Adam(parts.parameters(), lr=0.03), np.random.default_rng(seed)
    own = torch.arange(BATCH)
    for _ in range(STEPS):
        rows = torch.tensor(rng.choice(len(images), BATCH, replace=False))
        facts = {"study": own, "owner": own, "text": ill[rows], "group:insurance": few[rows]}
        pair = Pair(Encoded(image(images[rows])), Encoded(text(ill[rows])))
        optimiser.zero_grad()
        objective(pair, Facts(rows, targets=facts)).total.backward()
        optimiser.step()
    images, ill, few = people(seed + 1000, 1500)
    with torch.no_grad():
        no, yes = unit(text.weight)
        score, truth = (unit(image(images)) @ (yes - no)).numpy(), ill.numpy()
    small = few.numpy() == 1
    whole, large, little = (auroc(truth[of], score[of]) for of in (small | ~small, ~small, small))
    scaled = float(equity_scaled(whole, np.array([large, little])))
    return np.array([whole, large, little, large - little, scaled])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="10,11,12,13,14,15", help="2 to 10, comma-separated")
    seeds = [int(seed) for seed in parser.parse_args().seeds.split(",")]
    if not 2 <= len(set(seeds)) == len(seeds) <= len(T95) + 1:
        parser.error(f"--seeds must be 2 to {len(T95) + 1} different numbers, got {seeds}")
    print(f"| objective | {' | '.join(NUMBERS)} |\n|{' --- |' * 6}")
    plain = np.zeros((len(seeds), 5))
    for name, make in OBJECTIVES.items():
        found = np.stack([numbers(make(), seed) for seed in seeds])
        plain = found if name == "clip" else plain
        change = found - plain
        mean = change.mean(0)
        around = T95[len(seeds) - 1] * change.std(0, ddof=1) / len(seeds) ** 0.5
        told = [f"{value:.3f}" for value in found.mean(0)]
        if name != "clip":
            told = [f"{value} ({m:+.3f} [{m - a:+.3f}, {m + a:+.3f}])"
                    for value, m, a in zip(told, mean, around, strict=True)]  # fmt: skip
        print(f"| {name} | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
