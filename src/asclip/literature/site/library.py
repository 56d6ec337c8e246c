"""The graph library of the citation network: kept outside, brought when the site is built.

The npm package of Cytoscape.js is looked for in the cache folder, else asked of npm, where there is
one; its digest must be the pinned one. Without it the network is the drawing that `layout` makes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from asclip.errors import DataError

NAME, VERSION, LICENCE = "cytoscape", "3.34.4", "MIT"
DIGEST = "msY99tMY8iWTg+sIPGfSqDcPNOt4xcj+v/K/7qUFaCUxxlqnMkUYLBjRUzn9W5CU/R2hrmtJa5+UtovrEM2ctg=="
SCRIPT, TERMS = "package/dist/cytoscape.min.js", "package/LICENSE"
SECONDS = 60


@dataclass(frozen=True)
class Library:
    """The script, the text of its licence, and what to say of it."""

    script: bytes
    licence: bytes
    about: str


def find(cache: Path, *, fetch: bool = True, digest: str = DIGEST) -> Library | None:
    """The library from the cache, else from npm if it may be asked; None where there is neither.

    Raises:
        DataError: the package is not the pinned one.
    """
    path = cache / f"{NAME}-{VERSION}.tgz"
    if not path.exists() and not (fetch and packed(cache)):
        return None
    data = path.read_bytes()
    found = base64.b64encode(hashlib.sha512(data).digest()).decode()
    if found != digest:
        path.unlink()
        raise DataError(
            f"{path.name} must have the sha512 {digest[:12]}..., got {found[:12]}...; it was "
            "removed from the cache; build again, or with --no-library"
        )
    with tarfile.open(fileobj=io.BytesIO(data)) as package:
        return Library(
            read(package, SCRIPT), read(package, TERMS), f"{NAME} {VERSION} ({LICENCE} licence)"
        )


def read(package: tarfile.TarFile, name: str) -> bytes:
    """A file of the package; nothing is unpacked to disk."""
    try:
        file = package.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise DataError(f"the package must have {name}; it has none; build with --no-library")
    return file.read()


def packed(cache: Path) -> bool:
    """Whether npm has put the package into the cache."""
    npm = shutil.which("npm")
    if not npm:
        return False
    words = [npm, "pack", f"{NAME}@{VERSION}", "--pack-destination", str(cache), "--ignore-scripts"]
    try:
        done = subprocess.run(words, capture_output=True, timeout=SECONDS, cwd=cache, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and (cache / f"{NAME}-{VERSION}.tgz").exists()
