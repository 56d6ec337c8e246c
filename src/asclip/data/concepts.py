"""Names and definitions that a run knows: the catalogue's, or a user's own file."""

from __future__ import annotations

import json
from pathlib import Path

from asclip.clinical.bank import findings
from asclip.errors import DataError


def concepts(path: str = "") -> dict[str, str]:
    """Name -> definition, in order: of the JSON file at `path`, or of the clinical catalogue.

    The file is one object, `{"pneumothorax": "Air between lung and chest wall ...", ...}`.

    Raises:
        DataError: no such file, or something else in it.
    """
    if not path:
        return {name: entry.definition for name, entry in findings().items()}
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError:
        raise DataError(f"--knowledge must be a JSON file, got {path!r}; no such file") from None
    except ValueError as error:
        raise DataError(f"{Path(path).name} is not readable JSON ({error})") from None
    good = isinstance(content, dict) and all(
        isinstance(text, str) and text.strip() and name.strip() for name, text in content.items()
    )
    if not good or not content:
        raise DataError(
            f"{Path(path).name} must be an object of names and definitions, such as "
            '{"pneumothorax": "Air between lung and chest wall."}'
        )
    return {name.strip(): text.strip() for name, text in content.items()}
