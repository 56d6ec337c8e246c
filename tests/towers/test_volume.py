from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from asclip.towers.image import ImageConfig, image_tower
from asclip.towers.volume import Across, VolumeNet, neighbours, pairs

SMALL = {"widths": (4, 6, 8, 10), "depths": (1, 2, 1, 1), "stem": 3}


def deep(conv: nn.Module, depth: int) -> Tensor:
    """Weights over slices as channels [F, depth * C, h, w] -> 3-D weights [F, C, depth, h, w]."""
    return conv.weight.unflatten(1, (depth, -1)).transpose(1, 2)


def conv(x: Tensor, layer: nn.Module, weight: Tensor, **how) -> Tensor:
    return functional.conv3d(x, weight, layer.bias, **how)


def norm(x: Tensor, layer: nn.Module) -> Tensor:
    rows = x.movedim(1, -1)
    rows = functional.layer_norm(rows, rows.shape[-1:], layer.weight, layer.bias)
    return rows.movedim(-1, 1)


def plain(net: VolumeNet, x: Tensor) -> Tensor:
    """The same network in 3-D convolutions; [B, 1, Z, H, W], Z a multiple of 16."""
    first, _, second = net.stem
    x = conv(x, first, first.weight[:, None], stride=2, padding=1)
    x = conv(x.relu(), second, second.weight[:, :, None], stride=(1, 2, 2))
    for stage, blocks in enumerate(net.stages):
        finer = x
        if stage:
            reduce = net.reduce[stage - 1]
            x = conv(norm(x, net.norms[stage - 1]), reduce, deep(reduce, 2), stride=2)
        for block in blocks:
            within, across = block.within, block.across.conv
            inner = conv(norm(x, block.norm), within, within.weight[:, :, None], padding=(0, 1, 1))
            inner = conv(inner.relu(), across, across.weight[..., None], padding=(1, 0, 0))
            x = x + block.gain * inner
    detail = conv(norm(finer, net.detail_norm), net.detail, net.detail.weight[:, :, None])
    coarse = functional.interpolate(x, size=detail.shape[-3:], mode="nearest")
    return norm(coarse + detail, net.norm).relu()


def test_the_network_is_one_of_three_dimensional_convolutions():
    torch.manual_seed(0)
    net = VolumeNet(1, **SMALL)
    nn.init.normal_(net.detail.weight)
    x = torch.randn(2, 1, 32, 32, 64)
    found, expected = net(x), plain(net, x)
    assert found.shape == (2, 10, 4, 2, 4)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    weight = torch.randn(expected.shape)
    parameters = list(net.parameters())
    ours = torch.autograd.grad((found * weight).sum(), parameters)
    theirs = torch.autograd.grad((expected * weight).sum(), parameters)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_slices_lie_side_by_side():
    x = torch.arange(4.0).view(1, 1, 4, 1, 1)
    assert neighbours(x)[..., 0, 0].tolist() == [[0, 0, 1, 2], [1, 2, 3, 0]]
    stack = torch.arange(6.0).view(6, 1, 1, 1)  # two studies of three slices
    assert pairs(stack, 3)[..., 0, 0].tolist() == [[0, 1], [2, 2], [3, 4], [5, 5]]


@pytest.mark.parametrize("slices", [1, 2, 3, 8])
def test_gradients_in_bfloat16_are_near_those_in_float32(slices):
    """Those of a 3-D kernel on two slices are not, which is why there is none."""
    torch.manual_seed(0)
    layer = Across(64)
    x, weight = torch.randn(4 * slices, 64, 2, 2), torch.randn(4 * slices, 64, 2, 2)
    found = []
    for rough in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=rough):
            out = layer(x, slices)
        found.append(torch.autograd.grad((out.float() * weight).sum(), layer.conv.weight)[0])
    exact, near = found
    assert (exact - near).abs().max() < 0.02 * exact.abs().max()


@pytest.mark.parametrize(
    ("name", "size", "grid"),
    [
        ("tiny-3d", (32, 64, 96), (4, 4, 6)),
        ("small-3d", (16, 32, 32), (2, 2, 2)),
        ("tiny-3d", (9, 40, 33), (1, 2, 2)),
    ],
)
def test_presets_give_pooled_and_local_vectors_of_the_joint_width(name, size, grid):
    tower = image_tower(ImageConfig(name, width=24, size=size))
    encoded = tower(torch.randn(2, 1, *size))
    assert encoded.pooled.shape == (2, 24)
    assert encoded.local is not None
    assert tower.grid == grid
    assert encoded.local.shape == (2, grid[0] * grid[1] * grid[2], 24)


def test_every_weight_has_a_gradient():
    tower = image_tower(ImageConfig("tiny-3d", width=8, size=(16, 32, 32), local="own"))
    encoded = tower(torch.randn(4, 1, 16, 32, 32))
    assert encoded.local is not None
    (encoded.pooled.square().sum() + encoded.local.square().sum()).backward()
    assert [n for n, p in tower.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("place", [(0, 0, 0), (1, 0, 1), (0, 1, 1)])
def test_local_vectors_lie_over_their_own_cells(place):
    torch.manual_seed(0)
    tower = image_tower(ImageConfig("tiny-3d", width=8, size=(32, 64, 64))).eval()
    nn.init.normal_(tower.backbone.net.detail.weight)
    blank = torch.randn(1, 1, 32, 64, 64)
    spot = blank.clone()
    # The middle of a cell of the coarse grid: 16 x 32 x 32 voxels, of the local one 8 x 16 x 16.
    z, y, x = (int((k + 0.5) * step) for k, step in zip(place, (16, 32, 32), strict=True))
    spot[..., z - 2 : z + 2, y - 4 : y + 4, x - 4 : x + 4] += 3.0
    change = (tower.raw(blank).local - tower.raw(spot).local).square().sum(-1).view(4, 4, 4)
    near = torch.zeros(4, 4, 4, dtype=torch.bool)
    near[tuple(slice(2 * k, 2 * k + 2) for k in place)] = True
    assert change[near].mean() > 4 * change[~near].mean()


def test_a_batch_is_its_volumes_one_by_one():
    tower = image_tower(ImageConfig("tiny-3d", width=8, size=(16, 32, 32))).eval()
    x = torch.randn(3, 1, 16, 32, 32)
    with torch.no_grad():
        whole, single = tower(x), [tower(one[None]) for one in x]
    torch.testing.assert_close(whole.pooled, torch.cat([e.pooled for e in single]))
    torch.testing.assert_close(whole.local, torch.cat([e.local for e in single]))
