"""An image beside the patient's study before: what a question about change is asked of.

    u_b = f(h_b, h'_b)  where there is a study before, else f(h_b, none);   cos(u_b, v_k) as ever

Paper    BioViL-T, Bannur et al. 2023 (CVPR), arXiv:2301.04558 (zero-shot temporal
         classification: prompts that say that a finding is improving, stable or worsening)
Takes    a model whose objective compares images (`biovil-t`, `temporal`), a data set that tells
         the order of a patient's studies
Gives    one vector a study, for the cosine with texts
Differs  a model that compares no images is asked of the later image alone, which says little
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from asclip.data.further import prior_studies
from asclip.data.prompts import PromptSet
from asclip.tasks.similarity import CHUNK, take
from asclip.towers.model import cosine
from asclip.types import Encoded


def asked_of(model: Any, prompts: PromptSet) -> Any:
    """`model`, or, if `prompts` ask so and its objective can, with images beside their priors."""
    able = bool(prompts.beside) and getattr(model, "beside_prior", None) is not None
    return _Beside(model) if able else model


class _Beside:
    """A model to tasks; the objective's own score is of one image, so this one's is the cosine."""

    scorer = None
    scores_existence = False
    score = staticmethod(cosine)

    def __init__(self, model: Any) -> None:
        self.model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    @torch.no_grad()
    def encode_images(self, data: Any, **options: Any) -> Encoded:
        """`pooled` [n, D] of every study beside the one before of the same patient."""
        images = self.model.encode_images(data, **options)
        before = prior_studies(data)
        seen = ~images.pooled.isnan().any(1).numpy()
        has = (before >= 0) & seen[before]  # a study before that has no image shows nothing
        source = np.where(has, before, np.arange(len(before)))
        parts = [
            self.model.beside_prior(
                take(images, rows), take(images, source[rows]), torch.from_numpy(has[rows])
            )
            for rows in (slice(k, k + CHUNK) for k in range(0, len(before), CHUNK))
        ]
        return Encoded(torch.cat(parts) if parts else images.pooled)
