"""The key of a data set's pseudonyms, and the pseudonyms of patients, studies and file names."""

from __future__ import annotations

import secrets
from pathlib import Path

from asclip.data import atomic
from asclip.errors import DataError, ResourceError
from asclip.files import deidentify

KEY_FILE = "key.private"


def key_of(folder: Path) -> str:
    """The random key of a data set; made at the first call, readable by its owner only.

    Raises:
        DataError: the key file is damaged.
        ResourceError: it cannot be read or written.
    """
    path = folder / KEY_FILE
    try:
        if not path.exists():
            atomic.write(path, secrets.token_hex(32).encode() + b"\n", private=True)
        key = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise ResourceError(f"{KEY_FILE} cannot be read or written: {error.strerror}") from None
    if len(key) != 64 or set(key) - set("0123456789abcdef"):
        raise DataError(
            f"{KEY_FILE} must hold 64 hexadecimal digits and does not; restore it from a copy, or "
            "ingest into an empty folder"
        )
    return key


def pseudonym(word: str, key: str, kind: str) -> str:
    """16 hexadecimal digits for `word`; `kind` keeps patients, studies and files apart.

    >>> pseudonym("a", "k", "patient") == pseudonym("a", "k", "study")
    False
    """
    # A file name that is not UTF-8 arrives with lone surrogates, which cannot be encoded.
    text = word.encode("utf-8", "backslashreplace").decode()
    return deidentify.pseudonym(f"{kind}\0{text}", key)
