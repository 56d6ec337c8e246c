"""The whole site, built once for all tests that look at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from asclip import atlas
from asclip.literature.site import build
from asclip.literature.site.library import Library
from pages import Page

STAND_IN = Library(b"/* stands in for the graph library */", b"terms", "a stand-in (MIT licence)")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "out"
    build(folder, atlas.methods(), settings=atlas.settings(), library=STAND_IN)
    return folder


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[str, Page]:
    return {p.relative_to(site).as_posix(): Page(p) for p in site.rglob("*.html")}
