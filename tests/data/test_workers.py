from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asclip.data import workers
from asclip.data.journal import Entry
from asclip.errors import FileError


def test_blank_is_one_value_perhaps_with_a_border():
    grey = np.zeros((8, 8), np.uint8)
    assert workers.is_blank(grey)
    grey[2:6] = 9
    assert workers.is_blank(grey)
    grey[3, 3] = 10
    assert not workers.is_blank(grey)
    colour = np.zeros((8, 8, 3), np.uint8)
    colour[2:6] = (200, 20, 2)
    assert workers.is_blank(colour)


@pytest.mark.parametrize(
    ("error", "reason", "lasting"),
    [
        (
            FileError("/x/p1/a.dcm: p1/a.dcm is  cut; a.dcm"),
            "the file: the file is cut; the file",
            True,
        ),
        (ValueError("PatientName is Roe"), "cannot be decoded (ValueError)", True),
        (PermissionError(13, "Permission denied"), "cannot be read: Permission denied", False),
        (MemoryError(), "needs more memory than there is", False),
    ],
)
def test_reasons_have_no_path_and_no_header(monkeypatch, small, error, reason, lasting):
    import asclip.files

    def failing(path: Path, **options: object) -> None:
        raise error

    monkeypatch.setattr(asclip.files, "read", failing, raising=False)
    monkeypatch.setattr(workers, "_setup", workers.Setup(Path("/x"), Path(), small, "v1"))
    (entry,) = workers.decode([workers.Task("p1/a.dcm", Entry("f", 1, 2, 0))])
    assert (entry.reason, entry.lasting, entry.software) == (reason, lasting, "v1")
    assert entry.digest == ""
