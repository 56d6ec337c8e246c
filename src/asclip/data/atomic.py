"""Files that are either the old or the new one, never a half; a full disk is said clearly."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asclip.errors import ResourceError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def full_disk(folder: Path, needed: int) -> ResourceError:
    """The error for a disk that has not `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    return ResourceError(
        f"the disk of {folder} must have {needed:,} bytes free ({needed / 2**30:.2f} GiB), got "
        f"{free:,}; free some space, choose another --out or a smaller --size. What is done is "
        "kept: the same command continues"
    )


@contextmanager
def disk_errors(folder: Path, needed: int = 1) -> Iterator[None]:
    """Turns a full disk and a missing permission into a `ResourceError`."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise full_disk(folder, needed) from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ResourceError(f"{folder} must be writable: {error.strerror}") from None
        raise


def write(path: Path, data: bytes, *, private: bool = False) -> None:
    """Replace `path` by `data` in one step, after the bytes are on the disk.

    `private`: readable by its owner only.

    Raises:
        ResourceError: no space or no permission; the old file is then untouched.
    """
    temporary = path.with_name(path.name + ".tmp")
    with disk_errors(path.parent, len(data)):
        try:
            mode = 0o600 if private else 0o644
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
