"""The floor of every few-shot curve: the texts alone.

    z = s f.T

Paper    CLIP, Radford et al. 2021, arXiv:2103.00020, section 3.1
Takes    the texts; no example
Gives    logits [n, K]
Equals   tasks/classification/zero_shot.py of a model whose similarity is the cosine
Differs  a model that owns another score is asked by the cosine of its pooled embeddings all the
         same, as all adapters work on them
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from asclip.adapt.interface import ClassTexts, Examples, Linear


@dataclass(frozen=True)
class ZeroShot:
    """Nothing is fitted and nothing chosen."""

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Linear:
        """The texts as a linear classifier."""
        return read(texts)


def read(texts: ClassTexts) -> Linear:
    """The texts of any classes as a linear classifier."""
    bias = torch.zeros(len(texts.labels))
    return Linear(texts.scale * texts.directions, bias, reads=read)
