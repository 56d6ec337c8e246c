from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from asclip.card.difference import write_difference
from asclip.cli import app
from asclip.errors import DataError
from asclip.metrics.bootstrap import paired_interval
from asclip.metrics.classification import auroc
from asclip.recipes.difference import difference, two_sided
from asclip.results import write_predictions
from asclip.types import Predictions

FACTS = {
    "dataset": "d", "dataset_hash": "h", "split": "test", "task": "zero-shot", "seed": 0,
    "prompts": "set@1:aa", "preprocessing": "p", "kind": "multi-label", "split_hash": "s",
}  # fmt: skip


def predictions(seed: int, gain: float = 1.0, n: int = 120) -> Predictions:
    truth = (np.random.default_rng(5).random((n, 3)) < 0.4).astype(float)
    truth[0, 0] = np.nan
    truth[:, 2] = 0.0  # a label that nobody has
    hard = np.random.default_rng(6).normal(size=truth.shape)  # what both find hard
    noise = 0.3 * np.random.default_rng(seed).normal(size=truth.shape)
    scores = gain * np.nan_to_num(truth) + hard + noise
    ids = np.array([f"s{k}" for k in range(n)])
    patient = np.array([f"p{k // 2}" for k in range(n)])
    return Predictions(scores, truth, ("mass", "effusion", "hernia"), ids, patient, FACTS)


def ranks(seed: int, n: int = 60) -> Predictions:
    rank = np.random.default_rng(seed).integers(1, 30, (n, 2)).astype(float)
    rank[3] = np.nan
    labels = ("image_to_text_rank", "text_to_image_rank")
    ids = np.array([f"s{k}" for k in range(n)])
    facts = FACTS | {"task": "retrieval", "prompts": "", "pool": n}
    return Predictions(rank, np.ones((n, 2)), labels, ids, ids, facts)


def put(folder: Path, **named: Predictions) -> Path:
    for name, one in named.items():
        write_predictions(folder / "predictions" / f"{name}.npz", one)
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    second = predictions(2, gain=1.6)
    turned = np.arange(len(second.study))[::-1]  # another order of the same studies
    second = replace(
        second, scores=second.scores[turned], truth=second.truth[turned],
        study=second.study[turned], patient=second.patient[turned],
    )  # fmt: skip
    return (
        put(tmp_path / "a", zero=predictions(1), ranks=ranks(1)),
        put(tmp_path / "b", zero=second, ranks=ranks(2)),
    )


def test_intervals_are_those_of_the_paired_bootstrap(runs: tuple[Path, Path]) -> None:
    found = difference(*runs, resamples=300)
    row = next(r for r in found.rows if (r.metric, r.label) == ("auroc", "effusion"))
    first, second = predictions(1), predictions(2, gain=1.6)
    expected = paired_interval(
        auroc, first.truth[:, 1], (second.scores[:, 1], first.scores[:, 1]),
        groups=first.patient, rng=np.random.default_rng(0), resamples=300,
    )  # fmt: skip
    assert (row.low, row.high) == pytest.approx(expected)
    assert row.difference == pytest.approx(
        auroc(first.truth[:, 1], second.scores[:, 1]) - auroc(first.truth[:, 1], first.scores[:, 1])
    )
    assert row.clear
    assert row.p < 0.05
    assert found.split_hash == "s"


def test_ranks_unknown_studies_and_labels_without_value(runs: tuple[Path, Path]) -> None:
    found = difference(*runs, resamples=100)
    rows = {(r.metric, r.label): r for r in found.rows}
    ten = rows["image_to_text_R@10", ""]
    one, other = (np.delete(ranks(seed).scores[:, 0], 3) <= 10 for seed in (1, 2))
    assert ten.difference == pytest.approx(other.mean() - one.mean())
    assert ten.n == 59
    assert rows["auroc", "mass"].n == 119
    hernia = rows["auroc", "hernia"]
    assert np.isnan(hernia.difference)
    assert "no positive" in hernia.why_nan
    macro = rows["auroc", "macro"]
    parts = [rows["auroc", label].difference for label in ("mass", "effusion")]
    assert macro.difference == pytest.approx(np.mean(parts))
    assert found.known == sum(not np.isnan(r.low) for r in found.rows)
    assert found.by_chance == pytest.approx(0.05 * found.known)


def test_a_run_does_not_differ_from_itself(runs: tuple[Path, Path]) -> None:
    found = difference(runs[0], runs[0], resamples=50)
    known = [r for r in found.rows if not r.why_nan]
    assert {(r.difference, r.low, r.high, r.p) for r in known} == {(0.0, 0.0, 0.0, 1.0)}
    assert found.clear == 0


def test_p_is_two_sided_and_never_zero() -> None:
    assert two_sided(np.full(99, 0.2)) == 0.02
    assert two_sided(np.array([-1.0, 1.0])) == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split_hash": "other"}, "same split, got s and other"),
        ({"prompts": "set@1:bb"}, "same prompt set"),
    ],
)
def test_another_question_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    one = predictions(1)
    a = put(tmp_path / "a", zero=one)
    b = put(tmp_path / "b", zero=replace(one, provenance=FACTS | change))
    with pytest.raises(DataError, match=message):
        difference(a, b)


def test_other_labels_studies_or_truth_are_refused(tmp_path: Path) -> None:
    one = predictions(1)
    a = put(tmp_path / "a", zero=one)
    wrong = one.truth.copy()
    wrong[5, 1] = 1 - wrong[5, 1]
    for other, message in (
        (replace(one, labels=("mass", "effusion", "x")), "same labels"),
        (replace(one, study=np.char.add(one.study, "x")), "same studies"),
        (replace(one, truth=wrong), "same truth"),
        (replace(one, provenance=FACTS | {"task": "supervised"}), "zero-shot set of d"),
        (replace(one, provenance=FACTS | {"split": "val"}), "predictions of the split test"),
    ):
        with pytest.raises(DataError, match=message):
            difference(a, put(tmp_path / "b", zero=other))


def test_the_command_prints_and_writes_a_page(runs: tuple[Path, Path], tmp_path: Path) -> None:
    words = ["diff", *map(str, runs)]
    told = CliRunner().invoke(app, [*words, "--json"])
    assert told.exit_code == 0
    stored = json.loads(told.stdout)
    assert stored["known"] == sum(row["low"] is not None for row in stored["rows"])
    told = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "diff.html")])
    assert "intervals exclude 0" in told.stderr
    page = (tmp_path / "diff.html").read_text()
    assert page.count("<svg") == 2
    assert "<script" not in page
    assert str(tmp_path) not in page
    assert write_difference(tmp_path / "again.html", difference(*runs)).read_text() == page
