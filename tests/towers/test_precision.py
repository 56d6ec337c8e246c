from __future__ import annotations

import pytest
import torch

from asclip.recipes.options import choose
from asclip.towers import precision


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("flags : fpu avx512f avx512_bf16", "bf16"),
        ("flags : fpu amx_tile amx_bf16 avx512_bf16", "bf16"),
        ("Features : fp asimd svebf16 bf16", "bf16"),
        ("flags : fpu avx2 avx512f avx512_vnni", "fp32"),
    ],
)
def test_auto_is_what_the_processor_has(monkeypatch, tmp_path, words: str, wanted: str) -> None:
    monkeypatch.setattr(precision, "Path", lambda _: tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(words)
    assert precision.chosen(device="cpu") == wanted
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose("clip", {})[0].precision == wanted
    assert choose("clip", {"precision": "bf16"})[0].precision == "bf16"


def test_where_nothing_is_known_float32_is_right(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(precision, "Path", lambda _: tmp_path / "absent")
    assert precision.chosen(device="cpu") == "fp32"
    assert precision.chosen("bf16", device="cpu") == "bf16"
