from __future__ import annotations

import csv
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from asclip.errors import ModelError
from asclip.train.loop import train
from asclip.train.run import Run
from asclip.train.settings import Settings
from toy import OBJECTIVES, ToyEncoder, toy_batch

SETTINGS = Settings(
    steps=30,
    lr=1e-2,
    batch=6,
    dropout=0.5,
    evaluations=3,
    checkpoint_seconds=1e-9,
    precision="fp32",
)


class ToyBatches:
    """Another batch each step, made of the step's number alone."""

    size, per_epoch, rows = 6, 5, range(30)
    dataset = SimpleNamespace(hash="toy")

    def __init__(self, pause: float = 0.0) -> None:
        self.pause = pause

    def at(self, step: int):
        time.sleep(self.pause)
        return toy_batch(seed=step % 50)


def make_run(settings: Settings = SETTINGS, *, pause: float = 0.0, name: str = "clip") -> Run:
    torch.manual_seed(0)
    batches = ToyBatches(pause)
    return Run(ToyEncoder(dropout=0.5), OBJECTIVES[name](), batches, batches, settings)


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "metrics.csv").open() as file:
        timed = ("samples_per_second", "data_wait_share")
        return [{k: v for k, v in row.items() if k not in timed} for row in csv.DictReader(file)]


def test_loss_falls_and_the_log_tells(tmp_path: Path) -> None:
    run = make_run(replace(SETTINGS, steps=200, average=0.0, dropout=0.0))
    last = train(run, tmp_path)
    log = rows(tmp_path)
    assert float(log[-1]["val_loss"]) < 0.8 * float(log[0]["loss"])
    assert last["step"] == 200
    assert {"loss", "lr", "val_loss", "image_to_text", "scale"} <= set(log[-1])
    assert 0 <= last["data_wait_share"] <= 1


@pytest.mark.parametrize("chunk", [0, 4])
def test_a_killed_run_goes_on_bit_for_bit(tmp_path: Path, chunk: int) -> None:
    """Killed with SIGKILL in the middle, continued by another process, equal to an unbroken run."""
    settings = replace(SETTINGS, chunk=chunk)
    whole = make_run(settings)
    train(whole, tmp_path / "whole")
    broken = tmp_path / "broken"
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from dataclasses import replace\n"
        "import torch; torch.set_num_threads(int(sys.argv[4]))\n"
        "from test_loop import SETTINGS, make_run, train\n"
        "train(make_run(replace(SETTINGS, chunk=int(sys.argv[3])), pause=0.05), Path(sys.argv[2]))"
    )
    here = Path(__file__).parent
    words = [str(here), str(broken), str(chunk), str(torch.get_num_threads())]
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(here.parent)!r})\n{code}",
            *words,
        ]
    )
    broken.mkdir(exist_ok=True)
    end = time.monotonic() + 60
    while len(rows(broken) if (broken / "metrics.csv").exists() else []) < 1:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < end, "the run did not start"
        time.sleep(0.01)
    time.sleep(0.2)
    process.kill()
    process.wait()
    done = torch.load(broken / "checkpoint.pt", weights_only=True)["step"]
    assert 0 < done < 30
    again = make_run(settings)
    train(again, broken)
    for one, two in ((whole.model, again.model), (whole.objective, again.objective)):
        for key, value in one.state_dict().items():
            assert torch.equal(value, two.state_dict()[key]), key
    assert rows(tmp_path / "whole") == rows(broken)


def test_ctrl_c_keeps_the_step_under_way_and_the_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = make_run()
    train(whole, tmp_path / "whole")
    run = make_run(replace(SETTINGS, checkpoint_seconds=1e9))

    class Interrupting(ToyBatches):
        def at(self, step: int):
            if step == 12:
                os.kill(os.getpid(), signal.SIGINT)
            return super().at(step)

    run.batches = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        train(run, tmp_path / "cut")
    assert (tmp_path / "cut" / "checkpoint.pt").exists()
    again = make_run(replace(SETTINGS, checkpoint_seconds=1e9))
    train(again, tmp_path / "cut")
    for one, other in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_changed_settings_are_refused_and_fresh_starts_over(tmp_path: Path) -> None:
    train(make_run(), tmp_path)
    changed = replace(SETTINGS, lr=5e-3)
    with pytest.raises(ModelError, match=r"lr was 0\.01, now 0\.005"):
        train(make_run(changed), tmp_path)
    other = make_run()
    other.recipe = {"recipe": "clip", "temperature": 0.5}
    with pytest.raises(ModelError, match=r"temperature was None, now 0\.5"):
        train(other, tmp_path)
    train(make_run(changed), tmp_path, fresh=True)
    assert len(rows(tmp_path)) == 3


def test_best_weights_are_those_of_the_lowest_validation_loss(tmp_path: Path) -> None:
    """A learning rate that ruins the weights at the end: "best" keeps the earlier ones."""
    run = make_run(replace(SETTINGS, keep="best", average=0.0, lr=3.0, evaluations=30))
    train(run, tmp_path)
    from asclip.train.step import forward

    run.model.eval()
    with torch.no_grad():
        kept = sum(
            forward(run.model, run.objective, toy_batch(seed=s), "fp32").total for s in range(5)
        )
    losses = [float(row["val_loss"]) for row in rows(tmp_path) if row["val_loss"]]
    assert kept / 5 == pytest.approx(min(losses), abs=1e-4)
    assert min(losses) < losses[-1]


def test_a_scale_beyond_its_bound_comes_back(tmp_path: Path) -> None:
    """Beyond it there is no gradient: an update has to bring it back before it can learn."""
    run = make_run(replace(SETTINGS, average=0.0))
    run.objective.log_scale.data.fill_(7.0)
    seen = []
    train(run, tmp_path, report=lambda *_: seen.append(run.objective.log_scale.item()))
    assert max(seen) <= math.log(100) + 1e-6
    assert len(set(seen)) > 1  # it learns


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    run = make_run()
    with torch.no_grad():
        run.model.image.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="must stay finite"):
        train(run, tmp_path)


def test_accumulation_averages_batches(tmp_path: Path) -> None:
    """Two equal batches accumulated are one batch."""

    class Same(ToyBatches):
        def at(self, step: int):
            return toy_batch(seed=0)

    plain = replace(SETTINGS, steps=3, dropout=0.0, average=0.0, evaluations=0)
    found = []
    for number in (1, 2):
        torch.manual_seed(0)
        run = Run(
            ToyEncoder(), OBJECTIVES["clip"](), Same(), None, replace(plain, accumulate=number)
        )
        train(run, tmp_path / str(number))
        found.append(run.model.state_dict())
    for key, value in found[0].items():
        torch.testing.assert_close(found[1][key], value, atol=1e-6, rtol=1e-6)
