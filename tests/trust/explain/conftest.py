"""Small models with random weights, convolutional and transformer, and images for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from asclip.files.preprocessing import Preprocessing
from asclip.towers.image import ImageConfig, image_tower
from asclip.towers.model import Model
from asclip.towers.pair import DualEncoder
from asclip.towers.text import TextConfig, text_tower
from asclip.towers.tokenizer import Tokenizer

SAID = ["A mass in the left lung.", "No mass.", "The heart is large."]
COMMON = {
    "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24,
    "image_size": 64, "patch_size": 16, "num_channels": 1,
}  # fmt: skip


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(SAID * 3, vocabulary=200, min_documents=1)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, 64, 64), dtype=np.uint8)


@pytest.fixture
def build(tokenizer: Tokenizer, tmp_path: Path) -> Callable[..., Model]:
    """A model of random weights; "vit" is a transformer with a class token."""

    def make(name: str = "micro", *, locked: bool = False) -> Model:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            if name == "vit":
                name = f"hf:{_saved(tmp_path / name)}"
            config = ImageConfig(name, width=8, size=(64, 64), locked=locked)
            image = image_tower(config, local_files_only=True)
            if name == "micro":  # else its finer grid repeats the coarse one
                torch.nn.init.normal_(image.backbone.net.detail.weight)
            text = text_tower(
                TextConfig("words", width=8, vocabulary=tokenizer.vocabulary, max_tokens=24)
            )
        how = Preprocessing(size=(64, 64), mean=(0.5,), std=(0.25,))
        return Model(DualEncoder(image, text).eval(), tokenizer, how, scale=10.0)

    return make


def _saved(folder: Path) -> Path:
    import transformers as t

    t.ViTModel(t.ViTConfig(**COMMON)).save_pretrained(folder)
    return folder
