"""Features with classes in them, texts that half know them, and a data set of drawn pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from asclip.adapt import ClassTexts, Examples
from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing
from asclip.towers.image import ImageConfig, image_tower
from asclip.towers.model import Model
from asclip.towers.pair import DualEncoder
from asclip.towers.text import TextConfig, text_tower
from asclip.towers.tokenizer import Tokenizer
from drawn import SAID, draw

LABELS = ("mass", "effusion", "normal")
WIDTH = 16
NAMES = ["a mass on the right", "left effusion", "normal chest", "no mass", "no effusion", "no"]
SINGLE = PromptSet(
    "kinds",
    "1",
    "single-label",
    {label: ClassPrompts((NAMES[k],)) for k, label in enumerate(LABELS)},
    column="kind",
)
MULTI = PromptSet(
    "findings",
    "1",
    "multi-label",
    {
        label: ClassPrompts((NAMES[k],), () if k == 2 else (NAMES[3 + k],))
        for k, label in enumerate(LABELS)
    },
)


def tiny_model(*, text: str = "tiny", locked: bool = False, scale: float = 10.0) -> Model:
    """Random weights, for images of 32 x 32."""
    words = [*NAMES, *(one for pair in SAID.values() for one in pair)]
    tokenizer = Tokenizer.train(words * 2, vocabulary=200, min_documents=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = TextConfig(
            text, WIDTH, vocabulary=tokenizer.vocabulary, max_tokens=24, locked=locked, dropout=0.1
        )
        encoder = DualEncoder(
            image_tower(ImageConfig(width=WIDTH, size=(32, 32))), text_tower(config)
        )
    how = Preprocessing(size=(32, 32), mean=(0.5,), std=(0.25,))
    return Model(encoder.eval(), tokenizer, how, scale=scale)


@pytest.fixture
def make_model() -> Callable[..., Model]:
    return tiny_model


@pytest.fixture(params=["single", "multi"])
def case(request: pytest.FixtureRequest) -> SimpleNamespace:
    """`support`, `validation`, `other` examples and `texts`, of one class of three or three labels.

    The texts point half towards their class; of labels a third of the truth is unknown.
    """
    single = request.param == "single"
    g = torch.Generator().manual_seed(1)
    centres = functional.normalize(torch.randn(3, WIDTH, generator=g), dim=1)

    def some(n: int) -> Examples:
        truth = torch.eye(3)[torch.arange(n) % 3]
        if not single:
            truth = (torch.rand(n, 3, generator=g) < 0.5).float()
            truth[0], truth[1] = 1, 0
        noise = 0.25 * torch.randn(n, WIDTH, generator=g)
        features = functional.normalize((truth - 0.3) @ centres + noise, dim=1)
        if not single:
            truth[2:][torch.rand(n - 2, 3, generator=g) < 0.3] = torch.nan
        return Examples(features, truth)

    model = tiny_model()
    texts = ClassTexts.of(model, SINGLE if single else MULTI)
    positive = functional.normalize(centres + 0.4 * torch.randn(3, WIDTH, generator=g), dim=1)
    negative = torch.zeros_like(positive)
    if not single:
        negative[:2] = functional.normalize(torch.randn(2, WIDTH, generator=g), dim=1)
    texts = ClassTexts(LABELS, single, positive, negative, 10.0, texts.prompts, model)
    return SimpleNamespace(
        single=single, support=some(12), validation=some(60), other=some(40), texts=texts
    )


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """160 studies of 80 patients with the labels effusion and mass."""
    folder: Path = tmp_path_factory.mktemp("drawn")
    how = Preprocessing(size=(32, 32), mean=(0.5,), std=(0.25,))
    return ingest(Table(draw(folder, 160)), folder / "data", how, workers=0)
