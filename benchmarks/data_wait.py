"""The share of the training loop that is spent waiting for data.

    python benchmarks/data_wait.py --out data_wait.json

A phantom hospital is written and ingested; the `clip` recipe then trains on its DICOM films and
reports as users train. The share is the one in the run's own metrics.csv: seconds in which the loop
had no batch yet, over all its seconds, after the first rows, which hold the start.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path

import torch

from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing
from asclip.phantom.hospital import write
from asclip.recipes import pretrain

START = 20  # steps in which threads and memory warm up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=300)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = write(folder / "hospital", given.studies, 0, size=given.size)
        data = ingest(Table(table), folder / "data", Preprocessing((given.size, given.size)))
        run = pretrain(data.root, "clip", folder / "run", {"steps": given.steps})
        with (run / "metrics.csv").open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if int(row["step"]) > START]
    shares = [float(row["data_wait_share"]) for row in rows]
    result = {
        "benchmark": "data_wait",
        "threads": torch.get_num_threads(),
        "studies": given.studies,
        "size": given.size,
        "samples_per_second": round(float(rows[-1]["samples_per_second"]), 1),
        "data_wait_share": round(sum(shares) / len(shares), 4),
        "worst": round(max(shares), 4),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
