"""The state of a run: what a checkpoint holds, and the best weights so far."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from asclip.errors import ModelError
from asclip.towers.checkpoint import load_strict
from asclip.train import checkpoint
from asclip.train.optim import Average
from asclip.train.processes import world
from asclip.train.run import Run, to
from asclip.train.step import forward


class State:
    """What a checkpoint holds, and the best weights so far."""

    def __init__(
        self, run: Run, optimiser: torch.optim.Optimizer, average: Average | None, out: Path
    ) -> None:
        self.run, self.optimiser, self.average, self.out = run, optimiser, average, out
        self.best, self.best_loss = None, float("inf")

    def load(self) -> int:
        """Restore the last checkpoint; the number of steps done."""
        path = self.out / "checkpoint.pt"
        if not path.exists():
            return 0
        state = checkpoint.load(path)
        mine = self._identity()
        if not isinstance(state, dict) or "identity" not in state:
            raise ModelError(
                f"checkpoint.pt of {self.out.name!r} must be one that asclip pretrain wrote; it is "
                "another file; delete it, or start over with --fresh"
            )
        theirs = state["identity"]
        changed = [k for k in {**mine, **theirs} if mine.get(k) != theirs.get(k)]
        if changed:
            shown = ", ".join(f"{k} was {theirs.get(k)}, now {mine.get(k)}" for k in changed)
            raise ModelError(
                f"a run goes on with its own recipe, settings and data; changed since the "
                f"checkpoint was written: {shown}; use the same command, another --out, or --fresh"
            )
        what = f"checkpoint.pt of {self.out.name!r}"
        try:
            load_strict(self.run.model, state["model"], what)
            load_strict(self.run.objective, state["objective"], what)
        except ModelError as error:
            raise ModelError(f"{error}, or start over with --fresh") from None
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.restore(state["average"])
        self.best, self.best_loss = state["best"], state["best_loss"]
        if world()[0] == 0:
            checkpoint.trim_rows(self.out / "metrics.csv", state["step"])
        return state["step"]

    def _identity(self) -> dict[str, Any]:
        free = ("checkpoint_seconds", "tensorboard")  # these change no weight
        settings = {k: v for k, v in asdict(self.run.settings).items() if k not in free}
        data = self.run.batches.dataset.hash
        return self.run.recipe | settings | {"data": data, "steps": self.run.steps}

    def save(self, step: int) -> None:
        """Write the checkpoint (the first process does)."""
        if world()[0] != 0:
            return
        checkpoint.save(
            self.out / "checkpoint.pt",
            {
                "step": step,
                "identity": self._identity(),
                "model": self.run.model.state_dict(),
                "objective": self.run.objective.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "average": self.average.state() if self.average else [],
                "best": self.best,
                "best_loss": self.best_loss,
            },
        )

    @torch.no_grad()
    def validate(self) -> float:
        """Mean loss of the validation batches with the averaged weights; keeps the best."""
        run = self.run
        assert run.validation is not None
        if self.average is not None:
            self.average.swap()
        run.model.eval()
        run.objective.eval()
        losses = []
        for step in range(min(run.validation.per_epoch, 16)):
            batch = to(run.validation.at(step), run.device)
            losses.append(
                forward(run.model, run.objective, batch, run.settings.precision).total.item()
            )
        loss = sum(losses) / len(losses)
        if run.settings.keep == "best" and loss < self.best_loss:
            self.best_loss = loss
            self.best = [
                {k: v.detach().clone() for k, v in m.state_dict().items()}
                for m in (run.model, run.objective)
            ]
        if self.average is not None:
            self.average.swap()
        return loss

    def finish(self, steps: int) -> None:
        """Leave the weights to keep in the run's objects; the checkpoint stays behind as done."""
        self.save(steps)
        if self.best is not None:
            self.run.model.load_state_dict(self.best[0])
            self.run.objective.load_state_dict(self.best[1])
        elif self.average is not None:
            self.average.swap()
        self.run.model.eval()
        self.run.objective.eval()
