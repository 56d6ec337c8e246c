from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from asclip.files.signal_preprocessing import SignalPreprocessing
from asclip.tasks.crossmodal.signals import SignalRetrieval
from asclip.types import Encoded


def test_ranks_in_both_directions_equal_a_plain_computation(toy_data, toy_model) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 8))
    signals = vectors + 1.0 * rng.normal(size=(30, 8))
    signals[[4, 9]] = np.nan
    data, model = toy_data(vectors, text=[""] * 30), toy_model({})
    data.signals = SimpleNamespace(how=SignalPreprocessing())
    model.encode_signals = lambda _: Encoded(torch.tensor(signals, dtype=torch.float32))
    task = SignalRetrieval(resamples=50)
    found = task.predict(model, data)
    kept = np.array([k for k in range(30) if k not in (4, 9)])
    unit = [x[kept] / np.linalg.norm(x[kept], axis=1, keepdims=True) for x in (vectors, signals)]
    cosine = unit[0] @ unit[1].T
    own = np.diag(cosine)
    np.testing.assert_array_equal(found.scores[kept, 0], (cosine >= own[:, None]).sum(1))
    np.testing.assert_array_equal(found.scores[kept, 1], (cosine >= own[None]).sum(0))
    assert np.isnan(found.scores[[4, 9]]).all()
    assert found.labels == ("image_to_signal_rank", "signal_to_image_rank")
    assert found.provenance["pool"] == 28
    assert found.provenance["left_out"] == {"no_signal": 2}
    scores = {one.metric: one for one in task.evaluate(found)}
    assert len(scores) == 10
    best = scores["signal_to_image_R@5"]
    assert best.value == np.mean(found.scores[kept, 1] <= 5)
    assert (best.pool, best.n, best.task) == (28, 28, "signal-retrieval")
    assert best.chance == pytest.approx(5 / 28)
    assert best.low <= best.value <= best.high


def test_nobody_with_a_signal_is_not_a_number_with_its_reason(toy_data, toy_model) -> None:
    data, model = toy_data(np.eye(4), text=[""] * 4), toy_model({})
    data.signals = SimpleNamespace(how=SignalPreprocessing())
    model.encode_signals = lambda _: Encoded(torch.full((4, 4), torch.nan))
    task = SignalRetrieval()
    for one in task.evaluate(task.predict(model, data)):
        assert np.isnan(one.value)
        assert one.why_nan == "no study of this split has an image and a signal"
