"""`data.further` as a part of batches, on studies written down here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from asclip.data.batches import Batches, Features, Sampling
from asclip.data.dataset import Dataset
from asclip.data.entities import Marks
from asclip.data.facts import Knowledge
from asclip.data.further import Further, prior_studies, second_texts
from asclip.data.texts import pieces
from asclip.errors import DataError, ModelError
from asclip.towers.image import ImageConfig, image_tower
from asclip.towers.tokenizer import Tokenizer
from asclip.types import Batch, Encoded, Tokens
from clinic import clinic

STREAMS = ("view", "prior", "second", "masked", "gapped")
FACTS = ("has_view", "has_prior", "has_second", "patches", "holes", "words", "gaps")
ALL = frozenset({f"{s}.pooled" for s in STREAMS} | {f"facts.{f}" for f in FACTS})
GRID = (4, 2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Sixteen studies of eight patients; every third has two images, one has no text."""
    told = [
        f"FINDINGS: There is a nodule of {k} mm. The heart is large. IMPRESSION: Nodule {k}."
        if k % 2
        else f"No effusion on film {k}."
        for k in range(15)
    ]
    studies = [
        {"text": text, "patient": f"P{k // 2}", "meta:order": k, "images": 1 + (k % 3 == 0)}
        for k, text in enumerate([*told, ""])
    ]
    return clinic(tmp_path_factory.mktemp("clinic"), studies)


def make(
    data: Dataset,
    needs: frozenset[str] = ALL,
    *,
    share: tuple[int, int] = (0, 1),
    features: Features | None = None,
    unpaired: list[str] | None = None,
    size: int = 8,
    **fields: Any,
) -> Batches:
    part = data.split("train")
    two = any(need.startswith("second") for need in needs)
    found = pieces(part.texts(), loose=unpaired, findings_only=two)
    tokenizer = Tokenizer.train([*found.texts, *(f"{text} again" for text in found.texts)])
    known = Knowledge.learn(part, found, needs)
    studies, texts = known.of(part, found)
    whole = [found.texts[w] for w in found.whole if w >= 0]
    further = Further(
        needs,
        studies,
        texts,
        second=second_texts(part, found),
        prior=prior_studies(part) if "order" in part.meta_names else None,
        grid=GRID,
        mask=tokenizer.mask,
        longest=tokenizer.encode(whole).ids.shape[1],
    )
    how = Sampling(texts="report", augment=0.5, unpaired=unpaired is not None)
    return Batches(
        part,
        found,
        tokenizer.encode,
        size=size,
        seed=3,
        sampling=how,
        features=features,
        share=share,
        further=replace(further, **fields),
    )


def image(batch: Batch, name: str = "image") -> torch.Tensor:
    found = batch.images[name]
    assert isinstance(found, torch.Tensor)
    return found


def tokens(batch: Batch, name: str) -> Tokens:
    found = batch.texts[name]
    assert isinstance(found, Tokens)
    return found


def rows_of(found: Tokens) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask with a row a study."""
    if found.rows is None:
        return found.ids, found.mask
    return found.ids[found.rows], found.mask[found.rows]


def test_what_a_method_needs_besides_changes_neither_images_nor_texts(data: Dataset) -> None:
    # The second stream cuts a report otherwise; that is what it asks for.
    needs = frozenset(n for n in ALL if "second" not in n)
    for step in range(4):
        plain, more = make(data, frozenset()).at(step), make(data, needs).at(step)
        assert torch.equal(image(plain), image(more))
        assert torch.equal(tokens(plain, "text").ids, tokens(more, "text").ids)
        for name in ("study", "text", "owner"):
            assert torch.equal(plain.facts.targets[name], more.facts.targets[name])


def test_a_plain_batch_has_nothing_more(data: Dataset) -> None:
    batch = make(data, frozenset()).at(0)
    assert set(batch.images) == {"image"}
    assert set(batch.texts) == {"text"}
    assert set(batch.facts.targets) == {"study", "text", "owner"}


def test_two_processes_see_together_what_one_sees(data: Dataset) -> None:
    whole = make(data).at(1)
    halves = [make(data, share=share).at(1) for share in ((0, 2), (1, 2))]
    for name in whole.images:
        joined = torch.cat([image(half, name) for half in halves])
        torch.testing.assert_close(joined, image(whole, name))
    for name in set(whole.facts.targets):
        joined = torch.cat([half.facts.targets[name] for half in halves])
        assert torch.equal(joined, whole.facts.targets[name]), name
    for name in ("second", "gapped"):
        expected, mask = rows_of(tokens(whole, name))
        start = 0
        for half in halves:
            ids, real = rows_of(tokens(half, name))
            stop, width = start + len(ids), min(ids.shape[1], expected.shape[1])
            assert torch.equal(ids[:, :width], expected[start:stop, :width])
            assert torch.equal(real[:, :width], mask[start:stop, :width])
            start = stop
        assert start == len(expected)


def test_a_view_is_another_image_of_the_study_or_stands_in(data: Dataset) -> None:
    batches = make(data, frozenset({"view.pooled", "facts.has_view"}))
    batches.jitter = None
    for step in range(4):
        batch = batches.at(step)
        for row, study in enumerate(batch.facts.targets["study"].tolist()):
            slots = batches.slots[study]
            several = len(slots) > 1
            assert bool(batch.facts.targets["has_view"][row]) == several
            assert torch.equal(image(batch, "view")[row], image(batch)[row]) != several
            known = batches.images(slots, None)
            assert any(torch.equal(image(batch, "view")[row], one) for one in known)


def test_a_view_of_one_image_is_it_in_another_pose(data: Dataset) -> None:
    batch = make(data, frozenset({"view.pooled", "facts.has_view"})).at(0)
    alone = ~batch.facts.targets["has_view"]
    assert (image(batch, "view")[alone] != image(batch)[alone]).flatten(1).any(1).all()


def test_a_prior_is_an_image_of_the_study_before(data: Dataset) -> None:
    batches = make(data, frozenset({"prior.pooled", "facts.has_prior"}))
    batches.jitter = None
    batch = batches.at(0)
    for row, study in enumerate(batch.facts.targets["study"].tolist()):
        assert bool(batch.facts.targets["has_prior"][row]) == (study % 2 == 1)
        known = batches.images(batches.slots[study - study % 2], None)
        assert any(torch.equal(image(batch, "prior")[row], one) for one in known)


def test_a_second_text_is_the_impression_and_never_the_text_itself(data: Dataset) -> None:
    batches = make(data)
    batch = batches.at(0)
    ids, mask = rows_of(tokens(batch, "second"))
    for row, study in enumerate(batch.facts.targets["study"].tolist()):
        odd = study % 2 == 1
        assert bool(batch.facts.targets["has_second"][row]) == odd
        if odd:
            number = batches.pieces.texts.index(f"Nodule {study}.")
            start, stop = batches.starts[number : number + 2]
            assert np.array_equal(ids[row][mask[row]].numpy(), batches.ids[start:stop])
            assert batch.facts.targets["second"][row] == number


def test_second_texts_in_their_order_of_rank(tmp_path: Path) -> None:
    told = [
        "FINDINGS: Clear lungs. IMPRESSION: normal study",
        "Normal study. No effusion.",
        "IMPRESSION: Normal study.",
        "One sentence only.",
        "",
    ]
    title = ["A title.", "A title.", "", "", ""]
    rows = [{"text": t, "text:title": n} for t, n in zip(told, title, strict=True)]
    part = clinic(tmp_path, rows)
    found = pieces(part.texts(), {"title": part.texts("title")}, findings_only=True)
    said = [[found.texts[k].lower() for k in row] for row in second_texts(part, found)]
    assert said == [["normal study"], ["a title."], [], [], []]
    alone = pieces(part.texts(), findings_only=True)
    numbers = second_texts(part, alone)
    assert {alone.texts[k].lower() for k in numbers[1]} == {"normal study", "no effusion."}
    assert all(alone.whole[row] not in numbers[row] for row in range(len(part)))


def test_priors_by_number_with_ties_and_unknown_times(tmp_path: Path) -> None:
    order = [2, 1, 2, 3, None, 5, 5]
    patients = ["A", "A", "A", "A", "A", "B", "B"]
    rows = [
        {"text": f"Film {k}.", "patient": p, "meta:order": t}
        for k, (t, p) in enumerate(zip(order, patients, strict=True))
    ]
    part = clinic(tmp_path, rows)
    assert prior_studies(part).tolist() == [1, -1, 1, 2, -1, -1, -1]


def test_priors_by_date_and_by_a_name_that_is_given(tmp_path: Path) -> None:
    days = ["2020-03-01", "2019-12-31", "", "2020-02-30", "2021-01-01"]
    rows = [
        {"text": f"Film {k}.", "patient": "A", "meta:study_date": day, "meta:round": -k}
        for k, day in enumerate(days)
    ]
    part = clinic(tmp_path, rows)
    assert prior_studies(part).tolist() == [1, -1, -1, -1, 0]  # the 30th of February is no day
    assert prior_studies(part, "round").tolist() == [1, 2, 3, 4, -1]
    with pytest.raises(DataError, match=r"has no 'meta:when'.*--map meta=when"):
        prior_studies(part, "when")


def test_priors_without_an_order_are_refused(tmp_path: Path) -> None:
    part = clinic(tmp_path, [{"text": f"Film {k}.", "patient": "A"} for k in range(3)])
    with pytest.raises(DataError, match="no fact tells their order"):
        prior_studies(part)


def test_patches_are_the_image_and_holes_are_grey(data: Dataset) -> None:
    batch = make(data).at(0)
    whole, masked = image(batch), image(batch, "masked")
    patches, holes = batch.facts.targets["patches"], batch.facts.targets["holes"]
    (rows, columns), count = GRID, GRID[0] * GRID[1]
    high, wide = 16 // rows, 16 // columns
    assert patches.shape == (8, count, high * wide)
    assert (holes.sum(1) == round(0.75 * count)).all()
    assert len({tuple(row) for row in holes.tolist()}) > 1
    built = torch.zeros_like(whole)
    for n in range(count):
        r, c = divmod(n, columns)
        area = np.s_[:, :, r * high : (r + 1) * high, c * wide : (c + 1) * wide]
        built[area] = patches[:, n].view(8, 1, high, wide)
        hidden = holes[:, n]
        assert not masked[area][hidden].any()
        assert torch.equal(masked[area][~hidden], whole[area][~hidden])
    assert torch.equal(built, whole)


@pytest.mark.parametrize(("share", "hidden"), [(0.0, 0), (0.5, 4), (1.0, 8)])
def test_the_share_of_holes_is_the_one_asked_for(data: Dataset, share: float, hidden: int) -> None:
    batch = make(data, holes=share).at(0)
    assert (batch.facts.targets["holes"].sum(1) == hidden).all()


def test_patches_stand_in_the_order_of_the_towers_local_vectors() -> None:
    tower = image_tower(ImageConfig("tiny", width=16, size=(64, 96))).eval()
    rows, columns = tower.grid
    assert rows != columns
    plain = torch.randn(1, 1, 64, 96, generator=torch.Generator().manual_seed(0))
    further = Further(frozenset({"facts.holes"}), grid=tower.grid)
    with torch.no_grad():
        before = tower.raw(plain).local
        for n in range(rows * columns):
            holes = torch.arange(rows * columns)[None] == n
            masked, _ = further._masked(plain, holes)
            after = tower.raw(masked).local
            assert before is not None
            assert after is not None
            moved = (after - before).norm(dim=-1)[0]
            assert moved[n] > 0.99 * moved.max()  # neighbours may share a coarser cell


def test_patches_of_a_volume_are_its_own() -> None:
    volumes = torch.rand(2, 1, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    holes = torch.rand(2, 12, generator=torch.Generator().manual_seed(1)) < 0.5
    masked, facts = Further(frozenset(), grid=(2, 3, 2))._masked(volumes, holes)
    assert facts["patches"].shape == (2, 12, 2 * 2 * 4)
    for n, (z, y, x) in enumerate(np.ndindex(2, 3, 2)):
        cell = np.s_[:, 0, 2 * z : 2 * z + 2, 2 * y : 2 * y + 2, 4 * x : 4 * x + 4]
        assert torch.equal(facts["patches"][:, n], volumes[cell].flatten(1))
        assert torch.equal(masked[cell], volumes[cell] * ~holes[:, n, None, None, None])


def test_an_image_that_patches_do_not_fill_is_refused(data: Dataset) -> None:
    with pytest.raises(ModelError, match=r"multiple of the tower's grid 3 x 3 .*got \(16, 16\)"):
        make(data, grid=(3, 3)).at(0)


def test_gaps_hide_words_behind_the_mask_token(data: Dataset) -> None:
    batches = make(data, gaps=0.5)
    hidden = seen = 0
    for step in range(4):
        batch = batches.at(step % batches.per_epoch)
        gapped, facts = tokens(batch, "gapped"), batch.facts.targets
        words, gaps = facts["words"], facts["gaps"]
        assert gapped.ids.shape == gapped.mask.shape == words.shape == gaps.shape
        assert words.shape[1] == batches.further.longest
        assert (gapped.ids[gaps] == batches.further.mask).all()
        assert torch.equal(gapped.ids[~gaps], words[~gaps])
        assert not gaps[~gapped.mask].any()
        assert not words[~gapped.mask].any()
        hidden, seen = hidden + int(gaps.sum()), seen + int(gapped.mask.sum())
        for row, study in enumerate(facts["study"].tolist()):
            number = int(batches.pieces.whole[study])
            start, stop = batches.starts[number : number + 2]
            assert np.array_equal(words[row][gapped.mask[row]].numpy(), batches.ids[start:stop])
    assert 0.4 < hidden / seen < 0.6


def test_gaps_by_marks_hide_whole_words_with_their_chance(data: Dataset) -> None:
    def known(number: int) -> Marks:
        chance = np.array([1.0, 1.0, 0.0, 0.5, 0.5] + [0.0] * 60, np.float32)
        first = np.array([0, 1, 2, 3, 3, *range(5, 65)])
        return Marks(chance, first, np.full(65, 0.5 + number, np.float32))

    batches = make(data, marks=known)
    fate = []
    for step in range(2 * batches.per_epoch):
        targets = batches.at(step).facts.targets
        gaps, weight = targets["gaps"], targets["weight"]
        some = tokens(batches.at(step), "gapped").mask[:, :5].all(1)
        assert gaps[some, :2].all()
        assert not gaps[:, 2].any()
        assert not gaps[:, 5:].any()
        assert torch.equal(gaps[some, 3], gaps[some, 4])
        fate += gaps[some, 3].tolist()
        numbers = batches.pieces.whole[targets["study"]]
        expected = np.where(numbers >= 0, numbers + 0.5, 0.0)
        np.testing.assert_allclose(weight, np.repeat(expected[:, None], gaps.shape[1], 1))
    assert 0 < sum(fate) < len(fate)


def test_a_study_without_a_text_has_no_words(data: Dataset) -> None:
    batches = make(data, unpaired=["A text of nobody, which is longer than any other one here."])
    batch = batches.of(np.array([15, 0]))
    assert not batch.facts.targets["words"][0].any()
    assert not batch.facts.targets["gaps"][0].any()
    assert batch.facts.targets["words"][1].any()
    assert batch.facts.targets["has_second"].tolist() == [False, False]


def test_unpaired_texts_come_in_place_of_missing_ones(data: Dataset) -> None:
    loose = ["There is a mass.", "There is a fracture."]
    batches = make(data, frozenset(), unpaired=loose, size=16)
    said = set()
    for step in range(12):
        batch = batches.at(step)
        targets = batch.facts.targets
        assert sorted(targets["study"].tolist()) == list(range(16))
        place = targets["study"].tolist().index(15)
        assert targets["owner"][place] == -1
        others = [k for k in range(16) if k != place]
        assert targets["owner"][others].tolist() == targets["study"][others].tolist()
        said.add(batches.pieces.texts[int(targets["text"][place])])
    assert said == set(loose)
    assert 15 not in make(data, frozenset()).rows


def test_locked_features_cannot_be_masked_or_read(data: Dataset) -> None:
    slots = np.random.default_rng(0).normal(size=(len(data.pixels), 4)).astype(np.float32)
    masked = make(data, frozenset({"masked.pooled"}), features=Features(image=slots))
    with pytest.raises(ModelError, match="a locked tower has only their features"):
        masked.at(0)
    texts = np.zeros((100, 4), np.float32)
    gapped = make(data, frozenset({"gapped.pooled"}), features=Features(text=texts))
    with pytest.raises(ModelError, match="a locked tower has only its features"):
        gapped.at(0)


def test_further_streams_of_a_locked_tower_are_its_features(data: Dataset) -> None:
    features = np.arange(len(data.pixels) * 4, dtype=np.float32).reshape(-1, 4)
    needs = frozenset({"view.pooled", "prior.pooled", "facts.has_view", "facts.has_prior"})
    batches = make(data, needs, features=Features(image=features))
    batch = batches.at(0)
    for name, shift in (("view", 0), ("prior", 1)):
        found = batch.images[name]
        assert isinstance(found, Encoded)
        for row, study in enumerate(batch.facts.targets["study"].tolist()):
            source = study - shift * (study % 2)
            assert any(
                torch.equal(found.pooled[row], torch.from_numpy(features[s]))
                for s in batches.slots[source]
            )


def test_tables_of_facts_follow_their_studies_and_texts(data: Dataset) -> None:
    batches = make(data, frozenset({"facts.findings", "facts.stated"}))
    batch = batches.at(0)
    targets = batch.facts.targets
    for name, key in (("findings", "study"), ("stated", "text")):
        tables = {**batches.further.studies, **batches.further.texts}
        expected = tables[name][targets[key].numpy()]
        np.testing.assert_equal(targets[name].numpy(), expected)
    assert np.isfinite(targets["findings"].numpy()).any()
