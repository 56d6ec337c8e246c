"""Do maps of GLoRIA point at findings more often than those of plain CLIP? The pointing game.

    python benchmarks/pointing.py --folder runs/pointing --seeds 0 1 2 --out pointing.json

Each seed is another phantom hospital, order and start. Both recipes get the same towers, studies
and steps; with `--seconds` plain CLIP is trained once more, for as many steps as fit into the
processor seconds of GLoRIA. A map is the model's own score of each region with the affirming
prompts of a finding, their mean; it is asked of test studies that have the finding, and is to be
highest in its box ("true") or in the box widened by an eighth of the side ("wide"). Beside it:
chance, and a map that always says the middle of the image. Values are means over findings, their
intervals Student's over seeds, or over patients a bootstrap's. `sanity` is the rank correlation of
maps with those of the model with all its weights shuffled. What is done is kept in the folder: run
again it goes on. `--seen` are seeds whose results were known before others were added; the summary
is then given without them, too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.prompts import load_prompt_set
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing
from asclip.metrics.bootstrap import bootstrap_mean, percentile_interval
from asclip.metrics.known import mean_of_defined as mean
from asclip.phantom.hospital import write
from asclip.recipes import load, pretrain
from asclip.recipes.paired import difference
from asclip.recipes.pretraining import profile
from asclip.tasks.dense.pointing import region_scores
from asclip.tasks.measures import MARGIN
from asclip.terminal import plain, print_rows
from asclip.trust.explain import scores as of
from asclip.trust.explain.baseline import middle
from asclip.trust.explain.boxes import boxes_of
from asclip.trust.explain.sanity import similarity_to_shuffled
from asclip.trust.explain.similarity import own_score

FINDINGS = ("pleural effusion", "mass", "consolidation", "cardiomegaly")
EQUAL: dict[str, Any] = {
    "image_tower": "micro", "text_tower": "words", "batch": 64, "texts": "sentences",
    "evaluations": 2,
}  # fmt: skip
STUDIES, SIZE, STEPS, LONG = 1200, 128, 300, "clip-long"
MARGINS = {"wide": MARGIN, "true": 0.0}
RESAMPLES, CHECKED = 1000, 16
Hits = dict[str, np.ndarray]  # box -> [n, 4] hits, NaN without the finding


def hospital(folder: Path, seed: int) -> Path:
    table = write(folder / "hospital", STUDIES, seed, size=SIZE)
    how = Preprocessing(size=(SIZE, SIZE), mean=(0.5,), std=(0.25,))
    source = Table(table, name="phantom")
    return ingest(source, folder / "data", how, seed=seed, fractions=(0.6, 0.1, 0.3)).root


def long_steps(folder: Path, data: Path) -> int:
    """Steps of CLIP in the processor seconds of GLoRIA's; measured once, then kept."""
    kept = folder / "steps.json"
    if not kept.exists():
        given = EQUAL | {"steps": STEPS, "seed": 0}
        clip, gloria = (
            min(profile(data, name, given).processor_seconds for _ in range(2))
            for name in ("clip", "gloria")
        )
        kept.write_text(json.dumps({"steps": round(STEPS * gloria / clip)}) + "\n")
    return json.loads(kept.read_text())["steps"]


def pointed(maps: dict[str, np.ndarray], boxes: dict[str, list[np.ndarray]]) -> Hits:
    return {
        key: np.stack([of.pointing(maps[name], boxes[name], margin) for name in FINDINGS], 1)
        for key, margin in MARGINS.items()
    }


def asked(model: Any, part: Dataset, boxes: dict[str, list[np.ndarray]]) -> tuple[Hits, float]:
    """Hits of a model's maps, and the sanity check's mean rank correlation."""
    classes, grid = load_prompt_set("phantom-findings").classes, model.encoder.image.grid
    images, maps = model.encode_images(part, local=True), {}
    for name in FINDINGS:
        texts = model.encode_texts(list(classes[name].positive))
        maps[name] = region_scores(model, images, texts).mean(2).reshape(-1, *grid)
    pairs = [(row, name) for row in range(len(part)) for name in FINDINGS if len(boxes[name][row])]
    few, slots = pairs[:CHECKED], part.image_rows()
    items = np.stack([np.asarray(part.pixels[slots[row][0]]) for row, _ in few])
    said = [classes[name].positive[0] for _, name in few]
    kept = similarity_to_shuffled(own_score, model, items, said)["all"]
    return pointed(maps, boxes), float(mean(kept))


def measured(folder: Path, seed: int, steps: dict[str, int]) -> dict[Any, Any]:
    """What the models of a seed reach; they are trained where they are not yet."""
    data = hospital(folder / str(seed), seed)
    part = Dataset.open(data).split("test")
    boxes = boxes_of(part, load_prompt_set("phantom-findings"))
    found: dict[str, Hits] = {}
    record: dict[Any, Any] = {"seed": seed, "sanity": {}}
    model: Any = None
    for name, count in steps.items():
        run = folder / str(seed) / name
        if not (run / "run.json").exists():
            pretrain(
                data, "clip" if name == LONG else name, run, EQUAL | {"steps": count, "seed": seed}
            )
        model = load(run)
        found[name], record["sanity"][name] = asked(model, part, boxes)
    grid = model.encoder.image.grid
    hill = middle(model, np.zeros((len(part), 1, 1)), [""] * len(part))
    found["middle"] = pointed(dict.fromkeys(FINDINGS, hill), boxes)
    found["chance"] = {
        key: np.stack([of.pointing_chance(boxes[name], grid, margin) for name in FINDINGS], 1)
        for key, margin in MARGINS.items()
    }
    groups = part.studies["group"].to_numpy(str)
    for name, hits in found.items():
        for key, values in hits.items():
            rng = np.random.default_rng(0)
            drawn = bootstrap_mean(values, groups=groups, resamples=RESAMPLES, rng=rng)
            each = dict(zip(FINDINGS, mean(values), strict=True))
            record[key, name] = float(mean(mean(values))), mean(drawn, axis=1), each
    record["n"] = dict(zip(FINDINGS, (~np.isnan(found["chance"]["true"])).sum(0), strict=True))
    return record


def summary(records: list[dict[Any, Any]], names: list[str]) -> list[dict[str, Any]]:
    """A row for each box and map: values by seed, and by how much GLoRIA is ahead."""
    rows = []
    for key in MARGINS:
        for name in names:
            values, drawn = (np.array([one[key, name][k] for one in records]) for k in (0, 1))
            lead, ours = {}, [np.array([one[key, "gloria"][k] for one in records]) for k in (0, 1)]
            if name != "gloria" and name != "chance":
                lead = difference(ours[0] - values, ours[1] - drawn)
            rows.append({"box": key, "map": name, "mean": values.mean(), "values": values,
                         "patients": [percentile_interval(one) for one in drawn],
                         "gloria ahead": lead})  # fmt: skip
    return rows


def shown(title: str, rows: list[dict[str, Any]]) -> None:
    print_rows(title, [
        {"box": row["box"], "map": row["map"], "mean": f"{row['mean']:.3f}",
         "by seed": " ".join(f"{value:.2f}" for value in row["values"]),
         "GLoRIA ahead [95 % over seeds]": "{difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(
             **row["gloria ahead"]) if row["gloria ahead"] else ""}
        for row in rows
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("runs/pointing"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seen", type=int, nargs="*", default=[])
    parser.add_argument("--seconds", action="store_true", help="also CLIP with equal seconds")
    parser.add_argument("--out", "--json", type=Path, dest="out")
    given = parser.parse_args()
    steps, first = {"clip": STEPS, "gloria": STEPS}, given.seeds[0]
    if given.seconds:
        steps[LONG] = long_steps(given.folder, hospital(given.folder / str(first), first))
    records, names = [], [*steps, "middle", "chance"]
    for seed in given.seeds:
        records.append(measured(given.folder, seed, steps))
        wide = ", ".join(f"{name} {records[-1]['wide', name][0]:.3f}" for name in names)
        print(f"seed {seed}, wide box: {wide}", flush=True)
    result: dict[str, Any] = {"benchmark": "pointing", "settings": EQUAL, "steps": steps,
                              "seeds": given.seeds, "n": [one["n"] for one in records],
                              "sanity": [one["sanity"] for one in records]}  # fmt: skip
    fresh = [one for one in records if one["seed"] not in given.seen]
    for title, some in (("all seeds", records), ("fresh seeds", fresh if given.seen else [])):
        if some:
            result[title] = summary(some, names)
            shown(f"{title}: {', '.join(str(one['seed']) for one in some)}", result[title])
    for name in steps:
        kept = [one["sanity"][name] for one in records]
        print(f"rank correlation with maps of shuffled weights, {name}: {np.round(kept, 2)}")
    result["by finding"] = [
        {f"{key} {name}": one[key, name][2] for key in MARGINS for name in names} for one in records
    ]
    if given.out:
        given.out.write_text(json.dumps(plain(result), indent=1) + "\n")


if __name__ == "__main__":
    main()
