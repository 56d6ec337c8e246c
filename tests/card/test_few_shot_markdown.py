"""Tables of few-shot curves in a page: numbers by hand, what is missing, and the places."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from asclip.adapt.draws import Drawn
from asclip.adapt.rows import Row
from asclip.card.few_shot_markdown import filled, main, read
from asclip.errors import DataError
from asclip.recipes.adaptation import records
from asclip.types import Score

STUDENT = 4.302652729911275  # t(.975, 2)


def row(method: str, value: float, seed: int = 0, shots: int = 0, *, side: str = "",
        share: float = 0.0, short: dict | None = None, metric: str = "auroc") -> Row:  # fmt: skip
    studies = 3 * shots or int(100 * share)
    drawn = Drawn(shots, seed, studies, short or {}, share, digest=f"{seed}-{studies}")
    low, high = (value - 0.1, value + 0.1)
    score = Score("d", "test", metric, metric, "macro", value, low=low, high=high, n=40, chance=0.5,
                  why_nan="unknown" if math.isnan(value) else "")  # fmt: skip
    return Row(method, drawn, side, {}, 2.0 + seed, score)


def curve(method: str, *values: float, shots: int = 16, **options) -> list[Row]:
    return [row(method, value, seed, shots, **options) for seed, value in enumerate(values)]


FLOOR = row("zero-shot", 0.6)
UP = curve("coop:steps=9", 0.70, 0.72, 0.74)
ROWS = [FLOOR, *UP, *curve("lora", 0.58, 0.60, 0.71), *curve("linear-probe", 0.5, 0.5, 0.51),
        *curve("linear-probe", 0.4, 0.4, 0.4, shots=1)]  # fmt: skip


def table(kind: str, **files: list[Row]) -> list[str]:
    page = f"before\n<!-- few-shot {kind} {' '.join(files)} -->\nold\n<!-- end -->\nbehind\n"
    text = filled(page, files)
    assert text.startswith("before\n<!-- few-shot ")
    assert text.endswith("\n<!-- end -->\nbehind\n")
    assert "old" not in text
    assert filled(text, files) == text
    return text.splitlines()[2:-2]


def test_a_line_an_adapter_with_the_gain_by_hand() -> None:
    lines = table("shots", one=ROWS)
    assert lines[0] == (
        "40 test studies; 3, 48 training studies. Zero-shot .600 [.500, .700] over test patients."
    )
    assert lines[2] == "| adapter | 1 shot | 16 shots | over zero-shot at 16 shots [95 %] |"
    half = STUDENT * 0.02 / 3**0.5
    low, high = (f"+{0.12 + one:.3f}".replace("0.", ".") for one in (-half, half))
    assert lines[5] == f"| `coop:steps=9` | not run | .720 | **+.120 [{low}, {high}]** |"
    assert [line.split("`")[1] for line in lines[4:7]] == ["linear-probe", "coop:steps=9", "lora"]
    assert lines[4].startswith("| `linear-probe` | .400 | .503 | −.097 [−.111, −.082] |")


def test_who_is_not_above_zero_shot_is_said_with_its_draws_and_what_was_not_run() -> None:
    text = "\n".join(table("shots", one=ROWS))
    assert (
        "Not above zero-shot at 16 shots, which has .600 [.500, .700] over test patients:" in text
    )
    behind = [line for line in text.splitlines() if line.startswith("- ")]
    assert len(behind) == 2
    assert behind[0].endswith("by seed −.100, −.100, −.090: below zero-shot.")
    assert behind[1].endswith("by seed −.020, +.000, +.110: above in some draws and not in others.")
    assert (
        "\nNot run at 1 shot: `coop:steps=9`, `lora`; at any amount: `lp++`, `clip-adapter`, "
        in text
    )
    assert text.endswith("`layer-wise`, `fine-tuning`.")
    assert "Not above" not in "\n".join(table("shots", one=[FLOOR, *UP]))


def test_classes_with_fewer_patients_are_named() -> None:
    lines = table("shots", one=[FLOOR, *curve("lora", 0.7, 0.7, short={"mass: has": 3})])
    assert "At 16 shots these have fewer patients, all of whom are used: mass: has (3)." in lines


def test_shares_of_which_some_could_not_be_fitted() -> None:
    some = [row("lp++", value, seed, share=0.01) for seed, value in enumerate((0.7, 0.8, math.nan))]
    same = [Drawn(0, seed, 100, share=1.0, digest="all") for seed in range(3)]
    whole = [replace(row("lp++", 0.75), drawn=drawn) for drawn in same]
    lines = table("fractions", one=[FLOOR, *some, *whole])
    assert "| adapter | 1 % | 100 % | over zero-shot at 100 % [95 %] |" in lines
    assert "| `lp++` | .750 (2 of 3) | .750 | +.150 |" in lines
    assert "Not above" not in "\n".join(lines)


def test_a_curve_that_is_not_done_says_of_how_many_draws_it_is() -> None:
    lines = table("shots", one=[FLOOR, *UP, row("lora", 0.7, 0, 16)])
    assert "| `lora` | .700 (1 of 3) | +.100 |" in lines


def test_both_sides_of_the_classes() -> None:
    floors = [row("zero-shot", 0.6, side=side, metric="accuracy")
              for side in ("base", "new", "harmonic")]  # fmt: skip
    values = {"base": 0.9, "new": 0.5, "harmonic": 0.643}
    sided = [one for side, value in values.items()
             for one in curve("coop", *[value] * 3, side=side, metric="accuracy")]  # fmt: skip
    lines = table("base-new", one=[*floors, *sided])
    assert lines[2] == "| `zero-shot` | .600 | .600 | .600 |  |"
    assert lines[3].startswith("| `coop` | .900 | .500 | .643 | **+.043 [")


def test_seconds_a_column_a_file() -> None:
    lines = table(
        "seconds", one=[*UP, *curve("coop:steps=9", 0.1, shots=1)], two=curve("lora", 0.7)
    )
    assert lines[0] == "| adapter | one | two |"
    assert lines[2:] == ["| `coop:steps=9` | 3.0 | not run |", "| `lora` | not run | 2.0 |"]


@pytest.mark.parametrize("place", ["shots other", "curves one", "shots "])
def test_a_place_that_cannot_be_filled_is_an_error(place: str) -> None:
    with pytest.raises(DataError, match="a place must name one of shots, fractions, base-new"):
        filled(f"<!-- few-shot {place} -->\n<!-- end -->", {"one": ROWS})


def test_a_file_of_rows_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"rows": records(ROWS)}))
    assert table("shots", one=read(path)) == table("shots", one=ROWS)
    page = tmp_path / "page.md"
    page.write_text("<!-- few-shot shots one -->\n<!-- end -->\n")
    main([str(page), str(path)])
    assert page.read_text().splitlines()[1:-1] == table("shots", one=ROWS)
    with pytest.raises(DataError, match="a page and at least one file must be named, got 1 names"):
        main([str(page)])
    path.write_text("[]")
    with pytest.raises(DataError, match=r"one\.json must be a file of few-shot scores, got TypeE"):
        read(path)
