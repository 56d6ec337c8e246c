from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from asclip.card.plots import VARIABLES
from asclip.card.reliability import diagram, write
from asclip.metrics.calibration import equal_width, reliability


def test_the_diagram_says_its_numbers_and_stands_alone(tmp_path: Path) -> None:
    truth, score = np.array([0.0, 1, 1, 1]), np.array([0.1, 0.3, 0.8, 0.85])
    table = reliability(truth, score, equal_width(10))
    plot = diagram("r", "zero_shot", {"raw": table, "platt": table})
    assert "raw: error" in plot.svg
    assert "1.00 at 0.82 (2)" in plot.svg
    for word in ("n = 4 answers", "share with the finding", "probability", "answers"):
        assert word in plot.svg
    assert plot.svg.count("ECE") == 2
    path = write(tmp_path / "plots" / "r.svg", plot)
    text = path.read_text()
    ElementTree.fromstring(text)
    used = set(re.findall(r"var\((--\w+)\)", text))
    assert used <= set(VARIABLES.values())
    assert all(f"{one}:#" in text for one in used)


def test_empty_bins_are_left_out() -> None:
    table = reliability(np.array([1.0]), np.array([0.9]), equal_width(10))
    assert "nan" not in diagram("r", "one", {"raw": table}).svg.lower()
