from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from asclip.files.preprocessing import Preprocessing
from asclip.towers.image import ImageConfig, image_tower
from asclip.towers.model import Model
from asclip.towers.pair import DualEncoder
from asclip.towers.text import TextConfig, text_tower
from asclip.towers.tokenizer import Tokenizer

REPORTS = [
    "The heart is enlarged. No pleural effusion.",
    "Small nodule in the left upper lobe.",
    "No nodule. The heart is normal in size.",
    "Large pleural effusion on the left.",
    "Normal chest.",
]


@dataclass
class Pixels:
    """The part of a data set that towers read: studies 0, 1, 2 have 2, 1, 3 images; one is none."""

    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(size=(32, 32)))
    hash: str = "abc"

    def __post_init__(self):
        shape = (6, *self.preprocessing.item_shape)
        self.pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    def image_rows(self):
        return [np.array([0, 3]), np.array([1]), np.array([2, 4, 5])]

    def __len__(self):
        return 3


@pytest.fixture(scope="session")
def tokenizer():
    return Tokenizer.train(REPORTS * 2, vocabulary=300, min_documents=1)


def tiny_encoder(tokenizer, *, locked=False, local="shared", dropout=0.0, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        image = image_tower(
            ImageConfig(width=16, size=(32, 32), locked=locked, local=local, dropout=dropout)
        )
        text = text_tower(
            TextConfig(
                width=16,
                vocabulary=tokenizer.vocabulary,
                max_tokens=24,
                locked=locked,
                local=local,
                dropout=dropout,
            )
        )
    return DualEncoder(image, text)


@pytest.fixture
def encoder(tokenizer):
    return tiny_encoder(tokenizer)


@pytest.fixture
def model(encoder, tokenizer):
    return Model(encoder, tokenizer, Preprocessing(size=(32, 32)), scale=14.0)
