from __future__ import annotations

import numpy as np
import pytest

from asclip.errors import AsclipError
from asclip.files.preprocessing import Preprocessing
from asclip.files.preprocessing_rules import describe, floats, whole


def test_numbers_are_settled_or_refused():
    assert whole("size", np.int32(7)) == 7
    assert whole("size", 7.0) == 7
    assert floats("mean", [1, np.float32(0.5)]) == (1.0, 0.5)
    for wrong in (True, "7", 7.5, None):
        with pytest.raises(AsclipError, match="whole numbers"):
            whole("size", wrong)
    for wrong in ("0.5", ["a"], [float("inf")], 3, [None]):
        with pytest.raises(AsclipError, match="mean must"):
            floats("mean", wrong)


def test_words_name_what_is_done():
    words = dict(describe(Preprocessing((96, 96), window=(-1350, 150), fit="crop")))
    assert "-1350 to 150" in words["window"]
    assert "96 x 96 (H, W)" in words["resize"]
    assert "middle axial" in words["orientation"]
    volume = dict(describe(Preprocessing((8, 32, 32), spacing=(5, 2.5, 2.5))))
    assert volume["spacing"] == "5 x 2.5 x 2.5 mm"
    assert "superior" in volume["orientation"]
