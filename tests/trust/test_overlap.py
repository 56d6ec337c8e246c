from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from asclip.trust import overlap
from asclip.trust.corruptions import corrupt
from asclip.trust.overlap import (
    ALIKE,
    COPIED,
    GRID,
    Shared,
    cells,
    distinct,
    near,
    same_texts,
    share_known,
)


def patients(count: int, size: int = 64, seed: int = 0, own: float = 6) -> np.ndarray:
    """Pictures [n, H, W] of one anatomy that differs a little: as alike as films are."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    found = []
    for _ in range(count):
        a, b, c = rng.normal(0, 0.04, 3)
        body = np.hypot((x - 0.5 - a) / (0.3 + b), (y - 0.5) / (0.4 + c)) < 1
        detail = np.kron(rng.normal(0, 1, (16, 16)), np.ones((size // 16, size // 16)))
        ribs = 60 * np.sin(40 * y + 8 * x) * body
        found.append(90 + 60 * body + ribs + own * detail + rng.normal(0, 3, (size, size)))
    return np.clip(np.rint(found), 0, 255).astype(np.uint8)


def slow_cells(picture: np.ndarray) -> np.ndarray:
    """One mean after the other."""
    edges = [np.linspace(0, n, GRID + 1).astype(int) for n in picture.shape]
    grid = np.array(
        [[picture[a:b, c:d].mean() for c, d in zip(edges[1], edges[1][1:], strict=False)]
         for a, b in zip(edges[0], edges[0][1:], strict=False)]
    )  # fmt: skip
    wide = np.pad(grid, 4, mode="edge")
    local = [[wide[r : r + 9, c : c + 9].mean() for c in range(GRID)] for r in range(GRID)]
    rest = (grid - np.array(local)).ravel()
    return rest / np.linalg.norm(rest)


@pytest.mark.parametrize("shape", [(64, 64), (70, 101)])
def test_cells_are_means_less_their_surroundings(shape: tuple[int, int]) -> None:
    items = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    found = cells(items)
    for row, item in zip(found, items, strict=True):
        np.testing.assert_allclose(row, slow_cells(item.astype(float)), atol=2e-5)
    colour = np.stack([items, items // 2, items // 4], -1)
    mean = np.stack([slow_cells(item.mean(-1)) for item in colour.astype(float)])
    np.testing.assert_allclose(cells(colour, colour=True), mean, atol=2e-5)
    volume = np.stack([np.zeros_like(items), items, np.zeros_like(items)], 1)
    np.testing.assert_allclose(cells(volume), found, atol=1e-6)


def test_a_planted_copy_is_found_and_no_other_patient() -> None:
    films = patients(300)
    train, test = films[:200], films[200:]
    faults = (("jpeg", 1), ("noise", 1), ("gamma", 1), ("brightness", 1), ("contrast", 1))
    planted = test.copy()
    for row, (name, severity) in enumerate(faults):
        planted[row] = corrupt(train[7 * row], name, severity, np.random.default_rng(row))
    x = [cells(planted), cells(train)]
    common = Shared.of(np.concatenate(x))
    y = [common.own(one) for one in x]
    assert near(*y).tolist() == [[row, 7 * row] for row in range(len(faults))]
    np.testing.assert_allclose(np.linalg.norm(y[0], axis=1), 1, atol=1e-5)
    # With what all of them share, many pairs of patients pass for copies.
    assert (x[0][10:] @ x[1].T >= ALIKE).mean() > 0.2


@pytest.mark.parametrize("copies", [20, 40])
def test_many_copies_of_one_film_are_all_found(copies: int) -> None:
    """Together they are no part of what all films share."""
    films = patients(300)
    train, test = films[:200], films[200:].copy()
    for row in range(copies):
        test[row] = corrupt(train[7], "noise", 1, np.random.default_rng(row))
    x = [cells(test), cells(train)]
    common = Shared.of(np.concatenate(x))
    assert near(*(common.own(one) for one in x)).tolist() == [[row, 7] for row in range(copies)]


def test_films_of_one_anatomy_are_not_taken_for_copies_of_one_film() -> None:
    films = patients(300, own=1)
    x = cells(films)
    assert len(distinct(x, least=COPIED)) < 50  # too few to learn from what they share
    y = Shared.of(x).own(x)
    assert len(near(y, y)) == 300


def test_what_is_distinct_is_that_of_a_loop_in_any_blocks() -> None:
    rows = np.random.default_rng(4).normal(size=(1300, 4))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    slow: list[int] = []
    for row in range(len(rows)):
        if all(rows[row] @ rows[other] < 0.98 for other in slow):
            slow.append(row)
    assert 512 < len(slow) < 1200
    assert distinct(rows, least=0.98).tolist() == slow


def test_of_a_large_set_a_part_is_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "MOST", 100)
    x = np.random.default_rng(0).normal(size=(400, 1024)).astype(np.float32)
    assert Shared.of(x / np.linalg.norm(x, axis=1, keepdims=True)).parts.shape == (1024, 10)


def test_what_is_shared_are_the_first_principal_components() -> None:
    rng = np.random.default_rng(0)
    weight = np.concatenate([np.linspace(9, 5, 20), np.full(1004, 0.5)])
    x = (rng.normal(size=(200, 1024)) * weight).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    common = Shared.of(x)
    first = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:20]
    np.testing.assert_allclose(common.parts @ common.parts.T, first.T @ first, atol=1e-3)
    assert Shared.of(x[:9]).parts.shape == (1024, 0)


def test_pairs_are_those_of_a_loop_in_any_blocks() -> None:
    rng = np.random.default_rng(3)
    a, b = (
        common / np.linalg.norm(common, axis=1, keepdims=True)
        for common in rng.normal(size=(2, 700, 3))
    )
    slow = [[i, j] for i in range(700) for j in range(700) if a[i] @ b[j] >= 0.999]
    assert slow
    assert near(a, b, least=0.999).tolist() == slow


def test_a_picture_of_one_grey_is_like_no_other() -> None:
    films = np.concatenate([patients(40), np.full((2, 64, 64), 7, np.uint8)])
    x = cells(films)
    y = Shared.of(x).own(x)
    assert not y[40:].any()
    assert near(y[:0], y).shape == (0, 2)


def test_words_and_digests_on_two_sides() -> None:
    assert same_texts([], ["a"]).tolist() == []
    told = "FINDINGS: Clear lungs. IMPRESSION: Normal."
    asked = [f"INDICATION: Cough. {told}", "INDICATION: Cough. FINDINGS: A mass."]
    assert same_texts(asked, [f"INDICATION: Fever, 45 years. {told}"]).tolist() == [True, False]
    count, share = share_known([], ["a"])
    assert count == 0
    assert np.isnan(share)


def read(folder: Path, *names: str, size: int = 128) -> tuple[np.ndarray, pd.DataFrame]:
    """Every fourth picture of a set, and those whose file names hold one of `names`."""
    table = pd.read_csv(folder / "manifest.csv")
    kept = np.arange(len(table)) % 4 == 0
    kept |= table["image"].map(lambda file: any(name in file for name in names)).to_numpy(bool)
    table, found = table[kept].reset_index(drop=True), []
    for name in table["image"]:
        with Image.open(folder / name) as film:
            film.draft("L", (size, size))
            small = film.convert("L").resize((size, size), Image.Resampling.BOX)
        found.append(np.asarray(small))
    return np.stack(found), table


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "pair", "most"),
    [
        ("covid_chestxray", ("353889E0", "case_72_RX"), 4),  # one picture under two patients' ids
        ("busi_breast_ultrasound", ("benign_433", "malignant_145"), 40),  # and under two labels
        ("nih_cxr14_sample", (), 0),  # a film a patient
    ],
)
def test_real_copies_are_found_and_few_others(
    shared_data: Path, name: str, pair: tuple[str, ...], most: int
) -> None:
    films, table = read(shared_data / name, *pair)
    x = cells(films)
    y = Shared.of(x).own(x)
    who = table["patient_id"].to_numpy(str)
    pairs = [(i, j) for i, j in near(y, y).tolist() if i < j and who[i] != who[j]]
    known = [int(np.flatnonzero([one in file for file in table["image"]])[0]) for one in pair]
    assert not known or tuple(sorted(known)) in pairs
    assert len(pairs) <= most
