"""Volumes in a data set: where things lie, what is cached, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing
from asclip.phantom import dicom, patients
from asclip.phantom.ct import Volume
from scans import SHAPE, SPACING, scans

HOW = Preprocessing((16, 24, 28), window=(-1000.0, 400.0), spacing=(5.0, 3.0, 2.0))
# Slices (feet first), rows (front first), columns (patient's right first): of the left, back, top.
LESION = np.s_[11:14, 17:21, 19:24]


def block() -> Volume:
    """Air and one dense cuboid; (5, 3, 2) mm, its centre at the origin."""
    hu = np.full((16, 24, 28), -1000, np.int16)
    hu[LESION] = 400
    affine = np.diag([-2.0, -3.0, 5.0, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(hu.shape[::-1]) - 1) / 2)
    return Volume(hu, affine, (5.0, 3.0, 2.0), ())


def orders(folder: Path) -> list[str]:
    """The same volume as a DICOM series and as NIfTI with its axes turned and swapped."""
    volume = block()
    dicom.write_ct(folder / "series", volume, patients.visits(0, 0)[0])
    plain = nibabel.Nifti1Image(volume.hu.transpose(2, 1, 0), volume.affine)
    names = ["series"]
    for code in ("LPS", "RAS", "SAR", "IPR", "PLI"):
        turn = nibabel.orientations.ornt_transform(
            nibabel.io_orientation(plain.affine), nibabel.orientations.axcodes2ornt(code)
        )
        nibabel.save(plain.as_reoriented(turn), folder / f"{code}.nii.gz")
        names.append(f"{code}.nii.gz")
    return names


def ingested(folder: Path, names: list[str], how: Preprocessing, out: str = "out") -> Dataset:
    rows = [{"image": name, "text": f"Volume {name}.", "patient": name} for name in names]
    pd.DataFrame(rows).to_csv(folder / "t.csv", index=False)
    return ingest(Table(folder / "t.csv"), folder / out, how, workers=0)


def test_a_lesion_on_the_left_stays_there_however_the_file_is_stored(tmp_path: Path) -> None:
    data = ingested(tmp_path, orders(tmp_path), HOW)
    expected = np.zeros((16, 24, 28), np.uint8)
    expected[LESION] = 255
    assert len(data) == 6
    for slots in data.image_rows():
        np.testing.assert_array_equal(data.pixels[slots[0]], expected)


def test_spacing_is_that_of_the_preprocessing(tmp_path: Path) -> None:
    coarse = replace(HOW, size=(10, 12, 14), spacing=(10.0, 6.0, 4.0))
    data = ingested(tmp_path, orders(tmp_path)[:2], coarse)
    for item in data.pixels.astype(float):
        places = np.indices(item.shape).reshape(3, -1) @ (item.ravel() / item.sum())
        middle = (places - (np.array(item.shape) - 1) / 2) * coarse.spacing  # mm from the centre
        np.testing.assert_allclose(middle, [4.5 * 5, 7 * 3, 7.5 * 2], atol=0.5)
        litres = item.sum() / 255 * 10 * 6 * 4
        assert litres == pytest.approx(3 * 4 * 5 * 30, rel=0.1)
    assert data.images["spacing"][1].tolist() == pytest.approx([2, 3, 5])


def test_what_is_cached_is_a_memory_map_that_a_second_run_leaves(tmp_path: Path) -> None:
    table = scans(tmp_path, studies=4)
    how = Preprocessing(SHAPE, window=(-1000.0, 400.0), spacing=SPACING)
    data = ingest(Table(table), tmp_path / "out", how, workers=0)
    assert isinstance(data.pixels, np.memmap)
    assert (data.pixels.dtype, data.pixels.shape) == (np.uint8, (4, *SHAPE))
    assert not data.pixels.flags.writeable
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    again = ingest(Table(table), tmp_path / "out", how, workers=0)
    assert again.hash == data.hash
    assert (tmp_path / "out" / "journal.jsonl").read_bytes() == before["journal.jsonl"]
    assert (tmp_path / "out" / "pixels.u8").read_bytes() == before["pixels.u8"]
    assert again.preprocessing == how


def test_a_picture_among_volumes_is_left_out_with_the_reason(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "film.png")
    data = ingested(tmp_path, [*orders(tmp_path)[:2], "film.png"], HOW)
    assert len(data) == 2
    assert "takes volumes and the file is a picture" in (data.root / "quarantine.csv").read_text()


@pytest.mark.realdata
def test_real_volumes_become_items(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "volumes_3d"
    names = pd.read_csv(folder / "manifest.csv")["image"].tolist()
    rows = [{"image": name, "text": f"Scan {name}.", "patient": name} for name in names]
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    how = Preprocessing((32, 64, 64), window="percentile", spacing=(8.0, 4.0, 4.0))
    data = ingest(Table(tmp_path / "t.csv", root=folder), tmp_path / "out", how, workers=0)
    assert len(data) == len(names)
    assert data.pixels.shape == (len(names), 32, 64, 64)
    assert not data.images["blank"].any()
    assert all(np.ptp(item) > 100 for item in data.pixels)
