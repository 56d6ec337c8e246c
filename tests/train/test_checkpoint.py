from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from asclip.errors import ModelError, ResourceError
from asclip.train import checkpoint


class Evil:
    def __reduce__(self):
        return (print, ("this code must not run",))


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, capsys) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"step": 1, "model": Evil()}, path)
    with pytest.raises(ModelError, match="holds code"):
        checkpoint.load(path)
    path.write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(ModelError):
        checkpoint.load(path)
    assert "must not run" not in capsys.readouterr().out


def test_a_cut_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 1, "x": torch.ones(1000)})
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ModelError, match="whole checkpoint"):
        checkpoint.load(path)


@pytest.mark.parametrize("content", [b"", b"junk", b"\x80\x02junk", b"PK\x03\x04junk", bytes(100)])
def test_a_damaged_file_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"--fresh|not loaded"):
        checkpoint.load(path)


def test_a_full_disk_keeps_the_old_checkpoint(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ResourceError, match="free some space"):
        checkpoint.save(path, {"step": 2})
    monkeypatch.undo()
    assert checkpoint.load(path)["step"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_ctrl_c_while_writing_is_no_full_disk(tmp_path: Path, monkeypatch) -> None:
    def interrupted(*_: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise RuntimeError("unexpected pos 64")  # noqa: B904 - as torch's writer does

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path / "checkpoint.pt", {"step": 1})


def test_rows_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n10,3\n20,2\n30,1\n3")
    checkpoint.trim_rows(path, 20)
    assert path.read_text().split() == ["step,loss", "10,3", "20,2"]


def test_tensorboard_gets_the_same_numbers(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra `track` is not installed")
    log = checkpoint.Log(tmp_path, ["step", "loss"], board=True)
    log.write({"step": 10, "loss": 0.5})
    log.close()
    assert (tmp_path / "metrics.csv").read_text().split() == ["step,loss", "10,0.5"]
    assert [p.stat().st_size > 0 for p in (tmp_path / "tensorboard").iterdir()] == [True]
