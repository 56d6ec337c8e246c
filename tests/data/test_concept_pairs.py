"""`data.concept_pairs`: an ontology as pairs of texts, and their batches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from asclip.data.concept_pairs import CATALOGUE, ConceptBatches, concept_pairs
from asclip.errors import DataError
from asclip.types import Tokens

GRAPH = """source,relation,target
frob,node,
blob,node,
glob,node,
frob,synonym,frobbing
frob,synonym,a bright frob
blob,is_a,glob
frob,is_a,glob
frob,may_cause,blob
"""


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "graph.csv"
    path.write_text(GRAPH)
    return path


def test_pairs_are_names_synonyms_definitions_and_relations(graph: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"frob": "Something bright.", "nob": "Something dark."}))
    known = concept_pairs(graph, str(own))
    assert known.names == ("frob", "blob", "glob", "nob")
    assert known.definitions == {0: "Something bright.", 3: "Something dark."}
    assert set(known.pairs) == {
        ("frob", "Something bright.", 0),
        ("nob", "Something dark.", 3),
        ("frobbing", "frob", 0),
        ("frobbing", "Something bright.", 0),
        ("a bright frob", "frob", 0),
        ("a bright frob", "Something bright.", 0),
        # Of two that are a kind of glob, each would be a negative to the other's sentence.
        ("glob", "blob is a kind of", 2),
        ("glob", "frob is a kind of", 2),
        ("blob", "frob may cause", 1),
        ("frob", "may cause blob", 0),
    }
    assert len(known.pairs) == 10
    assert known.held_out == ()


def test_the_catalogue_holds_synonyms_out_that_training_never_shows() -> None:
    known = concept_pairs(Path(CATALOGUE))
    shown = {text for one, two, _ in known.pairs for text in (one, two)}
    assert len(known.held_out) > 100
    assert not shown & {word for word, _, _ in known.held_out}
    for _, definition, concept in known.held_out:
        assert known.definitions[concept] == definition
        assert definition in shown
    assert known.hash == concept_pairs(Path(CATALOGUE)).hash
    assert set(known.texts) == shown | {word for word, _, _ in known.held_out}


def test_a_users_definition_replaces_the_catalogues(tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"mass": "Something large."}))
    known = concept_pairs(Path(CATALOGUE), str(own))
    assert known.definitions[known.names.index("mass")] == "Something large."
    assert known.hash != concept_pairs(Path(CATALOGUE)).hash


def test_what_is_no_ontology_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"learns an ontology, not images: .* is a folder; give `cata"
    ):
        concept_pairs(tmp_path)
    with pytest.raises(DataError, match="an ontology must be a readable text file"):
        concept_pairs(tmp_path / "none.csv")
    lonely = tmp_path / "one.csv"
    lonely.write_text("source,relation,target\nfrob,node,\n")
    with pytest.raises(DataError, match="at least two pairs of texts, got 0"):
        concept_pairs(lonely)


def encode(texts: object) -> Tokens:
    ids = torch.tensor([[len(text)] for text in texts])  # pyright: ignore
    return Tokens(ids, torch.ones_like(ids, dtype=torch.bool))


def test_a_batch_is_pairs_with_the_numbers_of_their_concepts() -> None:
    known = concept_pairs(Path(CATALOGUE))
    batches = ConceptBatches(known, known.pairs, encode, size=32, seed=1)
    seen = []
    for step in range(batches.per_epoch):
        facts = batches.at(step).facts.targets
        rows = facts["study"].tolist()
        assert facts["text"].tolist() == [known.pairs[row][2] for row in rows]
        assert facts["owner"].tolist() == rows
        assert facts["has_second"].all()
        seen += rows
    assert len(set(seen)) == len(seen) == 32 * batches.per_epoch
    again = ConceptBatches(known, known.pairs, encode, size=32, seed=1).at(3).facts.targets
    assert torch.equal(again["study"], batches.at(3).facts.targets["study"])


def test_processes_see_together_what_one_would_see() -> None:
    known = concept_pairs(Path(CATALOGUE))
    whole = ConceptBatches(known, known.pairs, encode, size=9, seed=1).at(2)
    parts = [
        ConceptBatches(known, known.pairs, encode, size=9, seed=1, share=(rank, 2)).at(2)
        for rank in (0, 1)
    ]
    for name in whole.facts.targets:
        joined = torch.cat([part.facts.targets[name] for part in parts])
        assert torch.equal(joined, whole.facts.targets[name])
