"""Cached uint8 items -> what an image tower takes: normalised float32 [n, C, (Z,) H, W]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from asclip.errors import ModelError

if TYPE_CHECKING:
    from asclip.files.preprocessing import Preprocessing


def to_tensor(items: np.ndarray, preprocessing: Preprocessing) -> Tensor:
    """Items [n, H, W] or [n, H, W, 3] uint8 -> float32 [n, 1 or 3, H, W] in channels_last.

    Volumes [n, Z, H, W] become [n, 1, Z, H, W]. The normalisation is the one recorded in
    `preprocessing`.
    """
    if items.shape[1:] != tuple(preprocessing.item_shape):
        raise ModelError(
            f"items must have shape {tuple(preprocessing.item_shape)} as the model's preprocessing "
            f"gives them, got {items.shape[1:]}; ingest the data with the model's preprocessing"
        )
    values = torch.from_numpy(preprocessing.normalise(items))
    return values.unsqueeze(1) if preprocessing.channels == 1 else values.permute(0, 3, 1, 2)


def check_same_preprocessing(dataset: Any, preprocessing: Preprocessing) -> None:
    """ModelError unless `dataset` holds items as `preprocessing` makes them; mean and std aside."""
    theirs, ours = dataset.preprocessing.to_json(), preprocessing.to_json()
    for name in sorted(set(ours) - {"mean", "std"}):
        if theirs.get(name) != ours[name]:
            raise ModelError(
                f"the model was trained with {name} = {ours[name]}, the data set was ingested with "
                f"{theirs.get(name)}; ingest it again with the model's preprocessing"
            )
