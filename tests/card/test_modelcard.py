from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from asclip.card import Card, write_readme
from asclip.card.modelcard import leading, readme
from asclip.types import Predictions, Score

BLOCKED = [
    Score("phantom", "test", "entailment", "balanced_accuracy", "", 0.7, 0.6, 0.8, n=90,
          chance=1 / 3, block="text", split_hash="77ab", prompts="text-pairs@1:00"),
    Score("phantom", "test", "entailment-words", "balanced_accuracy", "", 0.5, 0.4, 0.6, n=90,
          block="text", split_hash="77ab", prompts="text-pairs@1:00"),
    Score("phantom", "test", "zero-shot", "ece_platt", "macro", 0.05, 0.03, 0.07, n=396,
          block="trust", split_hash="77ab"),
    Score("phantom", "test", "trust", "block", "", math.nan, why_nan="a | b", block="trust"),
]  # fmt: skip


def parts(text: str) -> tuple[dict, str]:
    _, header, body = text.split("---\n", 2)
    return yaml.safe_load(header), body


def test_the_header_is_yaml_with_what_hubs_read(card: Card) -> None:
    card = replace(card, scores=[*card.scores, *BLOCKED])
    header, body = parts(readme(card))
    assert header["license"] == "unknown"
    assert header["library_name"] == "asclip"
    assert header["pipeline_tag"] == "zero-shot-image-classification"
    assert {"medical-imaging", "clip"} <= set(header["tags"])
    (model,) = header["model-index"]
    results = model["results"]
    assert all({"task", "dataset", "metrics"} == set(one) for one in results)
    told = [m["value"] for one in results for m in one["metrics"]]
    assert told == [round(s.value, 6) for s in leading(card.scores) if not math.isnan(s.value)]
    assert {"roc_auc", "recall", "accuracy"} <= set(header["metrics"])
    entailment = next(one for one in results if one["task"]["name"] == "Entailment")
    assert entailment["dataset"] == {
        "type": "phantom", "name": "phantom", "split": "test", "revision": "77ab",
    }  # fmt: skip
    assert "| Entailment (test) | balanced accuracy | 0.700 | 0.600 to 0.800 | 0.333 | 90 |" in body
    assert "Entailment, bag of words" in body


def test_the_body_has_every_section(card: Card) -> None:
    _, body = parts(readme(replace(card, warnings={"trust": ["too few studies"]})))
    for section in ("Intended use", "Data", "Preprocessing", "Training", "Scores", "Limits", "Use",
                    "Provenance"):  # fmt: skip
        assert f"\n## {section}\n" in body
    assert "not a medical device" in body.lower()
    assert "| test | 396 | 300 | 511 |" in body
    assert "- Too few studies." in body
    assert "[0.5" not in body.partition("## Scores")[2].partition("## Limits")[0]


def test_no_patient_and_no_path(card: Card, tmp_path: Path) -> None:
    ids = np.array([f"{70000 + k}" for k in range(9)])
    found = Predictions(np.ones((9, 1)), np.ones((9, 1)), ("mass",), ids, ids, {"task": "x"})
    made = replace(
        card,
        title="Run of 70001",
        run={"recipe": "clip", "parameters": {"knowledge": "/home/user/secret/facts.json"}},
        predictions=[found],
        limits=["read from /srv/pacs/in"],
        warnings={"guard": ["see /data/secret/x.csv and 70003"]},
    )
    text = write_readme(tmp_path / "README.md", made).read_text()
    for word in ("7000", "secret", "/srv", "/home", "/data"):
        assert word not in text
    assert "facts.json" in text


def test_an_empty_card_is_a_model_card() -> None:
    header, body = parts(readme(Card('A "title": with # signs')))
    assert header["pipeline_tag"] == "image-classification"
    assert "model-index" not in header
    assert "None was computed." in body
