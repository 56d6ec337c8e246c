"""Kills, crashes and full disks: nothing is lost, nothing hangs, nothing is done twice."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from asclip.data import pool
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.errors import ResourceError

KEY = "ab" * 32
FILES = ("studies.parquet", "images.parquet", "pixels.u8", "quarantine.csv")
# Slow enough to be killed in the middle; each decoding leaves a mark.
SLOW = """
import sys, time
from pathlib import Path
import asclip.files
from asclip.files.reader import read
def slow(path, **options):
    time.sleep(0.02)
    return read(path, **options)
asclip.files.read = slow
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing
ingest(Table(sys.argv[1]), sys.argv[2], Preprocessing(size=(16, 16)), workers=2)
"""


def entries(out: Path) -> list[str]:
    found = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
    return [line["file"] for line in found if "file" in line]


def outcome(out: Path) -> list[bytes]:
    return [(out / name).read_bytes() for name in FILES]


def prepared(out: Path) -> Path:
    out.mkdir()
    (out / "key.private").write_text(KEY)
    return out


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9")
def test_killed_and_continued_equals_unbroken(hospital, small, tmp_path):
    table = hospital(120)
    (table.parent / "film007.png").write_bytes(b"")
    whole = prepared(tmp_path / "whole")
    ingest(Table(table), whole, small, workers=2)
    out = prepared(tmp_path / "out")
    for wanted in (20, 60):
        process = subprocess.Popen([sys.executable, "-c", SLOW, str(table), str(out)])
        journal = out / "journal.jsonl"
        end = time.monotonic() + 30
        while time.monotonic() < end and process.poll() is None:
            if journal.exists() and journal.read_bytes().count(b"\n") > wanted:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert wanted <= len(entries(out)) < 120
        assert not (out / "dataset.json").exists()
    done = set(entries(out))
    ingest(Table(table), out, small, workers=2)
    assert outcome(out) == outcome(whole)
    # No file has two lines: what the journal had was not decoded again.
    assert max(Counter(entries(out)).values()) == 1
    assert len(entries(out)) == 120 > len(done)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_killed_ingest_leaves_no_workers(hospital, tmp_path):
    table = hospital(200)
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(table), str(out)])
    children: list[str] = []
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    end = time.monotonic() + 30
    while len(children) < 2 and time.monotonic() < end:
        children = path.read_text().split()
        time.sleep(0.01)
    process.kill()
    process.wait()
    end = time.monotonic() + 10
    while any(alive(child) for child in children) and time.monotonic() < end:
        time.sleep(0.02)
    assert len(children) == 2
    assert not any(alive(child) for child in children)


def alive(process: str) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="a patched reader reaches forked workers only")
def test_a_crashing_decoder_costs_one_file(hospital, small, tmp_path, monkeypatch):
    import asclip.files

    read = asclip.files.read

    def crashing(path: Path, **options: object):
        if path.name in ("film005.png", "film031.png"):
            os.kill(os.getpid(), signal.SIGKILL)  # as quiet as the memory guard
        return read(path, **options)

    monkeypatch.setattr(asclip.files, "read", crashing, raising=False)
    data = ingest(Table(hospital(40)), tmp_path / "out", small, workers=2)
    assert len(data) == 38
    lines = (tmp_path / "out" / "quarantine.csv").read_text().splitlines()
    assert sorted(line.split(",")[0] for line in lines[1:]) == ["film005.png", "film031.png"]
    assert all("decoder crashed" in line for line in lines[1:])
    # It may have been the machine's memory: the next run tries these again.
    monkeypatch.undo()
    assert len(ingest(Table(hospital(40)), tmp_path / "out", small, workers=2)) == 40


def test_a_full_disk_is_found_before_the_work(hospital, small, tmp_path, monkeypatch):
    def full(handle: int, offset: int, length: int) -> None:
        os.ftruncate(handle, offset + length // 2)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(ResourceError, match=r"2,560 bytes free .*the same command continues"):
        ingest(Table(hospital(10)), tmp_path / "out", small, workers=0)
    assert entries(tmp_path / "out") == []
    assert (tmp_path / "out" / "pixels.u8").stat().st_size == 0  # what was taken is given back
    monkeypatch.undo()
    assert len(ingest(Table(hospital(10)), tmp_path / "out", small, workers=0)) == 10


def test_a_disk_that_fills_in_the_middle_leaves_a_resumable_state(
    hospital, small, tmp_path, monkeypatch
):
    table = hospital(30)
    whole = prepared(tmp_path / "whole")
    ingest(Table(table), whole, small, workers=0)
    out = prepared(tmp_path / "out")
    pwrite, calls = os.pwrite, []

    def filling(handle: int, data: bytes, place: int) -> int:
        calls.append(place)
        if len(calls) > 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(handle, data, place)

    monkeypatch.setattr(os, "pwrite", filling)
    with pytest.raises(ResourceError, match="bytes free"):
        ingest(Table(table), out, small, workers=0)
    monkeypatch.undo()
    assert len(entries(out)) == 12
    ingest(Table(table), out, small, workers=0)
    assert outcome(out) == outcome(whole)
    assert max(Counter(entries(out)).values()) == 1


def test_pixels_lost_in_a_power_cut_are_decoded_again(hospital, small, tmp_path):
    table = hospital(10)
    out = prepared(tmp_path / "out")
    ingest(Table(table), out, small, workers=0)
    expected = outcome(out)
    journal = out / "journal.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))  # not finished
    with (out / "pixels.u8").open("r+b") as file:
        file.seek(3 * 256)
        file.write(bytes(256))
    ingest(Table(table), out, small, workers=0)
    assert outcome(out) == expected
    assert Counter(Counter(entries(out)).values()) == {1: 9, 2: 1}


@pytest.fixture
def tiny_disk(tmp_path: Path):
    """A file system of 256 KiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine does not let a test mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_truly_full_disk(hospital, small, tiny_disk):
    table = hospital(40)
    out = tiny_disk / "out"
    (tiny_disk / "ballast").write_bytes(bytes(250 * 1024))
    with pytest.raises(ResourceError, match="bytes free"):
        ingest(Table(table), out, small, workers=2)
    (tiny_disk / "ballast").unlink()
    assert len(ingest(Table(table), out, small, workers=2)) == 40


def test_interrupt_is_for_the_main_process(hospital, small, tmp_path):
    # Ctrl-C reaches the whole group; workers ignore it, so that no chunk is half reported.
    del hospital, small, tmp_path
    code = (
        "import signal; from asclip.data import workers\n"
        "from pathlib import Path\n"
        "workers.start(workers.Setup(Path(), Path('/dev/null'), None, ''))\n"
        "assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert pool.count(None) >= 1
