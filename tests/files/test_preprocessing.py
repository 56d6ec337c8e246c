from __future__ import annotations

import json

import numpy as np
import pytest

from asclip.errors import AsclipError, FileError
from asclip.files.preprocessing import Preprocessing
from asclip.types import Image

RNG = np.random.default_rng(6)
GREY = RNG.integers(0, 256, (40, 30), dtype=np.uint8)
PLAIN = Image(GREY, windows=((0.0, 255.0),), full_range=(0.0, 255.0))
CT = Image(
    RNG.integers(-1000, 1500, (12, 14, 10)).astype(np.float32),
    "CT",
    (1.0, 1.0, 2.0),
    np.diag([-1.0, -1.0, 2.0, 1.0]),
    windows=((-160.0, 240.0),),
    full_range=(-1024.0, 3071.0),
)


@pytest.mark.parametrize(
    "made",
    [
        Preprocessing(),
        Preprocessing((64, 48), channels=3, window="percentile", mean=(0.1, 0.2, 1 / 3), std=(1,)),
        Preprocessing((16, 32, 32), window=(-1000, 400), fit="crop", spacing=(5, 2.5, 0.1 + 0.2)),
        Preprocessing((8, 8), slice="30% coronal", fit="squash", window="full"),
    ],
)
def test_json_round_trip_is_exact(made):
    again = Preprocessing.from_json(json.loads(json.dumps(made.to_json())))
    assert again == made
    assert again.digest == made.digest
    assert len(made.digest) == 12
    assert hash(again) == hash(made)


def test_digest_differs_with_any_setting_and_not_with_types():
    base = Preprocessing((64, 64), window=(-1000, 400))
    others = [
        Preprocessing((64, 65), window=(-1000, 400)),
        Preprocessing((64, 64), window=(-1000, 401)),
        Preprocessing((64, 64), window=(-1000, 400), fit="crop"),
        Preprocessing((64, 64), window=(-1000, 400), channels=3),
        Preprocessing((64, 64), window=(-1000, 400), mean=(0.4,)),
    ]
    assert len({made.digest for made in [base, *others]}) == 6
    same = Preprocessing([np.int64(64), 64], window=[-1000.0, np.float32(400)])  # type: ignore
    assert same == base
    assert same.digest == base.digest


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": (64,)}, "size"),
        ({"size": 64}, "size"),
        ({"size": (0, 64)}, "size"),
        ({"size": (64.5, 64)}, "whole"),
        ({"channels": 2}, "channels"),
        ({"size": (4, 4, 4), "channels": 3}, "1 channel"),
        ({"window": "lung"}, "window must be"),
        ({"window": (400, -1000)}, "low < high"),
        ({"window": (0, float("nan"))}, "finite"),
        ({"fit": "stretch"}, "fit"),
        ({"spacing": (1.0, 1.0, 1.0)}, "spacing"),
        ({"spacing": (1.0, -1.0)}, "spacing"),
        ({"slice": "top axial"}, "slice"),
        ({"slice": "120% axial"}, "slice"),
        ({"mean": (0.1, 0.2)}, "mean"),
        ({"std": (0.0,)}, "std"),
    ],
)
def test_wrong_settings_are_refused(settings, words):
    with pytest.raises(AsclipError, match=words):
        Preprocessing(**settings)


def test_unknown_names_and_versions_in_json():
    record = Preprocessing().to_json()
    with pytest.raises(AsclipError, match="did you mean 'window'"):
        Preprocessing.from_json({**record, "windw": "full"})
    with pytest.raises(AsclipError, match="version 9"):
        Preprocessing.from_json({**record, "version": 9})


def test_uint8_of_the_right_size_passes_unchanged():
    assert np.array_equal(Preprocessing((40, 30))(PLAIN), GREY)
    item = Preprocessing((40, 30), channels=3)(PLAIN)
    assert item.shape == (40, 30, 3)
    assert (item == GREY[..., None]).all()


def test_colour_into_one_channel_and_three():
    colour = Image(np.repeat(GREY[..., None], 3, axis=2), full_range=(0.0, 255.0))
    np.testing.assert_array_equal(Preprocessing((40, 30))(colour), GREY)
    np.testing.assert_array_equal(Preprocessing((40, 30), channels=3)(colour), colour.pixels)
    with pytest.raises(FileError, match="colour"):
        Preprocessing((40, 30), window=(-1000, 400))(colour)
    deep = Image(colour.pixels.astype(np.uint16) * 257, full_range=(0.0, 65535.0))
    np.testing.assert_array_equal(Preprocessing((40, 30))(deep), GREY)


def test_window_choices():
    film = np.array([[0, 1000], [2000, 4095]], np.uint16)
    image = Image(film, windows=((1000.0, 2000.0),), full_range=(0.0, 4095.0))
    bare = Image(film, full_range=(0.0, 4095.0))
    table = Image(film, full_range=(0.0, 4095.0), voi=(0.0, np.linspace(1, 0, 4096)))

    def values(window, picture):
        return Preprocessing((2, 2), window=window)(picture).ravel().tolist()

    assert values("file", image) == [0, 0, 255, 255]
    assert values("full", image) == [0, 62, 125, 255]
    assert values((0, 2000), image) == [0, 128, 255, 255]
    assert values("file", table) == [255, 193, 130, 0]
    assert values("file", bare) == values("percentile", bare)
    assert values("full", Image(film.astype(np.float32))) == [0, 62, 125, 255]


def test_window_comes_before_resize():
    # 1 bright metal pixel among dark ones: windowed first, it weighs 255 and not 30,000.
    film = np.zeros((64, 64), np.float32)
    film[::8, ::8] = 30000
    item = Preprocessing((8, 8), window=(0, 100))(Image(film))
    assert item.max() < 20


def test_volumes_and_slices():
    item = Preprocessing((10, 14, 12), window=(-1000, 400))(CT)
    assert item.shape == (10, 14, 12)
    assert item.dtype == np.uint8
    assert item.flags.c_contiguous
    flat = Preprocessing((14, 12), window=(-1000, 400), fit="squash")(CT)
    np.testing.assert_array_equal(flat, item_in_house_order()[5])
    cut = Preprocessing((10, 12), window=(-1000, 400), fit="squash", slice="100% coronal")(CT)
    np.testing.assert_array_equal(cut, item_in_house_order()[::-1, 13])
    with pytest.raises(FileError, match="takes volumes"):
        Preprocessing((10, 14, 12))(PLAIN)


def item_in_house_order() -> np.ndarray:
    # The affine of CT runs to left, posterior, superior: the house order is a plain transpose.
    values = (CT.pixels.transpose(2, 1, 0).astype(np.float64) + 1000) / 1400 * 255
    return np.floor(np.clip(values, 0, 255) + 0.5).astype(np.uint8)


def test_spacing_is_physical_and_must_be_known():
    film = np.full((100, 50), 255, np.uint8)
    image = Image(film, spacing=(0.5, 1.0), windows=((0.0, 255.0),))
    item = Preprocessing((60, 60), spacing=(1.0, 1.0))(image)
    assert (item > 0).sum() == 50 * 50
    with pytest.raises(FileError, match="does not state its spacing"):
        Preprocessing((60, 60), spacing=(1.0, 1.0))(PLAIN)


def test_normalise():
    made = Preprocessing((2, 2), channels=3, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))
    items = RNG.integers(0, 256, (4, 2, 2, 3), dtype=np.uint8)
    values = made.normalise(items)
    assert values.dtype == np.float32
    wanted = (items / 255 - [0.5, 0.25, 0.0]) / [0.5, 0.25, 1.0]
    np.testing.assert_allclose(values, wanted, atol=1e-6)


@pytest.mark.parametrize("size", [(64, 64), (8, 64, 64)])
def test_description_has_every_step_in_order(size):
    steps = Preprocessing(size, window=(-1000, 400), spacing=(2.0,) * len(size)).describe()
    names = ["decode", "LUT", "window", "orientation", "spacing", "resize", "normalise"]
    assert [name for name, _ in steps] == names
    words = dict(steps)
    assert "HU" in words["window"]
    assert "mm" in words["spacing"]


@pytest.mark.realdata
def test_real_films_look_as_they_should(shared):
    """Lungs are darker than the mediastinum, and soft tissue of a CT lies in mid grey."""
    from asclip.files import read

    folder = shared("dicom_samples")
    make = Preprocessing((128, 128))
    for name in ("RG1_J2KI.dcm", "1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819.dcm"):
        film = make(read(folder / "single" / name)).astype(float)
        assert film[40:60, 60:68].mean() > film[40:60, 30:45].mean() + 30
    series = make(read(folder / "ct_series"))
    assert series.max() > 230
    assert 0.1 < (series > 60).mean() < 0.6
