from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from asclip.data.signals import Signals
from asclip.errors import DataError, ModelError
from asclip.files.preprocessing import Preprocessing
from asclip.files.signal_preprocessing import LIMIT, SignalPreprocessing
from asclip.pretrain.frontier.modalities import Modalities
from asclip.towers.model import Model
from asclip.towers.signal import signal_tower
from asclip.train.step import cached_step, plain_step
from asclip.types import Batch, Facts

HOW = SignalPreprocessing(3, 128, 100.0)
ROWS = np.array([2, -1, 0, 3, -1, 1])


def recorded(how: SignalPreprocessing = HOW) -> Signals:
    items = np.random.default_rng(0).normal(1.0, 0.3, (4, *how.item_shape)).astype(np.float32)
    items[0, 1, :40] = np.nan
    return Signals(items, ROWS, how.measured(items))


@pytest.fixture
def third(encoder):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder.signal = signal_tower(recorded(), 16)
    return encoder


def test_the_tower_gives_a_summary_and_places(third) -> None:
    x, _ = recorded().of(np.arange(6))
    found = third.stream("signal", x, local=True)
    assert found.pooled.shape == (6, 16)
    assert found.local.shape == (6, 8, 16)
    assert torch.isfinite(found.pooled).all()
    alone = third.stream("signal", x[2:3], local=False)
    torch.testing.assert_close(alone.pooled, found.pooled[2:3])
    assert alone.local is None
    with pytest.raises(ModelError, match=r"takes \[B, 3, 128\]"):
        third.signal(torch.zeros(2, 12, 128))


def test_values_are_scaled_by_lead_clipped_and_unknown_is_the_centre(third) -> None:
    tower, how = third.signal, recorded().how
    x = torch.tensor(how.centre)[:, None].repeat(1, 128)[None]
    x[0, :, 1] += torch.tensor(how.scale)
    x[0, :, 2], x[0, :, 3] = 1e9, torch.nan
    wanted = torch.tensor([0.0, 1.0, LIMIT, 0.0])
    torch.testing.assert_close(tower.scaled(x)[0, :, :4], wanted.repeat(3, 1))


def test_a_model_without_the_tower_says_so(encoder, model) -> None:
    x, _ = recorded().of(np.arange(2))
    with pytest.raises(ModelError, match="--streams signal"):
        encoder.stream("signal", x, local=False)
    with pytest.raises(ModelError, match="--streams signal"):
        model.encode_signals(SimpleNamespace(signals=recorded()))
    with pytest.raises(DataError, match="--map signal=COLUMN"):
        signal_tower(None, 16)
    assert not any(name.startswith("signal") for name in encoder.state_dict())
    assert "signal" not in model.to_json()


def test_saved_and_loaded_it_says_the_same(third, tokenizer, tmp_path: Path) -> None:
    model = Model(third, tokenizer, Preprocessing(size=(32, 32)), scale=14.0)
    data = SimpleNamespace(signals=recorded())
    model.save(tmp_path)
    again = Model.load(tmp_path)
    before, after = (one.encode_signals(data, batch=3).pooled for one in (model, again))
    assert torch.equal(before.nan_to_num(), after.nan_to_num())
    assert before.isnan().any(1).tolist() == (ROWS < 0).tolist()
    assert again.encoder.signal is not None
    assert again.encoder.signal.how == recorded().how
    other = SignalPreprocessing(3, 128, 50.0)
    with pytest.raises(ModelError, match=r"trained on signals of 3x128@100, .* has 3x128@50"):
        again.encode_signals(SimpleNamespace(signals=recorded(other)))
    with pytest.raises(DataError, match="--map signal=COLUMN"):
        again.encode_signals(SimpleNamespace(signals=None))


@pytest.mark.parametrize("chunk", [0, 2])
def test_the_signal_of_a_study_without_one_changes_nothing(third, tokenizer, chunk: int) -> None:
    values, has = recorded().of(np.arange(6))
    pixels = torch.randn(6, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    texts = tokenizer.encode([f"nodule of {k} mm" for k in range(6)])
    numbers = torch.arange(6)
    targets = {"study": numbers, "owner": numbers, "text": numbers, "has_signal": has}
    objective = Modalities((("signal", "has_signal"),))

    def gradients(signal: torch.Tensor) -> dict[str, torch.Tensor]:
        batch = Batch(
            {"image": pixels, "signal": signal}, {"text": texts}, Facts(numbers, None, targets)
        )
        third.zero_grad(set_to_none=True)
        if chunk:
            loss = cached_step(third, objective, batch, chunk=chunk)
        else:
            loss = plain_step(third, objective, batch)
        found = {name: p.grad.clone() for name, p in third.named_parameters() if p.grad is not None}
        return found | {"loss": loss.total.detach()}

    noise = torch.randn(values.shape, generator=torch.Generator().manual_seed(1))
    one = gradients(values)
    two = gradients(torch.where(has[:, None, None], values, 100 * noise))
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], msg=name)
    assert one["signal.net.0.weight"].abs().sum() > 0
    assert one["image.backbone.net.stem.0.weight"].abs().sum() > 0
    three = gradients(torch.where(has[:, None, None], values + noise, values))
    assert not torch.allclose(three["loss"], one["loss"])
