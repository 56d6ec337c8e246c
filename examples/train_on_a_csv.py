"""A CSV of pictures with captions -> data set -> model -> scores and card, from Python.

python examples/train_on_a_csv.py reports.csv out
"""

from __future__ import annotations

import sys
from pathlib import Path

from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing
from asclip.recipes import pretrain
from asclip.recipes.evaluation import evaluate


def main(table: Path, out: Path, **parameters: object) -> None:
    data = ingest(Table(table), out / "data", Preprocessing(size=(64, 64)))
    print(f"{len(data)} studies; left out: {out / 'data' / 'quarantine.csv'}")
    run = pretrain(data.root, "clip", out / "run", parameters)
    for score in evaluate(run):
        if score.label in ("", "macro"):
            print(f"{score.metric:28s} {score.value:.3f} [{score.low:.3f}, {score.high:.3f}]")
    print(f"card: {run / 'card.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
