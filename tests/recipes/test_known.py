"""What a recipe learns of its words and findings, from the data set to the objective."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from asclip.data.dataset import Dataset
from asclip.errors import DataError
from asclip.pretrain.knowledge.kobo import Kobo
from asclip.recipes.assembly import assemble
from asclip.recipes.options import choose
from asclip.train.run import Run

SMALL = {"steps": 4, "batch": 16, "width": 16, "evaluations": 1, "average": 0.0}


def assembled(data: Path, name: str, out: Path, **given: Any) -> Run:
    settings, own = choose(name, SMALL | given)
    torch.manual_seed(0)
    return assemble(Dataset.open(data), name, settings, own, out)[0]


def test_ecamp_hides_descriptors_always_and_entities_often(data: Path, tmp_path: Path) -> None:
    run = assembled(data, "ecamp", tmp_path, gaps=0.6)
    pieces = run.batches.pieces
    further, hidden = run.batches.further, {"descriptor": [], "entity": []}
    for step in range(8):
        targets = run.batches.at(step).facts.targets
        for row, study in enumerate(targets["study"].tolist()):
            known = further.marks(int(pieces.whole[study]))
            gaps = targets["gaps"][row, : len(known.chance)].numpy()
            hidden["descriptor"] += gaps[known.chance == 1].tolist()
            hidden["entity"] += gaps[np.isclose(known.chance, 0.6)].tolist()
            np.testing.assert_allclose(targets["weight"][row, : len(gaps)], known.weight)
    assert hidden["descriptor"]
    assert all(hidden["descriptor"])
    assert np.mean(hidden["entity"]) == pytest.approx(0.6, abs=0.1)


def test_mrm_hides_as_before_and_knows_no_entities(data: Path, tmp_path: Path) -> None:
    run = assembled(data, "mrm", tmp_path)
    assert run.batches.further.marks is None
    assert "weight" not in run.batches.at(0).facts.targets


def test_kobo_reads_the_ontology_of_its_findings(data: Path, tmp_path: Path) -> None:
    plain = assembled(data, "kobo", tmp_path, ontology="none").objective
    run = assembled(data, "kobo", tmp_path)
    names, near = run.knowledge["findings"], run.objective.ontology
    assert isinstance(plain, Kobo)
    assert plain.ontology is None
    assert run.recipe["findings"] == tuple(names)
    assert near.shape == (len(names), len(names))
    assert torch.equal(near.diagonal(), torch.ones(len(names)))
    assert near.min() >= 0


def test_kobo_with_a_users_ontology(data: Path, tmp_path: Path) -> None:
    names = assembled(data, "kobo", tmp_path, ontology="none").knowledge["findings"]
    path = tmp_path / "own.csv"
    path.write_text(f"source,relation,target\n{names[0]},is_a,{names[1]}\n")
    near = assembled(data, "kobo", tmp_path, ontology=str(path)).objective.ontology
    assert near[0, 1] == pytest.approx(math.exp(-1))
    assert near.sum() == pytest.approx(len(names) + 2 * math.exp(-1))
    path.write_text("source,relation,target\ndog,is_a,animal\n")
    with pytest.raises(DataError, match=r"own\.csv must know the findings of the data set"):
        assembled(data, "kobo", tmp_path, ontology=str(path))
    path.write_text(
        f"source,relation,target\n{names[0]},is_a,{names[1]}\n{names[1]},is_a,{names[0]}"
    )
    with pytest.raises(DataError, match="circle"):
        assembled(data, "kobo", tmp_path, ontology=str(path))
    with pytest.raises(DataError, match="readable"):
        assembled(data, "kobo", tmp_path, ontology="nowhere.csv")
