from __future__ import annotations

import json
from pathlib import Path

import pytest

from asclip.data.concepts import concepts
from asclip.errors import DataError


def test_the_catalogue_is_the_default_and_its_definitions_do_not_name() -> None:
    known = concepts()
    assert len(known) >= 60
    assert "pneumothorax" not in known["pneumothorax"].lower()


def test_a_file_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps({" blip ": " A small bright point. "}))
    assert concepts(str(path)) == {"blip": "A small bright point."}


@pytest.mark.parametrize("content", ["[]", "{}", '{"a": 3}', '{"a": " "}', "{"])
def test_another_content_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "own.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"own\.json"):
        concepts(str(path))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(DataError, match="no such file"):
        concepts("nowhere.json")
