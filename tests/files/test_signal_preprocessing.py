from __future__ import annotations

import json

import numpy as np
import pytest

from asclip.errors import AsclipError, FileError
from asclip.files.signal_preprocessing import SignalPreprocessing
from asclip.types import Signal

HOW = SignalPreprocessing(leads=1, samples=500, rate=100.0)


def sine(rate: float, seconds: float, hertz: float = 5.0, offset: float = 0.0) -> Signal:
    """A sine that has phase 0 in the middle of the recording."""
    steps = round(rate * seconds)
    time = (np.arange(steps) - steps // 2) / rate
    return Signal((offset + np.sin(2 * np.pi * hertz * time))[None].astype(np.float32), rate)


@pytest.mark.parametrize("rate", [50.0, 100.0, 128.0, 250.0, 257.3, 360.0, 500.0, 1000.0])
def test_a_sine_of_5_hz_stays_one_at_any_rate(rate: float) -> None:
    item = HOW(sine(rate, 12.0, offset=3.0))
    assert (item.shape, item.dtype) == ((1, 500), np.float32)
    power = np.abs(np.fft.rfft(item[0] - item[0].mean())) ** 2
    assert np.fft.rfftfreq(500, 1 / 100)[power.argmax()] == 5.0
    assert power.max() > 0.98 * power.sum()
    assert np.ptp(item) == pytest.approx(2.0, abs=0.05)
    assert item.mean() == pytest.approx(3.0, abs=0.01)


def test_the_middle_is_kept_in_place() -> None:
    for rate in (100.0, 200.0, 500.0):
        item = HOW(sine(rate, 12.0))[0]
        wanted = np.sin(2 * np.pi * 5.0 * (np.arange(500) - 250) / 100)
        np.testing.assert_allclose(item, wanted, atol=0.01)


def test_what_is_faster_than_half_the_rate_is_gone() -> None:
    item = HOW(sine(1000.0, 10.0, hertz=90.0))
    assert np.abs(item).max() < 0.05


def test_a_short_one_has_unknown_ends() -> None:
    item = HOW(sine(100.0, 2.0))[0]
    assert np.isnan(item[:150]).all()
    assert np.isnan(item[350:]).all()
    np.testing.assert_array_equal(item[150:350], sine(100.0, 2.0).values[0])


def test_a_gap_stays_a_gap_and_harms_nothing_beside_it() -> None:
    whole = sine(250.0, 5.0)
    holed = Signal(whole.values.copy(), 250.0)
    holed.values[0, 500:625] = np.nan
    item, wanted = HOW(holed)[0], HOW(whole)[0]
    assert np.isnan(item[200:250]).all()
    assert np.isnan(item).sum() in (50, 51)
    far = np.r_[0:190, 260:500]
    np.testing.assert_allclose(item[far], wanted[far], atol=0.02)


def test_the_rate_of_the_files_is_used_where_the_file_has_none() -> None:
    known = sine(250.0, 6.0)
    silent = Signal(known.values)
    how = SignalPreprocessing(1, 500, 100.0, file_rate=250.0)
    np.testing.assert_array_equal(how(silent), how(known))
    with pytest.raises(FileError, match="--signal-rate"):
        HOW(silent)


def test_what_cannot_be_made_is_said() -> None:
    with pytest.raises(FileError, match=r"must have 1 leads, got 3.*--signal 3x500@100"):
        HOW(Signal(np.zeros((3, 900), np.float32), 100.0))
    with pytest.raises(FileError, match="too far"):
        HOW(Signal(np.zeros((1, 900), np.float32), 1e6))
    ends = np.full((1, 900), np.nan, np.float32)
    ends[0, 0] = 1.0
    with pytest.raises(FileError, match="in the middle"):
        HOW(Signal(ends, 100.0))
    for wrong in ({"leads": 0}, {"samples": 8}, {"rate": 0.0}, {"file_rate": float("nan")}):
        with pytest.raises(AsclipError, match="a signal must have"):
            SignalPreprocessing(**wrong)
    with pytest.raises(AsclipError, match="'colour'"):
        SignalPreprocessing.from_json({"colour": 1})


def test_constants_are_robust_and_no_part_of_the_digest() -> None:
    rng = np.random.default_rng(0)
    items = rng.uniform(-1, 1, (50, 2, 200)).astype(np.float32) * [[1.0], [10.0]] + 5
    items[0, 0, 0], items[1, 0, :50] = 1e6, np.nan
    how = SignalPreprocessing(2, 200, 100.0).measured(items)
    np.testing.assert_allclose(how.centre, [5, 5], atol=0.5)
    np.testing.assert_allclose(how.scale, [1, 10], rtol=0.05)
    plain = SignalPreprocessing(2, 200, 100.0)
    assert how.digest == plain.digest != SignalPreprocessing(2, 200, 50.0).digest
    assert SignalPreprocessing.from_json(json.loads(json.dumps(how.to_json()))) == how
    flat = plain.measured(np.full((3, 2, 200), np.nan, np.float32))
    assert (flat.centre, flat.scale) == ((0.0, 0.0), (1.0, 1.0))
    assert plain.measured(items[:0]).scale == (1.0, 1.0)
