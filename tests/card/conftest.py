"""A card with random but plausible content; real ones come from `asclip evaluate`."""

from __future__ import annotations

import numpy as np
import pytest

from asclip.card import Card, Heatmap, RetrievalExample
from asclip.types import Predictions, Score

LABELS = {  # name: (prevalence, separation zero-shot, separation with labels)
    "pleural_effusion": (0.22, 2.0, 2.6),
    "cardiomegaly": (0.18, 1.7, 2.4),
    "pneumothorax": (0.12, 1.2, 2.1),
    "consolidation": (0.15, 1.0, 1.7),
    "atelectasis": (0.16, 0.8, 1.5),
    "device": (0.25, 1.9, 3.0),
    "fracture": (0.05, 0.3, 0.5),
    "nodule": (0.08, 0.05, 0.1),
}
PROMPTS = "cxr-findings@1:0123456789ab"
NEVER = "diaphragm_hernia"


def predictions(rng: np.random.Generator, task: str, column: int, n: int) -> Predictions:
    truth = np.stack([rng.random(n) < values[0] for values in LABELS.values()], axis=1)
    truth = np.concatenate([truth, np.zeros((n, 1))], axis=1).astype(float)
    truth[rng.random(truth.shape) < 0.04] = np.nan
    gap = np.array([values[column] for values in LABELS.values()] + [0.0])
    score = rng.normal(size=truth.shape) + np.nan_to_num(truth) * gap
    ids = np.array([f"P{i:05d}" for i in range(n)])
    return Predictions(
        score,
        truth,
        (*LABELS, NEVER),
        ids,
        ids,
        {"task": task, "split": "test", "prompts": PROMPTS},
    )


def label_scores(found: Predictions, task: str, rng: np.random.Generator) -> list[Score]:
    from asclip.metrics.classification import auroc, average_precision

    same = {
        "dataset": "phantom",
        "split": "test",
        "task": task,
        "seed": 0,
        "prompts": PROMPTS if task == "zero-shot" else "",
    }
    result = []
    for column, label in enumerate(found.labels):
        truth, score = found.truth[:, column], found.scores[:, column]
        n = int(np.isfinite(truth).sum())
        share = float(np.nanmean(truth))
        why = "" if share else "no positive study among the 380 that state this label"
        for metric, function, chance in (
            ("auroc", auroc, 0.5),
            ("average_precision", average_precision, share),
        ):
            value = float(function(truth, score)) if share else float("nan")
            half = float(rng.uniform(0.02, 0.06)) if share > 0.1 else 0.09
            low, high = max(value - half, 0.0), min(value + half, 1.0)
            result.append(
                Score(
                    **same, metric=metric, label=label, value=value, low=low, high=high, n=n,
                    chance=chance, why_nan=why,
                )
            )  # fmt: skip
    mean = float(np.nanmean([s.value for s in result if s.metric == "auroc"]))
    macro = Score(**same, metric="auroc", label="macro", value=mean, low=mean - 0.02,
                  high=mean + 0.02, n=396, chance=0.5)  # fmt: skip
    return [*result, macro]


def retrieval_scores() -> list[Score]:
    values = {"image_to_text": (0.082, 0.241, 0.352), "text_to_image": (0.091, 0.262, 0.377)}
    result = []
    for direction, numbers in values.items():
        for k, value in zip((1, 5, 10), numbers, strict=True):
            result.append(
                Score(
                    "phantom", "test", "retrieval", f"{direction}_R@{k}", "", value,
                    value - 0.03, value + 0.03, n=396, pool=376, chance=k / 376,
                )
            )  # fmt: skip
        result.append(
            Score("phantom", "test", "retrieval", f"{direction}_MRR", "", 0.171, 0.15, 0.19,
                  n=396, pool=376, chance=0.017)
        )  # fmt: skip
        result.append(
            Score("phantom", "test", "retrieval", f"{direction}_median_rank", "", 18.0, 15.0, 22.0,
                  n=396, pool=376, chance=188.0)
        )  # fmt: skip
    return result


def single_scores() -> list[Score]:
    same = {
        "dataset": "phantom",
        "split": "test",
        "task": "zero-shot",
        "prompts": "view@1:77aa77aa77aa",
        "n": 396,
    }
    return [
        Score(**same, metric="accuracy", label="", value=0.91, low=0.88, high=0.94, chance=0.5),
        Score(**same, metric="balanced_accuracy", label="", value=0.89, low=0.86, high=0.92,
              chance=0.5),
        Score(**same, metric="auroc", label="lateral", value=0.96, low=0.94, high=0.98),
        Score(**same, metric="auroc", label="frontal", value=0.96, low=0.94, high=0.98),
        Score(**same, metric="auroc", label="macro", value=0.96, low=0.94, high=0.98),
    ]  # fmt: skip


def film(rng: np.random.Generator, side: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    lungs = sum(np.exp(-(((x - c) / 0.33) ** 4) - (y / 0.7) ** 4) for c in (-0.45, 0.45))
    return np.uint8(np.clip(190 - 130 * lungs + rng.normal(0, 9, (side, side)), 0, 255))


def curve_rows(rng: np.random.Generator) -> list[dict[str, float]]:
    rows = []
    for step in range(0, 600, 5):
        fall = float(np.exp(-step / 180))
        row = {
            "step": float(step),
            "epoch": step / 100,
            "loss": 2.1 + 2.6 * fall + float(rng.normal(0, 0.05)),
            "image_to_text": 1.0 + 1.3 * fall,
            "text_to_image": 1.1 + 1.3 * fall,
            "lr": 1e-3 * min(1, step / 60) * (1 - step / 620),
            "samples_per_second": 410 + float(rng.normal(0, 9)),
            "data_wait_share": 0.012 + 0.006 * float(rng.random()),
            "val_loss": float("nan"),
            "val_auroc": float("nan"),
        }
        if step % 60 == 0:
            row |= {"val_loss": 2.4 + 2.4 * fall, "val_auroc": 0.83 - 0.33 * fall}
        rows.append(row)
    return rows


def make_card(seed: int = 0, side: int = 128) -> Card:
    rng = np.random.default_rng(seed)
    zero, bound = (
        predictions(rng, "zero-shot", 1, 396),
        predictions(rng, "supervised", 2, 396),
    )
    texts = [
        "Frontal chest. Small right pleural effusion. No pneumothorax. Heart size normal.",
        "The cardiac silhouette is enlarged. No focal consolidation, no effusion.",
        "Left apical pneumothorax without shift of the mediastinum.",
    ]
    heat = np.exp(-(((np.mgrid[0:8, 0:8] - 4.5) / 1.8) ** 2).sum(0)) * 0.3 - 0.05
    return Card(
        title="CLIP on a generated hospital",
        created="2025-01-31 12:00 UTC",
        run={
            "recipe": "clip", "steps": 600, "seconds": 112.4, "seed": 0,
            "parameters": {"batch": 128, "lr": 1e-3, "image_tower": "tiny", "texts": "sentences"},
        },
        data={
            "name": "phantom",
            "splits": {
                "train": {"studies": 2402, "patients": 1810, "images": 3104},
                "val": {"studies": 202, "patients": 160, "images": 260},
                "test": {"studies": 396, "patients": 300, "images": 511},
            },
            "labels": {
                name: {"positive": round(3000 * v[0]), "negative": round(3000 * (1 - v[0]))}
                for name, v in LABELS.items()
            },
            "notes": ["12 studies share their text with another; both sides count as hits."],
            "part": "all",
            "studies": 3000,
            "views": {"frontal": 3000, "lateral": 875},
            "texts": {"with_text": 3000, "distinct": 2988, "median_words": 41.0},
            "counts": {"files": 3878, "ingested": 3875, "quarantined": 3},
            "leakage": {"images_of_several_patients": 0, "patients_moved": 0},
            "split_rule": {"method": "BLAKE2b of seed and patient", "seed": 0,
                           "fractions": [0.8, 0.07, 0.13]},
            "hash": "3f9a11c2de01",
            "split_hash": "77ab12cd9e00",
        },
        curves=curve_rows(rng),
        scores=[*label_scores(zero, "zero-shot", rng), *single_scores(), *retrieval_scores()],
        predictions=[zero, bound],
        bound=label_scores(bound, "supervised", rng),
        examples=[
            RetrievalExample(
                film(rng, side), texts[i % 3],
                [(texts[(i + j) % 3], 0.61 - 0.07 * j, j == i % 2) for j in range(3)], 1 + i % 2,
            )
            for i in range(4)
        ],
        heatmaps=[
            Heatmap(film(rng, side), "right pleural effusion", heat,
                    (side * 0.5, side * 0.4, side * 0.8, side * 0.75), "box from the phantom")
            for _ in range(3)
        ],
        preprocessing=[
            ("decode", "DICOM, modality LUT applied"), ("window", "file's own"),
            ("resize", "128 x 128 px, padded"), ("normalise", "mean 0.5, std 0.25"),
        ],
        provenance={"asclip": "0.1.0", "torch": "2.13.0", "git": "d1c5e07"},
        limits=["Trained on generated films: nothing here was learnt from a patient."],
    )  # fmt: skip


@pytest.fixture(scope="session")
def card() -> Card:
    return make_card()
