from __future__ import annotations

import pytest
import torch

from asclip.errors import MissingExtra, ModelError
from asclip.towers import weights
from asclip.towers.efficientnet import EfficientNetLite0
from asclip.towers.image import ImageConfig, image_tower
from asclip.towers.text import TextConfig, text_tower
from asclip.towers.tokenizer import Tokenizer


def need(name):
    try:
        return weights.folder(name)
    except MissingExtra as error:
        pytest.skip(f"the extra is not installed: {error}")


def test_image_weights_load_strictly_and_see_an_object():
    need("efficientnet-lite0")
    tower = image_tower(ImageConfig("efficientnet-lite0", width=8, size=(96, 96), locked=True))
    assert tower.grid == (3, 3)
    assert tower.config.weights == "efficientnet-lite0"
    assert tower.local_features == weights.IMAGE["efficientnet-lite0"].features
    net, x = tower.backbone.net, torch.randn(1, 3, 96, 96)
    # with the recorded statistics features have the scale that training gave them
    features = net(x * 0.5)
    assert 0.05 < features.mean() < 2
    assert features.max() <= 6


def test_folding_the_norms_changes_nothing():
    net = EfficientNetLite0()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 2.0)
            module.momentum = 0.0
    folded = []
    for module in net.modules():
        if hasattr(module, "apply_with"):
            folded.append(module)
    assert len(folded) == 49
    net.eval()
    x = torch.randn(2, 3, 65, 64)
    out = net._bn0(net._conv_stem(x))
    from asclip.towers.efficientnet import _convolve

    torch.testing.assert_close(_convolve(net._conv_stem, net._bn0, x), out, rtol=1e-4, atol=1e-5)
    assert net(x).shape == (2, 1280, 3, 2)


def test_a_damaged_weights_file_is_refused_by_key(monkeypatch, tmp_path):
    state = EfficientNetLite0().state_dict()
    del state["_blocks.3._bn1.bias"]
    state["surplus"] = torch.zeros(1)
    state["_conv_head.weight"] = torch.zeros(2, 2)
    torch.save(state, tmp_path / "weights.pth")
    monkeypatch.setattr(weights, "folder", lambda name: tmp_path / "weights.pth")
    with pytest.raises(ModelError) as caught:
        weights.load_packaged(EfficientNetLite0(), "efficientnet-lite0")
    for part in ("'_blocks.3._bn1.bias'", "'surplus'", "'_conv_head.weight' has shape (2, 2)"):
        assert part in str(caught.value)


def test_an_absent_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"asclip\[weights\]"):
        image_tower(ImageConfig("efficientnet-lite0"))


def test_sentence_weights_know_what_is_alike():
    folder = need("all-minilm-l6-v2")
    tokenizer = Tokenizer.load(folder)
    tower = text_tower(TextConfig("all-minilm-l6-v2", width=8, locked=True)).eval()
    assert tower.features == weights.TEXT["all-minilm-l6-v2"].features
    texts = ["the heart is enlarged", "cardiomegaly is seen", "a fracture of the wrist"]
    tokens = tokenizer.encode(texts)
    pooled = torch.nn.functional.normalize(tower.raw(tokens).pooled, dim=1)
    cosine = pooled @ pooled.T
    assert cosine[0, 1] > 0.4
    assert cosine[0, 1] > cosine[0, 2] + 0.2
