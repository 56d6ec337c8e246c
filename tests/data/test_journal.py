from __future__ import annotations

import math
import subprocess
import sys

import pytest

from asclip.data.journal import JOURNAL_FILE, Entry, Journal
from asclip.errors import DataError

HEADER = {"format": "1", "preprocessing": "abc"}


def entry(name: str, slot: int) -> Entry:
    return Entry(name, 10, 20, slot, digest="d", shape=(3, 4), spacing=(0.5, math.nan))


def test_round_trip_and_finish(tmp_path):
    with Journal(tmp_path, HEADER) as journal:
        journal.append([entry("a", 0), entry("b", 1)])
        assert not journal.finished
    with Journal(tmp_path, HEADER) as journal:
        assert not journal.finished
        found = journal.entries["a"]
        assert found.shape == (3, 4)
        assert found.spacing == pytest.approx((0.5, math.nan), nan_ok=True)
        journal.finish()
    with Journal(tmp_path, HEADER) as journal:
        assert journal.finished
        assert list(journal.entries) == ["a", "b"]


def test_a_line_cut_short_is_dropped(tmp_path):
    with Journal(tmp_path, HEADER) as journal:
        journal.append([entry("a", 0), entry("b", 1)])
    path = tmp_path / JOURNAL_FILE
    path.write_bytes(path.read_bytes()[:-7])
    with Journal(tmp_path, HEADER) as journal:
        assert list(journal.entries) == ["a"]
        journal.append([entry("b", 1)])
    with Journal(tmp_path, HEADER) as journal:
        assert list(journal.entries) == ["a", "b"]


def test_a_damaged_line_costs_one_file(tmp_path):
    with Journal(tmp_path, HEADER) as journal:
        journal.append([entry("a", 0), entry("b", 1), entry("c", 2)])
    path = tmp_path / JOURNAL_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"\0\0\0\n", lines[3]]))
    with Journal(tmp_path, HEADER) as journal:
        assert list(journal.entries) == ["a", "c"]


def test_other_settings_are_refused_and_fresh_starts_over(tmp_path):
    with Journal(tmp_path, HEADER) as journal:
        journal.append([entry("a", 0)])
    with pytest.raises(DataError, match=r"another preprocessing \(abc, now xyz\).*--fresh"):
        Journal(tmp_path, HEADER | {"preprocessing": "xyz"})
    with Journal(tmp_path, HEADER | {"preprocessing": "xyz"}, fresh=True) as journal:
        assert not journal.entries


@pytest.mark.skipif(sys.platform == "win32", reason="no record locks")
def test_two_at_once_are_refused(tmp_path):
    code = (
        "import sys; from asclip.data.journal import Journal; from asclip.errors import DataError\n"
        "try: Journal(__import__('pathlib').Path(sys.argv[1]), {})\n"
        "except DataError as error: print(error)"
    )
    with Journal(tmp_path, HEADER):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
        )
    assert "another ingest is writing" in done.stdout
