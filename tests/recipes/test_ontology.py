"""KAD's first stage from an ontology to a text tower, and KAD itself from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from asclip.data.concept_pairs import CATALOGUE, ConceptPairs, concept_pairs
from asclip.data.dataset import Dataset
from asclip.errors import DataError, ModelError
from asclip.recipes import load, pretrain
from asclip.recipes.assembly import assemble
from asclip.recipes.ontology import assemble_ontology, found, told
from asclip.recipes.options import choose
from asclip.recipes.pretraining import profile
from asclip.towers.tokenizer import Tokenizer

NAME, SMALL = "kad-knowledge", {"width": 32, "text_tower": "words", "evaluations": 1}


@pytest.fixture(scope="module")
def stage(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = SMALL | {"steps": 300, "reports": str(data)}
    return pretrain(Path(CATALOGUE), NAME, tmp_path_factory.mktemp("runs") / "stage", given)


def test_synonyms_that_were_held_out_find_their_definitions(stage: Path) -> None:
    record = json.loads((stage / "run.json").read_text())
    retrieval, known = record["retrieval"], concept_pairs(Path(CATALOGUE))
    assert retrieval["synonyms"] == len(known.held_out) > 100
    assert retrieval["chance"] < 0.01
    torch.manual_seed(0)
    settings, own = choose(NAME, SMALL)
    before = found(assemble_ontology(known, settings, own)[1], known)
    assert before["top1"] < 0.2
    assert retrieval["top1"] > before["top1"] + 0.2
    assert 0 < record["last"]["val_loss"]
    assert record["data"] == {"name": CATALOGUE, "hash": known.hash}
    assert not any(part.startswith(str(stage)) for part in json.dumps(record).split('"'))


def test_kad_starts_from_those_weights_and_words_exactly(stage: Path, data: Path) -> None:
    given = {"text_tower": f"run:{stage}", "width": 32, "batch": 16, "facts": "labels"}
    settings, own = choose("kad", given)
    run, model = assemble(Dataset.open(data), "kad", settings, own, stage / "unused")
    trained = load_file(stage / "model.safetensors")
    ours = run.model.text.state_dict()
    assert {f"text.{key}" for key in ours} == set(trained)
    assert all(torch.equal(value, trained[f"text.{key}"]) for key, value in ours.items())
    theirs = Tokenizer.load(stage).core
    assert model.tokenizer.core.to_str() == theirs.to_str()
    assert model.encoder.text.config.name == "words"


def test_kad_trains_from_there_and_is_loaded_without_the_first_stage(
    stage: Path, data: Path, tmp_path: Path
) -> None:
    given = {"text_tower": f"run:{stage}", "width": 32, "batch": 16, "steps": 2, "facts": "labels"}
    out = pretrain(data, "kad", tmp_path / "kad", given)
    model = load(out)
    assert model.scorer is not None
    assert model.encoder.text.config.name == "words"


def test_the_words_of_reports_stand_in_the_vocabulary_whole(stage: Path, data: Path) -> None:
    words = {word for text in Dataset.open(data).split("train").texts() for word in text.split()}
    known = Tokenizer.load(stage).core.get_vocab()
    plain = [word.lower() for word in words if word.isalpha()]
    assert sum(word in known for word in plain) > 0.8 * len(plain)


def test_a_stage_is_no_model_of_images(stage: Path, data: Path) -> None:
    with pytest.raises(ModelError, match=r"a text tower alone, .*--text-tower run:stage"):
        load(stage)
    with pytest.raises(ModelError, match="has no image tower to be timed"):
        profile(Path(CATALOGUE), NAME, SMALL)


def test_what_is_no_first_stage_is_refused(data: Path, tmp_path: Path) -> None:
    settings, own = choose("kad", {"text_tower": f"run:{tmp_path}"})
    with pytest.raises(
        ModelError, match=r"must be the folder of a finished run; it lacks model\.json"
    ):
        assemble(Dataset.open(data), "kad", settings, own, tmp_path)
    with pytest.raises(DataError, match="learns an ontology, not images"):
        pretrain(data, NAME, tmp_path / "x", SMALL)


def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    given = SMALL | {"steps": 6}
    out = pretrain(Path(CATALOGUE), NAME, tmp_path / "run", given)
    before = (out / "model.safetensors").read_bytes()
    pretrain(Path(CATALOGUE), NAME, out, given)
    assert (out / "model.safetensors").read_bytes() == before


def test_an_ontology_without_held_out_synonyms_says_so(tmp_path: Path) -> None:
    path = tmp_path / "graph.csv"
    path.write_text("source,relation,target\nfrob,is_a,glob\nblob,is_a,glob\n")
    known = concept_pairs(path)
    settings, own = choose(NAME, SMALL)
    run, model = assemble_ontology(known, settings, own)
    assert isinstance(run.batches.dataset, ConceptPairs)
    assert run.validation is None
    assert found(model, known) == {}
    assert "nothing tells what was learned" in told({})
