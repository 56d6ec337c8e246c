"""Bytes on disk -> `Image`: values, spacing and orientation as the file states them. No torch.

    read(path)                        -> types.Image, by content and not by extension
    preprocessing.Preprocessing       -> uint8 array, the one recorded way from Image to a model
    report.sections, report.sentences -> the parts of a report

Order of work: `reader` sniffs the format; `dicom`, `volume` and `raster` read one family each;
`intensity`, `geometry` and `resample` are the arithmetic on values, axes and grids. Every refusal
is an `asclip.errors.FileError` whose message gives the reason and never quotes the header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asclip.files.reader import read

__all__ = ["read"]


def __getattr__(name: str) -> object:
    """Load `read` on first use, so that importing the package stays light."""
    if name == "read":
        from asclip.files.reader import read

        return read
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
