"""The few errors of Asclip. Each message says what must hold, what was got and what to do.

    AsclipError
    ├── FileError          a file that cannot be read as an image, a volume or a report
    ├── DataError          a table, a data set or a split that breaks a rule
    │   └── LeakageError   a patient or an identical image on two sides of a split
    ├── ModelError         weights, a checkpoint or a run that do not fit the code
    ├── ResourceError      no space, no memory, no permission
    └── MissingExtra       an optional package is needed; the message has the install line

The command line prints the message alone and exits with `exit_code`; no traceback.
"""

from __future__ import annotations


class AsclipError(Exception):
    """Base of every error that a user can mend; `exit_code` is what the command line returns."""

    exit_code = 2


class FileError(AsclipError):
    """A file that cannot be read; the message has the reason, never a patient's name."""

    exit_code = 3


class DataError(AsclipError):
    """A table, a data set or a split that breaks a rule."""

    exit_code = 4


class LeakageError(DataError):
    """A patient, or an identical image, on two sides of a split."""


class ModelError(AsclipError):
    """Weights, a checkpoint or a run folder that do not fit."""

    exit_code = 5


class ResourceError(AsclipError):
    """The machine lacks space, memory or permission."""

    exit_code = 6


class MissingExtra(AsclipError):
    """An optional package is needed.

    >>> print(MissingExtra("timm", "timm backbones"))
    timm backbones need an extra that is not installed; run: pip install 'asclip[timm]'
    """

    exit_code = 7

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(
            f"{what} need an extra that is not installed; run: pip install 'asclip[{extra}]'"
        )


def nearest(word: str, known: list[str]) -> str:
    """A short hint with the names nearest to a mistyped `word`, or all the known ones.

    >>> nearest("glorai", ["clip", "gloria"])
    "did you mean 'gloria'?"
    """
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=3)
    if close:
        return "did you mean " + " or ".join(repr(name) for name in close) + "?"
    return "known: " + ", ".join(sorted(known))
