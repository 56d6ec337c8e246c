from __future__ import annotations

import pytest
import torch

from asclip.errors import MissingExtra, ModelError
from asclip.towers.image import ImageConfig, ImageTower, image_tower
from asclip.types import Encoded


@pytest.mark.parametrize("name", ["tiny", "small", "base"])
def test_presets_give_pooled_and_local_vectors_of_the_joint_width(name):
    tower = image_tower(ImageConfig(name, width=24, size=(64, 96)))
    encoded = tower(torch.randn(2, 1, 64, 96))
    assert encoded.pooled.shape == (2, 24)
    assert encoded.local is not None
    assert encoded.local.shape == (2, tower.grid[0] * tower.grid[1], 24)
    assert encoded.pooled.dtype == torch.float32
    assert tower.grid == (4, 6)


def test_local_vectors_are_not_computed_unless_asked():
    tower = image_tower(ImageConfig(width=8, size=(32, 32)))
    assert tower(torch.zeros(1, 1, 32, 32), local=False).local is None


def test_every_weight_of_a_free_tower_has_a_gradient():
    tower = image_tower(ImageConfig(width=8, size=(32, 32), local="own"))
    encoded = tower(torch.randn(4, 1, 32, 32))
    assert encoded.local is not None
    (encoded.pooled.square().sum() + encoded.local.square().sum()).backward()
    assert [n for n, p in tower.named_parameters() if p.grad is None] == []


def test_a_locked_backbone_stays_in_evaluation_and_has_no_gradient():
    tower = image_tower(ImageConfig("efficientnet-lite0", width=8, locked=True), pretrained=False)
    before = {k: v.clone() for k, v in tower.backbone.state_dict().items()}
    tower.train()
    assert not any(m.training for m in tower.backbone.modules())
    assert tower.projection.training
    tower(torch.randn(2, 1, 64, 64)).pooled.sum().backward()
    assert all(p.grad is None for p in tower.backbone.parameters())
    assert all(p.grad is not None for p in tower.projection.parameters())
    assert all(torch.equal(before[k], v) for k, v in tower.backbone.state_dict().items())


@pytest.mark.parametrize("local", ["shared", "own"])
def test_raw_features_projected_later_equal_the_direct_way(local):
    tower = image_tower(ImageConfig(width=8, size=(32, 32), local=local)).eval()
    x = torch.randn(3, 1, 32, 32)
    direct, later = tower(x), tower(tower.raw(x))
    torch.testing.assert_close(direct.pooled, later.pooled)
    torch.testing.assert_close(direct.local, later.local)
    assert tower.raw(x).pooled.shape == (3, tower.features)


def test_pooled_only_features_cannot_give_local_vectors():
    tower = image_tower(ImageConfig(width=8, size=(32, 32)))
    with pytest.raises(ModelError, match="local=True"):
        tower(Encoded(torch.zeros(2, tower.features)), local=True)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 3), (3, 1)])
def test_local_vectors_lie_over_the_middle_of_their_cells(row, column):
    tower = image_tower(ImageConfig(width=8, size=(128, 128))).eval()
    torch.nn.init.normal_(tower.backbone.net.detail.weight)
    blank = torch.randn(1, 1, 128, 128)
    spot = blank.clone()
    top, left = 32 * row + 12, 32 * column + 12  # the middle of a cell of the coarse grid
    spot[..., top : top + 8, left : left + 8] += 3.0
    change = (tower.raw(blank).local - tower.raw(spot).local).square().sum(-1).view(8, 8)
    places = torch.arange(8) * 16 + 8.0
    near = (places[:, None] - top - 4).abs().le(24) & (places - left - 4).abs().le(24)
    change = change * near
    assert (change.sum(1) @ places / change.sum()).item() == pytest.approx(top + 4, abs=6)
    assert (change.sum(0) @ places / change.sum()).item() == pytest.approx(left + 4, abs=6)


def test_grey_data_in_a_colour_backbone_is_repeated():
    tower = image_tower(ImageConfig("efficientnet-lite0", width=8), pretrained=False).eval()
    x = torch.randn(1, 1, 64, 64)
    torch.testing.assert_close(tower(x).pooled, tower(x.expand(-1, 3, -1, -1)).pooled)


def test_what_does_not_fit_is_said():
    tower = image_tower(ImageConfig(width=8, size=(32, 32)))
    with pytest.raises(ModelError, match="takes 1 channels, got 3"):
        tower(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ModelError, match=r"--image-tower tiny-3d.*or ingest single slices"):
        tower(torch.zeros(1, 1, 8, 32, 32))
    with pytest.raises(ModelError, match=r"takes \[B, C, Z, H, W\].*--image-tower tiny\)"):
        image_tower(ImageConfig("tiny-3d", size=(8, 32, 32)))(torch.zeros(1, 1, 32, 32))
    with pytest.raises(ModelError, match="'hf' takes pictures, and the images are 8 x 32 x 32"):
        ImageTower(ImageConfig("hf", size=(8, 32, 32)))
    with pytest.raises(ModelError, match="at least 32 rows and columns, got 16 x 64"):
        image_tower(ImageConfig(size=(16, 64)))
    with pytest.raises(ModelError, match="did you mean 'tiny'"):
        image_tower(ImageConfig("tinny"))
    with pytest.raises(ModelError, match="no field 'depth'"):
        ImageConfig.from_json({"depth": 3})


@pytest.mark.parametrize(
    ("name", "extra"), [("timm:resnet18", "timm"), ("open_clip:ViT-B-32/openai", "openclip")]
)
def test_a_missing_extra_says_how_to_install_it(name, extra, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    monkeypatch.setitem(__import__("sys").modules, "open_clip", None)
    with pytest.raises(MissingExtra, match=rf"asclip\[{extra}\]"):
        image_tower(ImageConfig(name))


def test_bfloat16_stays_near_float32():
    tower = image_tower(ImageConfig(width=32, size=(64, 64))).eval()
    x = torch.randn(8, 1, 64, 64)
    with torch.no_grad():
        exact = tower(x).pooled
        with torch.autocast("cpu", torch.bfloat16):
            rough = tower(x).pooled.float()
    assert torch.nn.functional.cosine_similarity(exact, rough).min() > 0.995
