"""Where answers of the network are kept between calls; nothing in it is needed."""

from __future__ import annotations

import os
from pathlib import Path

from asclip.errors import ResourceError


def folder(name: str) -> Path:
    """A folder for things that can be had again: `$ASCLIP_CACHE`, else the user's cache, / name.

    Raises:
        ResourceError: it cannot be made.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(os.environ.get("ASCLIP_CACHE") or Path(home) / "asclip") / name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"the cache folder must be writable; got {error.strerror}; set ASCLIP_CACHE to one"
        ) from error
    return path
