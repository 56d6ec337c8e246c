from __future__ import annotations

import numpy as np
import pytest

from asclip.errors import FileError
from asclip.files import read

RNG = np.random.default_rng(11)
BLOCK = RNG.integers(0, 4096, (7, 10, 12)).astype(np.uint16)
AXIAL = np.array([-50.0, -60.0, 100.0]) + np.arange(7)[:, None] * [0, 0, 2.5]


def ras(lps: np.ndarray) -> np.ndarray:
    return np.asarray(lps) * [-1, -1, 1]


def at(affine: np.ndarray, *voxel: float) -> np.ndarray:
    return affine[:3, :3] @ voxel + affine[:3, 3]


def test_shuffled_files_give_ordered_slices_and_affine(save_series):
    image = read(save_series(BLOCK, AXIAL, RescaleIntercept=-1024, RescaleSlope=1))
    assert image.is_volume
    assert image.pixels.shape == (10, 12, 7)
    np.testing.assert_array_equal(image.pixels, BLOCK.transpose(1, 2, 0) - 1024.0)
    np.testing.assert_allclose(image.spacing, (0.8, 0.5, 2.5))
    np.testing.assert_allclose(at(image.affine, 0, 0, 0), ras(AXIAL[0]))
    np.testing.assert_allclose(at(image.affine, 0, 0, 6), ras(AXIAL[6]))
    # PS3.3 C.7.6.2.1.1: rows follow one another along y by the first PixelSpacing.
    np.testing.assert_allclose(at(image.affine, 9, 0, 0), ras(AXIAL[0] + [0, 9 * 0.8, 0]))
    np.testing.assert_allclose(at(image.affine, 0, 11, 0), ras(AXIAL[0] + [11 * 0.5, 0, 0]))
    assert image.full_range == (-1024.0, 65535.0 - 1024)


def test_oblique_series_and_gantry_tilt(save_series):
    from scipy.spatial.transform import Rotation

    turned = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()
    row, column, normal = turned.T
    places = np.array([5.0, 6.0, 7.0]) + np.arange(7)[:, None] * normal * 1.7
    image = read(save_series(BLOCK, places, (*row, *column)))
    np.testing.assert_array_equal(image.pixels, BLOCK.transpose(1, 2, 0))
    wanted = places[6] + 3 * 0.8 * column + 4 * 0.5 * row
    np.testing.assert_allclose(at(image.affine, 3, 4, 6), ras(wanted), atol=1e-5)
    tilted = AXIAL + np.arange(7)[:, None] * [0, 0.6, 0]
    sheared = read(save_series(BLOCK, tilted, name="tilt"))
    np.testing.assert_allclose(at(sheared.affine, 0, 0, 6), ras(tilted[6]), atol=1e-6)


def test_slices_stored_downwards_are_the_same_volume(save_series):
    up = read(save_series(BLOCK, AXIAL))
    down = read(save_series(BLOCK[::-1], AXIAL[::-1], name="down"))
    np.testing.assert_array_equal(up.pixels, down.pixels)
    np.testing.assert_array_equal(up.affine, down.affine)


def test_missing_and_repeated_slices_are_named(save_series):
    keep = [0, 1, 2, 4, 5, 6]
    with pytest.raises(FileError, match=r"slice 3 and 4 of 6.*5\.00 mm where 2\.50 .*1 missing"):
        read(save_series(BLOCK[keep], AXIAL[keep]))
    with pytest.raises(FileError, match="1 of 7 slices lie at the position of another"):
        read(save_series(BLOCK, AXIAL[[0, 1, 2, 2, 3, 4, 5]], name="twins"))


def test_mixed_shapes_orientations_and_missing_positions(save_series):
    folder = save_series(BLOCK[:4], AXIAL[:4])
    save_series(BLOCK[:1, :5], AXIAL[4:5] + 1, name="series")
    with pytest.raises(FileError, match="one shape"):
        read(folder)
    folder = save_series(BLOCK[:4], AXIAL[:4], name="turned")
    (folder / "1.2.3_000").unlink()
    made = save_series(BLOCK[:1], AXIAL[:1], (0, 1, 0, 0, 0, -1), name="other")
    (made / "1.2.3_000").rename(folder / "localizer")
    with pytest.raises(FileError, match="one orientation"):
        read(folder)


def test_several_series_are_listed_and_chosen(save_series):
    folder = save_series(BLOCK, AXIAL, SeriesNumber=2, SeriesInstanceUID="1.2.8")
    save_series(BLOCK[:3, :6], AXIAL[:3], SeriesNumber=1, SeriesInstanceUID="1.2.9")
    (folder / "notes.txt").write_text("not a slice")
    with pytest.raises(FileError, match=r"2 series.*index 0: CT, 3 files, 6 x 12; index 1: CT, 7"):
        read(folder)
    assert read(folder, index=1).pixels.shape == (10, 12, 7)
    with pytest.raises(FileError, match="2 series"):
        read(folder, index=2)


def test_folders_without_dicom_and_with_one_film(tmp_path, save_dicom):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="without DICOM"):
        read(tmp_path / "empty")
    save_dicom(BLOCK[0], "one/film")
    assert read(tmp_path / "one").pixels.shape == (10, 12)


def _enhanced(make_dicom, places, slopes=None):
    from pydicom.dataset import Dataset

    def item(**elements):
        made = Dataset()
        for keyword, value in elements.items():
            setattr(made, keyword, value)
        return made

    made = make_dicom(BLOCK, bits=12, Modality="MR")
    made.SharedFunctionalGroupsSequence = [
        item(
            PixelMeasuresSequence=[item(PixelSpacing=[0.8, 0.5])],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        )
    ]
    made.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=list(place))],
            PixelValueTransformationSequence=[item(RescaleSlope=k + 1, RescaleIntercept=0)],
            FrameVOILUTSequence=[item(WindowCenter=100 + k, WindowWidth=50)],
        )
        for k, place in enumerate(places)
    ]
    return made


def test_enhanced_multi_frame_is_a_volume(make_dicom, tmp_path):
    order = np.array([3, 0, 6, 1, 2, 5, 4])
    _enhanced(make_dicom, AXIAL[order]).save_as(tmp_path / "x", enforce_file_format=True)
    image = read(tmp_path / "x")
    back = np.argsort(order)
    slopes = (back + 1.0)[:, None, None]
    np.testing.assert_array_equal(image.pixels, (BLOCK[back] * slopes).transpose(1, 2, 0))
    np.testing.assert_allclose(at(image.affine, 0, 0, 6), ras(AXIAL[6]))
    frame = read(tmp_path / "x", index=2)
    np.testing.assert_array_equal(frame.pixels, BLOCK[2] * 3.0)
    assert frame.windows == ((102 - 0.5 - 24.5, 102 - 0.5 + 24.5),)
    assert frame.spacing == (0.8, 0.5)


def test_frames_at_one_place_are_pictures(make_dicom, tmp_path):
    _enhanced(make_dicom, AXIAL[[0] * 7]).save_as(tmp_path / "x", enforce_file_format=True)
    assert read(tmp_path / "x").pixels.shape == (10, 12)


def test_multi_frame_with_a_step_is_a_volume(save_dicom):
    image = read(
        save_dicom(
            BLOCK,
            ImagePositionPatient=[1, 2, 3],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            PixelSpacing=[0.8, 0.5],
            SpacingBetweenSlices=4,
        )
    )
    assert image.pixels.shape == (10, 12, 7)
    np.testing.assert_allclose(at(image.affine, 0, 0, 2), (-1, -2, 11))


@pytest.mark.realdata
def test_every_sample_opens_with_pydicoms_values(shared):
    import warnings

    from pydicom import dcmread
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut

    seen = 0
    for path in sorted((shared("dicom_samples") / "single").iterdir()):
        if path.name == "liver.dcm":
            with pytest.raises(FileError, match="a segmentation object, not an image"):
                read(path)
            continue
        image = read(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = dcmread(path)
            wanted = header.pixel_array
            if header.PhotometricInterpretation == "PALETTE COLOR":
                wanted = apply_color_lut(wanted, header)
            wanted = apply_modality_lut(wanted, header)
        if int(header.get("NumberOfFrames") or 1) > 1:
            wanted = wanted[len(wanted) // 2]
        got = image.pixels
        if header.PhotometricInterpretation == "MONOCHROME1":
            got = sum(image.full_range) - got.astype(np.float64)
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-4, err_msg=path.name)
        seen += 1
    assert seen >= 19


@pytest.mark.realdata
def test_ct_series_geometry_round_trip(shared):
    from pydicom import dcmread

    folder = shared("dicom_samples") / "ct_series"
    image = read(folder)
    headers = [dcmread(path) for path in folder.iterdir()]
    headers.sort(key=lambda header: float(header.ImagePositionPatient[2]))
    for place, header in ((0, headers[0]), (len(headers) - 1, headers[-1])):
        found = at(image.affine, 0, 0, place)
        np.testing.assert_allclose(found, ras(header.ImagePositionPatient), atol=1e-3)
        plain = header.pixel_array * header.RescaleSlope + header.RescaleIntercept
        np.testing.assert_array_equal(image.pixels[..., place], plain)
