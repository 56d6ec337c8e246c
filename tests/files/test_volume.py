from __future__ import annotations

import bz2
import gzip
from itertools import permutations, product

import numpy as np
import pytest

from asclip.errors import FileError
from asclip.files import read

RNG = np.random.default_rng(5)
BLOCK = RNG.integers(-1000, 2000, (6, 7, 8)).astype(np.int16)
AFFINE = np.array([[-1.5, 0.1, 0, 10], [0, 2, 0.2, -20], [0.1, 0, 3, 30], [0, 0, 0, 1.0]])


def test_nifti_values_affine_and_scaling(tmp_path):
    import nibabel

    made = nibabel.Nifti1Image(BLOCK, AFFINE)
    made.header.set_slope_inter(2.0, -5.0)
    made.header["cal_min"], made.header["cal_max"] = -100, 300
    nibabel.save(made, tmp_path / "x.nii.gz")
    image = read(tmp_path / "x.nii.gz")
    np.testing.assert_array_equal(image.pixels, nibabel.load(tmp_path / "x.nii.gz").get_fdata())
    assert image.pixels.dtype == np.float32
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)
    np.testing.assert_allclose(image.spacing, np.linalg.norm(AFFINE[:3, :3], axis=0), atol=1e-5)
    assert image.windows == ((-100.0, 300.0),)


@pytest.mark.parametrize("kind", ["Nifti1Image", "Nifti2Image"])
def test_nifti_content_under_a_wrong_name_in_metres(tmp_path, kind):
    import nibabel

    made = getattr(nibabel, kind)(BLOCK, np.diag([0.001, 0.002, 0.003, 1]))
    made.header.set_xyzt_units("meter")
    (tmp_path / "scan.png").write_bytes(made.to_bytes())
    np.testing.assert_allclose(read(tmp_path / "scan.png").spacing, (1, 2, 3), rtol=1e-5)


def test_nifti_fourth_axis(tmp_path):
    import nibabel

    films = np.stack([BLOCK, BLOCK + 1, BLOCK + 2], axis=-1)
    nibabel.save(nibabel.Nifti1Image(films, AFFINE), tmp_path / "x.nii")
    np.testing.assert_array_equal(read(tmp_path / "x.nii").pixels, BLOCK)
    np.testing.assert_array_equal(read(tmp_path / "x.nii", index=2).pixels, BLOCK + 2)
    with pytest.raises(FileError, match="3 volumes"):
        read(tmp_path / "x.nii", index=3)


def test_damaged_nifti(tmp_path):
    import nibabel

    nibabel.save(nibabel.Nifti1Image(BLOCK, AFFINE), tmp_path / "x.nii.gz")
    content = (tmp_path / "x.nii.gz").read_bytes()
    (tmp_path / "half.nii.gz").write_bytes(content[: len(content) // 2])
    (tmp_path / "short.nii").write_bytes(gzip.decompress(content)[:600])
    for name in ("half.nii.gz", "short.nii"):
        with pytest.raises(FileError, match="damaged or truncated"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (-1, -1, 1)),
        ("right-anterior-superior", (1, 1, 1)),
        ("left-anterior-superior", (-1, 1, 1)),
    ],
)
@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
def test_nrrd_spaces(tmp_path, space, signs, encoding):
    import nrrd

    turn = np.diag(signs) @ AFFINE[:3]
    header = {
        "space": space,
        "space directions": turn[:, :3].T,
        "space origin": turn[:, 3],
        "encoding": encoding,
    }
    nrrd.write(str(tmp_path / "x.nrrd"), BLOCK, header)
    image = read(tmp_path / "x.nrrd")
    np.testing.assert_array_equal(image.pixels, BLOCK)
    assert image.pixels.dtype == np.int16
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-9)


def test_nrrd_refusals(tmp_path):
    import nrrd

    nrrd.write(str(tmp_path / "x.nrrd"), BLOCK, {"spacings": [1, 1, 1]})
    with pytest.raises(FileError, match="must name its space"):
        read(tmp_path / "x.nrrd")
    content = (tmp_path / "x.nrrd").read_bytes()
    (tmp_path / "half.nrrd").write_bytes(content[: len(content) // 2])
    with pytest.raises(FileError, match="damaged or truncated"):
        read(tmp_path / "half.nrrd")
    text = "NRRD0004\ntype: short\ndimension: 1\nsizes: 4\nencoding: raw\ndata file: secret.raw\n\n"
    (tmp_path / "away.nrrd").write_text(text)
    with pytest.raises(FileError, match="data in another file"):
        read(tmp_path / "away.nrrd")
    (tmp_path / "x.bz2").write_bytes(bz2.compress(content))
    with pytest.raises(FileError, match="unknown kind"):
        read(tmp_path / "x.bz2")


def turned_copies(block: np.ndarray, affine: np.ndarray):
    """All 48 ways to store the same voxels at the same places: (block, affine)."""
    for axes, flips in product(permutations(range(3)), product((False, True), repeat=3)):
        stored, matrix = block.transpose(axes), affine.copy()
        matrix[:3, :3] = affine[:3, list(axes)]
        for axis, flip in enumerate(flips):
            if flip:
                stored = np.flip(stored, axis)
                matrix[:3, 3] += matrix[:3, axis] * (stored.shape[axis] - 1)
                matrix[:3, axis] *= -1
        yield np.ascontiguousarray(stored), matrix


@pytest.mark.parametrize("kind", ["nii", "nrrd"])
def test_left_stays_left_for_every_axis_order(tmp_path, kind):
    import nibabel
    import nrrd

    from asclip.files.preprocessing import Preprocessing

    # Indices of this array are x to the right, y to anterior, z to superior (RAS+).
    body = np.zeros((20, 24, 16), np.int16)
    body[2:5, 10:14, 6:9] = 1000  # patient left
    body[9:12, 19:22, 6:9] = 600  # anterior
    body[9:12, 10:14, 12:15] = 300  # superior
    affine = np.array([[2, 0.1, 0, -20], [-0.1, 2, 0, -25], [0, 0, 3, 5], [0, 0, 0, 1.0]])
    makers = {
        (8, 24, 20): Preprocessing((8, 24, 20), window=(0, 1000), spacing=(6, 2, 2)),
        (16, 18): Preprocessing((16, 18), window="percentile", slice="40% axial"),
        (18, 16): Preprocessing((18, 16), window="full", slice="middle coronal"),
    }
    items: dict[tuple[int, ...], list[np.ndarray]] = {shape: [] for shape in makers}
    for stored, matrix in turned_copies(body, affine):
        path = tmp_path / f"x.{kind}"
        if kind == "nii":
            path.write_bytes(nibabel.Nifti1Image(stored, matrix).to_bytes())
        else:
            lps = np.diag([-1, -1, 1]) @ matrix[:3]
            space = {"space": "LPS", "space directions": lps[:, :3].T, "space origin": lps[:, 3]}
            nrrd.write(str(path), stored, space)
        image = read(path)
        for shape, maker in makers.items():
            items[shape].append(maker(image))
    for same in items.values():
        assert len(same) == 48
        assert all(np.array_equal(item, same[0]) for item in same)
    volume = items[8, 24, 20][0]
    z, h, w = np.unravel_index(volume.argmax(), volume.shape)
    assert w >= 15  # W runs from the patient's right to left
    anterior = np.argwhere(np.abs(volume.astype(int) - 153) < 20).mean(axis=0)
    superior = np.argwhere(np.abs(volume.astype(int) - 76) < 8)
    assert anterior[1] < h
    assert superior[:, 0].max() > z
    coronal = items[18, 16][0]
    assert coronal.argmax() % 16 >= 10
    assert np.argwhere(coronal > 0)[:, 0].min() < 7  # superior is on top


@pytest.mark.realdata
def test_every_volume_equals_nibabel_and_pynrrd(shared):
    import nibabel
    import nrrd

    for path in sorted(shared("volumes_3d").iterdir()):
        if path.name.endswith(".nii.gz"):
            image, theirs = read(path), nibabel.load(path)
            np.testing.assert_array_equal(image.pixels, theirs.get_fdata(dtype=np.float32))
            np.testing.assert_allclose(image.affine, theirs.affine)
        elif path.suffix == ".nrrd":
            image, (data, header) = read(path), nrrd.read(str(path))
            np.testing.assert_array_equal(image.pixels, data)
            origin = np.asarray(header["space origin"]) * [-1, -1, 1]
            np.testing.assert_allclose(image.affine[:3, 3], origin)
