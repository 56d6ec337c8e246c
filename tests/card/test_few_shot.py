"""The page of few-shot curves: what it says, and what it does where there is nothing to draw."""

from __future__ import annotations

import math
import re
from pathlib import Path

from asclip.adapt.draws import Drawn
from asclip.adapt.rows import Row
from asclip.card.few_shot import view, write_few_shot
from asclip.types import Score

NAN = math.nan
ABOUT = {"run": "mine", "data": "chest", "prompts": "findings"}


def row(method: str, value: float, shots: int, seed: int, *, side: str = "", why: str = "") -> Row:
    drawn = Drawn(shots, seed, 2 * shots, digest=str(seed))
    score = Score("d", "test", method, "auroc", "macro", value, chance=0.5, why_nan=why)
    return Row(method, drawn, side, {}, 1.5, score)


def curve(**options) -> list[Row]:
    rows = [row("zero-shot", 0.6, 0, 0, **options)]
    for seed in range(3):
        rows += [row("coop", 0.7 + 0.01 * seed + shots / 100, shots, seed, **options)
                 for shots in (1, 4)]  # fmt: skip
    return rows


def test_a_panel_a_method_and_the_gain_at_the_largest_amount(tmp_path: Path) -> None:
    rows = [*curve(), *(row("probe", 0.4 + seed / 100, 4, seed) for seed in range(3))]
    text = write_few_shot(tmp_path / "page.html", rows, ABOUT).read_text()
    assert text.count("<svg") == 2
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    assert "3 seeds" in text
    (part,) = view(rows, ABOUT)["sections"]
    assert part["floor"] == "0.600"
    cells = {one["method"]: one for one in part["rows"]}
    assert cells["coop"]["mean"] == "0.750"
    assert cells["coop"]["gain"] == "+0.150"
    assert (cells["coop"]["kind"], cells["probe"]["kind"]) == ("wins", "loses")
    assert cells["probe"]["gain"].startswith("−")


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    one = write_few_shot(tmp_path / "a.html", curve(), ABOUT).read_bytes()
    assert write_few_shot(tmp_path / "b.html", curve(), ABOUT).read_bytes() == one


def test_sides_and_what_has_no_score(tmp_path: Path) -> None:
    rows = [*curve(side="base"), *curve(side="new")]
    rows += [row("probe", NAN, 4, seed, side="new", why="it knows <its own>") for seed in range(3)]
    text = write_few_shot(tmp_path / "page.html", rows, ABOUT).read_text()
    assert "AUROC, base classes" in text
    assert "it knows &lt;its own&gt;" in text
    assert ">nan" not in text
    (_, new) = view(rows, ABOUT)["sections"]
    assert {one["method"]: one["mean"] for one in new["rows"]} == {"coop": "0.750", "probe": "–"}


def test_rows_that_came_later_stand_in_their_place(tmp_path: Path) -> None:
    one = write_few_shot(tmp_path / "a.html", curve(), ABOUT).read_bytes()
    turned = sorted(curve(), key=lambda row: -row.drawn.shots if row.drawn.shots else -99)
    other = write_few_shot(tmp_path / "b.html", turned, ABOUT).read_text()
    assert sorted(re.findall('d="[^"]*"', one.decode())) == sorted(re.findall('d="[^"]*"', other))


def test_one_seed_and_zero_shot_alone(tmp_path: Path) -> None:
    alone = write_few_shot(tmp_path / "a.html", [row("zero-shot", 0.6, 0, 0)], ABOUT).read_text()
    assert "0.600" in alone
    assert "<svg" not in alone
    one = write_few_shot(tmp_path / "b.html", [row("coop", 0.6, 4, 0)], ABOUT).read_text()
    assert "1 seed ·" in one
    assert one.count("<svg") == 1
