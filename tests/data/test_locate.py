from __future__ import annotations

import os
from pathlib import Path

from asclip.data.locate import OUTSIDE, Found, Lost, locate


def test_inside_and_outside(tmp_path):
    root = Path(os.path.realpath(tmp_path / "root"))
    (root / "a").mkdir(parents=True)
    (root / "a" / "b.png").write_bytes(b"123")
    (tmp_path / "out.png").touch()
    (root / "inner.png").symlink_to(root / "a" / "b.png")
    (root / "outer.png").symlink_to(tmp_path / "out.png")
    (root / "up").symlink_to(tmp_path)
    for path in (
        "a/b.png",
        "a/../a/b.png",
        "./a/b.png",
        "a\\b.png",
        str(root / "a/b.png"),
        "inner.png",
    ):
        found = locate(root, path)
        assert isinstance(found, Found), path
        assert (found.path, found.size) == ("a/b.png", 3)
    outside = (
        "../out.png",
        "outer.png",
        "up/out.png",
        str(tmp_path / "out.png"),
        "a/../../out.png",
    )
    for path in outside:
        assert locate(root, path) == Lost(path, OUTSIDE)
    assert locate(root, "a/none.png") == Lost("a/none.png", "no such file")
    assert locate(root, "a\0b") == Lost("a\0b", "not a valid path")


def test_a_folder_changes_when_a_slice_does(tmp_path):
    root = Path(os.path.realpath(tmp_path))
    (root / "series").mkdir()
    (root / "series" / "1.dcm").write_bytes(b"12")
    first = locate(root, "series")
    (root / "series" / "2.dcm").write_bytes(b"345")
    second = locate(root, "series")
    assert isinstance(first, Found)
    assert isinstance(second, Found)
    assert (first.size, second.size) == (2, 5)
