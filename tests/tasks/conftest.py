"""A data set and a model small enough to know every answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from asclip.types import Encoded


@dataclass
class ToyData:
    """What tasks read of a data set; `vectors` [n, D] are what the toy model sees in the images."""

    vectors: np.ndarray
    studies: pd.DataFrame
    images: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"study": [], "view": []}))
    name: str = "toy"
    hash: str = "0" * 16

    def __len__(self) -> int:
        return len(self.studies)

    @property
    def labels(self) -> tuple[str, ...]:
        names = [c for c in self.studies if c.startswith("label:")]
        return tuple(name.removeprefix("label:") for name in names)

    def label_matrix(self) -> np.ndarray:
        return self.studies[[f"label:{name}" for name in self.labels]].to_numpy(np.float32)

    def take(self, rows: np.ndarray) -> ToyData:
        studies = self.studies.iloc[rows].reset_index(drop=True)
        return ToyData(self.vectors[rows], studies, self.images, self.name)


class ToyModel:
    """Texts have the vectors of `words`; a scorer replaces the cosine where there is one."""

    def __init__(
        self,
        words: Mapping[str, Sequence[float]],
        *,
        scorer: Callable[[Encoded, Encoded], torch.Tensor] | None = None,
        scale: float = 10.0,
    ) -> None:
        self.words, self.scorer, self.scale = words, scorer, scale
        self.preprocessing = SimpleNamespace(digest="abcdefabcdef")
        self.texts_encoded = 0

    def encode_images(self, data: ToyData, *, batch: int = 256) -> Encoded:
        return Encoded(torch.tensor(data.vectors, dtype=torch.float32))

    def encode_texts(self, texts: list[str]) -> Encoded:
        self.texts_encoded += len(texts)
        return Encoded(torch.tensor([list(self.words[t]) for t in texts], dtype=torch.float32))

    def score(self, image: Encoded, text: Encoded) -> torch.Tensor:
        if self.scorer is not None:
            return self.scorer(image, text)
        left = torch.nn.functional.normalize(image.pooled, dim=1)
        return left @ torch.nn.functional.normalize(text.pooled, dim=1).T

    def classify(self, data: ToyData) -> np.ndarray:
        return np.asarray(data.vectors[:, :2])


@pytest.fixture
def toy_model() -> type[ToyModel]:
    return ToyModel


@pytest.fixture
def toy_data() -> Callable[..., ToyData]:
    """Build a data set from vectors and columns; two studies a patient, all in "test"."""

    def build(vectors: np.ndarray, *, views: Sequence[str] = (), **columns: object) -> ToyData:
        number = len(vectors)
        studies = pd.DataFrame(
            {
                "study": [f"s{row}" for row in range(number)],
                "patient": [f"p{row // 2}" for row in range(number)],
                "split": "test",
                **{name.replace("__", ":"): value for name, value in columns.items()},
            }
        )
        images = pd.DataFrame({"study": np.arange(len(views)), "view": list(views)})
        return ToyData(np.asarray(vectors, dtype=np.float64), studies, images)

    return build
