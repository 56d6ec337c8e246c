"""The examples run as they stand, on pictures drawn here."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from asclip.results import read_scores
from drawn import draw

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    spec = spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first example's output; its pictures are in `pictures/`."""
    folder = tmp_path_factory.mktemp("examples")
    table = draw(folder / "pictures", studies=60)
    load("train_on_a_csv").main(table, folder / "out", steps=5, batch=16, width=32)
    return folder


def test_a_csv_becomes_a_run_with_scores_and_a_card(trained):
    run = trained / "out" / "run"
    assert any(score.metric == "image_to_text_R@10" for score in read_scores(run / "scores.json"))
    assert "<html" in (run / "card.html").read_text()[:500]


def test_one_file_is_scored_against_sentences(trained, capsys):
    sentences = ["There is a left effusion.", "No effusion."]
    film = trained / "pictures" / "png" / "0.png"
    found = load("score_one_file").main(trained / "out" / "run", film, sentences)
    assert list(found) == sentences
    assert all(-1 <= value <= 1 for value in found.values())
    assert capsys.readouterr().out.count("\n") == 2


def test_every_example_is_short_and_says_how_to_run_it():
    for path in EXAMPLES.glob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) < 80
        assert f"python examples/{path.name}" in text
