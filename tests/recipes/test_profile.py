from __future__ import annotations

import json
import mmap
from pathlib import Path

import pytest
import torch

from asclip import cli
from asclip.recipes.pretraining import profile
from asclip.train.profile import PARTS, STEPS, Profile, forget_peak, peak_bytes

SMALL = {"batch": 16, "width": 32}


def files(data: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in data.rglob("*")}


def check(found: Profile, studies: int = 16) -> None:
    assert tuple(found.seconds) == PARTS
    assert found.steps == STEPS
    assert found.studies == studies
    assert sum(found.seconds.values()) == pytest.approx(found.step_seconds)
    assert all(x >= 0 for x in found.seconds.values()), found.seconds
    assert found.making_seconds > 0
    assert found.peak_bytes > 2**26  # torch alone is larger


@pytest.mark.parametrize("name", ["clip", "gloria"])
@pytest.mark.parametrize("more", [{}, {"chunk": 8}, {"accumulate": 2}])
def test_the_parts_add_up(
    name: str, more: dict[str, int], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = files(data)
    state = torch.get_rng_state()
    found = profile(data, name, SMALL | more)
    check(found, 32 if "accumulate" in more else 16)
    assert found.recipe == name
    for part in ("image tower", "text tower", "objective", "backward", "optimiser"):
        assert found.seconds[part] > 0, part
    assert files(data) == before
    assert not list(tmp_path.iterdir())
    assert torch.equal(torch.get_rng_state(), state)


def test_no_text_no_seconds(data: Path) -> None:
    found = profile(data, "supervised", SMALL)
    check(found)
    assert found.seconds["text tower"] == 0
    assert found.seconds["backward"] > 0


def test_the_command_prints_a_table_or_json(
    data: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = ["pretrain", str(data), "--profile", "--batch", "16", "--width", "32"]
    assert cli.main([*words, "--json", "--out", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["seconds"]) == set(PARTS)
    assert not out.exists()
    assert cli.main(words) == 0
    table = capsys.readouterr().out
    assert table.startswith(f"clip: {STEPS} steps of 16 studies")
    assert all(part in table for part in (*PARTS, "whole"))
    assert cli.main(["pretrain", "--profile"]) == 2
    assert "got 0 data sets" in capsys.readouterr().err


def test_the_peak_begins_anew() -> None:
    forget_peak()
    low = peak_bytes()
    with mmap.mmap(-1, 2**28) as taken:  # 256 MB, which go back to the system
        taken.write(b"x" * 2**28)
        assert peak_bytes() >= low  # a system without /proc keeps an older, higher one
    high = peak_bytes()
    forget_peak()
    if Path("/proc/self/clear_refs").exists():
        assert high > low + 2**27
        assert peak_bytes() < high - 2**27
