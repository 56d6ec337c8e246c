from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asclip.recipes import demo as module


@pytest.mark.parametrize(("recipe", "text_tower"), [("clip", "words"), ("locked", None)])
def test_bound_and_model_train_as_long_and_packaged_towers_stay(
    recipe: str, text_tower: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: dict[str, dict[str, Any]] = {}

    def pretrain(data: Path, name: str, out: Path, given: dict[str, Any], **_: Any) -> None:
        trained[name] = given

    monkeypatch.setattr(module, "pretrain", pretrain)
    monkeypatch.setattr(module, "evaluate", lambda *_, **__: [])
    card = module.demo(tmp_path, studies=3, seed=7, recipe=recipe, say=lambda _: None)
    assert card == tmp_path / "card.html"
    assert trained["supervised"]["epochs"] == trained[recipe]["epochs"]
    assert trained["supervised"]["seed"] == trained[recipe]["seed"] == 7
    assert trained[recipe].get("text_tower") == text_tower
