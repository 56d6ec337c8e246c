"""The signal tower: recordings [B, L, T] -> `Encoded` in the joint space.

    scale:  (x - centre) / scale of each lead, clipped; what is not known is 0
    stem:   1x8 stride 4 -> ReLU                                    T/4
    block:  x + gain * conv(ReLU(conv(LayerNorm(x)))), kernels 1x7  as in convnet.py
    stages: three, 1x2 stride 2 between them                        the last is T/16
    pooled: mean and maximum over time -> projection [B, D]; each place of the last stage, written
            in the space of the summary, is a local vector [B, N, D]

Convolutions in time are 2-D ones of one row: their kernels are the quick ones (see volume.py). A
last place sees 3.2 s at 100 Hz, more than two heart beats.

Paper    residual networks on 12-lead ECG: Ribeiro et al. 2020, doi 10.1038/s41467-020-15432-4
Differs  LayerNorm in place of BatchNorm, which would mix studies that have a signal with those that
         have none; a quarter of the width
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from asclip.data.signals import NONE, Signals
from asclip.errors import DataError, ModelError
from asclip.files.signal_preprocessing import LIMIT, SignalPreprocessing
from asclip.towers.checkpoint import read_config
from asclip.towers.convnet import ChannelNorm, initialise
from asclip.towers.projection import Projection
from asclip.types import Encoded

WIDTHS, DEPTHS, REACH = (32, 64, 128), (1, 1, 2), 7
NO_TOWER = (
    "this model has no tower for signals; train one with "
    "asclip pretrain DATA --recipe modalities --streams signal"
)


@dataclass(frozen=True, slots=True)
class SignalConfig:
    """Everything that rebuilds a signal tower, except its weights; plain JSON values.

    `width` is D; `preprocessing` how signals are made, with the constants of their scale.
    """

    preprocessing: dict[str, Any]
    width: int = 256
    dropout: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values for model.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SignalConfig:
        """The inverse of `to_json`; an unknown field is a ModelError."""
        return read_config(cls, values)


class Residual(nn.Module):
    """x + gain * conv(ReLU(conv(norm(x)))) in time, width unchanged."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.first = nn.Conv2d(channels, channels, (1, REACH), padding=(0, REACH // 2))
        self.second = nn.Conv2d(channels, channels, (1, REACH), padding=(0, REACH // 2))
        self.gain = nn.Parameter(torch.full((), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, 1, T] -> the same shape."""
        inner = self.second(functional.relu(self.first(self.norm(x))))
        return x + self.gain.to(inner.dtype) * inner


class SignalTower(nn.Module):
    """`tower(x)` is `Encoded(pooled [B, D], local [B, N, D] or None)`, not normalised."""

    def __init__(self, config: SignalConfig) -> None:
        super().__init__()
        self.config = config
        self.width = config.width
        self.how = SignalPreprocessing.from_json(config.preprocessing)
        stages: list[nn.Module] = [
            nn.Conv2d(self.how.leads, WIDTHS[0], (1, 8), stride=(1, 4), padding=(0, 2)),
            nn.ReLU(),
        ]
        for stage, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
            if stage:
                before = WIDTHS[stage - 1]
                stages += [ChannelNorm(before), nn.Conv2d(before, width, (1, 2), stride=(1, 2))]
            stages += [Residual(width) for _ in range(depth)]
        self.net = nn.Sequential(*stages, ChannelNorm(WIDTHS[-1]), nn.ReLU())
        initialise(self.net)
        self.projection = Projection(2 * WIDTHS[-1], config.width, dropout=config.dropout)

    def forward(self, x: Tensor, *, local: bool = True) -> Encoded:
        """Encode recordings [B, L, T] float32 as in the file, NaN where not known."""
        if x.shape[1:] != self.how.item_shape:
            raise ModelError(
                f"the signal tower takes [B, {self.how.leads}, {self.how.samples}], got "
                f"{tuple(x.shape)}; ingest with the --signal of the model's data set"
            )
        places = self.net(self.scaled(x)[:, :, None]).squeeze(2).transpose(1, 2)  # [B, N, F]
        pooled = self.projection(torch.cat([places.mean(1), places.amax(1)], 1))
        if not local:
            return Encoded(pooled)
        return Encoded(pooled, self.projection(torch.cat([places, places], 2)))

    def scaled(self, x: Tensor) -> Tensor:
        """(x - centre) / scale of each lead, within +-`LIMIT`, 0 where not known."""
        centre, scale = (
            torch.tensor(values, dtype=x.dtype, device=x.device)[:, None]
            for values in (self.how.centre, self.how.scale)
        )
        return ((x - centre) / scale).clamp(-LIMIT, LIMIT).nan_to_num(0.0)


def signal_tower(signals: Signals | None, width: int, dropout: float = 0.0) -> SignalTower:
    """A tower with random weights for the signals of a data set.

    Raises:
        DataError: it has none.
    """
    if signals is None:
        raise DataError(NONE)
    return SignalTower(SignalConfig(signals.how.to_json(), width, dropout))


@torch.no_grad()
def encode_signals(
    tower: SignalTower | None, signals: Signals | None, *, batch: int = 256
) -> Encoded:
    """[n, D] float32 on the CPU of each study's signal, NaN where it has none.

    Raises:
        ModelError: no tower, or signals that were made in another way than those of its training.
        DataError: the data set has no signals.
    """
    if tower is None:
        raise ModelError(NO_TOWER)
    if signals is None:
        raise DataError(NONE)
    ours, theirs = tower.how, signals.how
    if (ours.item_shape, ours.rate) != (theirs.item_shape, theirs.rate):
        raise ModelError(
            f"the model was trained on signals of {ours.shown}, the data set has {theirs.shown}; "
            f"ingest it again with --signal {ours.shown}"
        )
    device = next(tower.parameters()).device
    found = torch.full((len(signals.rows), tower.width), torch.nan)
    rows = (signals.rows >= 0).nonzero()[0]
    for start in range(0, len(rows), batch):
        here = rows[start : start + batch]
        values, _ = signals.of(here)
        found[torch.from_numpy(here)] = tower(values.to(device), local=False).pooled.float().cpu()
    return Encoded(found)
