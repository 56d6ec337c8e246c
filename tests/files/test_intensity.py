from __future__ import annotations

import numpy as np
import pytest

from asclip.files.intensity import apply_table, percentile_limits, to_uint8, window_limits

RNG = np.random.default_rng(4)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32"])
def test_windows_equal_pydicoms(make_dicom, function, dtype):
    """Oracle: pydicom's apply_voi, rounded to 8 bits."""
    from pydicom.pixels.processing import apply_voi_lut

    values = RNG.integers(0, 255, (30, 30)).astype(dtype)
    stored = values.astype(np.uint16)
    center, width = 90.0, 77.0
    header = make_dicom(stored, bits=16, WindowCenter=center, WindowWidth=width)
    header.VOILUTFunction = function
    wanted = apply_voi_lut(stored, header) / 65535 * 255
    got = to_uint8(values, *window_limits(center, width, function))
    assert np.abs(got - wanted).max() <= 0.51


def test_narrowest_window_is_a_step():
    low, high = window_limits(5, 1)
    assert to_uint8(np.array([4, 5, 6]), low, high).tolist() == [0, 255, 255]


def test_no_overflow_at_the_ends_of_integers():
    ends = np.array([-32768, 0, 32767], np.int16)
    assert to_uint8(ends, -32768, 32767).tolist() == [0, 128, 255]
    assert to_uint8(np.array([0, 65535], np.uint16), 70000, 80000).tolist() == [0, 0]


def test_infinities_and_nothing():
    values = np.array([-np.inf, 0.0, np.inf, np.nan], np.float32)
    assert to_uint8(values, 0, 10).tolist() == [0, 0, 255, 0]
    assert percentile_limits(np.full((3, 3), np.nan)) == (0.0, 1.0)


def test_percentiles_of_a_large_array_are_near_the_exact_ones():
    values = RNG.standard_normal((2500, 2000)).astype(np.float32)
    np.testing.assert_allclose(
        percentile_limits(values), np.percentile(values, (0.5, 99.5)), atol=0.03
    )


def test_uint8_is_not_copied_and_table_is_clamped():
    film = np.zeros((3, 3), np.uint8)
    assert to_uint8(film, 0, 255) is film
    table = (0.0, np.array([0.2, 1.0], np.float32))
    assert apply_table(np.array([-5.0, np.nan, 9.0], np.float32), table).tolist() == [51, 51, 255]
