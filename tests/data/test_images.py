from __future__ import annotations

import numpy as np
import torch

from asclip.data.images import Jitter, RandomJitter


def jitter(**changes: object) -> Jitter:
    still = {"angle": np.zeros(1), "zoom": np.ones(1), "shift": np.zeros((1, 2))}
    return Jitter(**(still | {"gain": np.ones(1), "bias": np.zeros(1)} | changes))


def test_no_change_changes_nothing() -> None:
    images = torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(jitter()(images), images, atol=1e-5, rtol=1e-5)


def test_contrast_is_about_the_middle_grey() -> None:
    images = torch.tensor([[[[0.5, 0.6], [0.4, 0.5]]]])
    changed = jitter(gain=np.array([2.0]), bias=np.array([0.1]))(images)
    torch.testing.assert_close(changed, torch.tensor([[[[0.6, 0.8], [0.4, 0.6]]]]))


def test_a_mark_on_the_left_stays_on_the_left() -> None:
    images = torch.zeros(64, 1, 32, 32)
    images[:, :, 12:20, 4:10] = 1.0
    moved = RandomJitter(1.0).draw(64, np.random.default_rng(0))(images)
    brightest = moved.sum((1, 2)).argmax(1)  # a column; a changed brightness moves no column
    assert (brightest < 16).all()
    assert not torch.equal(moved[0], moved[1])


def test_a_slice_of_the_changes_is_the_slice_of_the_result() -> None:
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    drawn = RandomJitter(1.0).draw(6, np.random.default_rng(1))
    torch.testing.assert_close(drawn[slice(2, 4)](images[2:4]), drawn(images)[2:4])


def test_slices_of_a_volume_move_together_as_pictures_do() -> None:
    volumes = torch.rand(3, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    drawn = RandomJitter(1.0).draw(3, np.random.default_rng(1))
    moved = drawn(volumes)
    assert moved.shape == volumes.shape
    for number in range(4):
        torch.testing.assert_close(moved[:, :, number], drawn(volumes[:, :, number]))
