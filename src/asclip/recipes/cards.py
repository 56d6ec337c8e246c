"""What an evaluation found -> the report card and the model card of a run."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asclip import __version__, card
from asclip.recipes.exam import Exam
from asclip.recipes.pictures import examples, heatmaps

if TYPE_CHECKING:
    from asclip.recipes.suite import Found


def write_card(run: Path, other: str, exam: Exam, found: Found, *, images: bool) -> list[Path]:
    """Write card.html (`other` in its name) and, where `other` is "", README.md; their paths."""
    content = assemble(exam, found, images=images)
    pages = [card.write(run / f"card{other}.html", content, include_images=images)]
    if not other:
        pages.append(card.write_readme(run / "README.md", content))
    return pages


def assemble(exam: Exam, found: Found, *, images: bool) -> card.Card:
    """All that the cards show."""
    record, seed = exam.record, exam.record["parameters"]["seed"]
    zero_shot = [
        (one, found.predictions[f"zero-shot-{one.name}"])
        for one in exam.sets
        if f"zero-shot-{one.name}" in found.predictions
    ]
    retrieval = found.predictions.get("retrieval")
    vision = [one for name, one in found.predictions.items() if not name.startswith("text-")]
    return card.Card(
        title=f"{record['recipe']} on {exam.part.name}",
        created=date.today().isoformat(),
        run={k: record[k] for k in ("recipe", "parameters", "steps", "studies", "seconds")}
        | {"seed": seed},
        data=exam.dataset.describe(),
        curves=_curves(exam.run),
        scores=found.scores,
        predictions=[*vision, *found.beside],
        examples=examples(retrieval, exam.part) if images and retrieval is not None else (),
        heatmaps=heatmaps(exam.model, exam.part, zero_shot) if images else (),
        preprocessing=exam.model.preprocessing.describe(),
        provenance={
            "asclip": __version__,
            "data set": record["data"]["hash"],
            "split": record["data"]["split"],
            "preprocessing": exam.model.preprocessing.digest,
        },
        bound=found.bound,
        limits=_limits(record),
        commands=(
            f"asclip model add {record['recipe']} --out RUN"
            if "published" in record
            else f"asclip pretrain DATA --recipe {record['recipe']} --out RUN",
            "asclip evaluate RUN" + (" --suite full" if len(found.seconds) > 2 else ""),
        ),
        warnings=found.warnings,
        seconds=found.seconds,
        judged=found.judged,
        explained=found.explained,
    )


def _limits(record: dict[str, Any]) -> list[str]:
    if "published" in record:
        published = record["published"]
        return [
            f"published weights of {published['title']}, not trained here: whether they have seen "
            "these images is not known",
            *published["differs"],
        ]
    return [
        f"one training run with seed {record['parameters']['seed']}: the intervals hold the "
        "patients' part of the uncertainty, not that of another seed or another split"
    ]


def _curves(run: Path) -> list[dict[str, float]]:
    path = run / "metrics.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            {k: float(v) if v else float("nan") for k, v in row.items()}
            for row in csv.DictReader(file)
        ]
