from __future__ import annotations

import base64
import hashlib
import io
import stat
import tarfile
from pathlib import Path

import pytest

from asclip.errors import DataError
from asclip.literature.site import library


def package(*names: str) -> bytes:
    """A package with these files, of the form that npm gives."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(name)
            tar.addfile(info, io.BytesIO(name.encode()))
    return buffer.getvalue()


def digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha512(data).digest()).decode()


WHOLE = package(library.SCRIPT, library.TERMS)


def put(cache: Path, data: bytes) -> Path:
    path = cache / f"{library.NAME}-{library.VERSION}.tgz"
    path.write_bytes(data)
    return path


def test_the_cached_package_is_used_without_npm(tmp_path: Path) -> None:
    put(tmp_path, WHOLE)
    found = library.find(tmp_path, fetch=False, digest=digest(WHOLE))
    assert found is not None
    assert found.script == library.SCRIPT.encode()
    assert found.licence == library.TERMS.encode()
    assert library.VERSION in found.about
    assert [path.suffix for path in tmp_path.iterdir()] == [".tgz"]  # nothing is unpacked


def test_another_package_is_refused_and_removed(tmp_path: Path) -> None:
    path = put(tmp_path, WHOLE)
    with pytest.raises(DataError, match="must have the sha512 msY99tMY8iWT"):
        library.find(tmp_path)
    assert not path.exists()


def test_a_package_without_the_script_is_refused(tmp_path: Path) -> None:
    data = package("package/README.md")
    put(tmp_path, data)
    with pytest.raises(DataError, match="the package must have package/dist"):
        library.find(tmp_path, digest=digest(data))


@pytest.mark.parametrize("works", [True, False])
def test_npm_is_asked_where_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "package.tgz").write_bytes(WHOLE)
    npm = tmp_path / "bin" / "npm"
    copy = f'/bin/cp "{tmp_path}/package.tgz" "$4/{library.NAME}-{library.VERSION}.tgz"'
    npm.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/asked"\n{copy if works else "exit 1"}\n')
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    found = library.find(tmp_path / "cache", digest=digest(WHOLE))
    assert (found is not None) == works
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:2] == ["pack", f"{library.NAME}@{library.VERSION}"]
    assert "--ignore-scripts" in asked


def test_without_cache_and_npm_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert library.find(tmp_path) is None
    assert library.find(tmp_path, fetch=False) is None
