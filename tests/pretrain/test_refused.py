"""Options with which an objective could not work, or would teach the contrary, are refused."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable

import pytest
from torch import nn

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.data_efficient.false_negatives import FalseNegatives
from asclip.pretrain.data_efficient.medclip import MedClip
from asclip.pretrain.data_efficient.sat import Sat
from asclip.pretrain.decoder import Decoder, Layer
from asclip.pretrain.dhn_nce import DhnNce
from asclip.pretrain.frontier.coca import CoCa
from asclip.pretrain.multiscale.biovil import BioVilT
from asclip.pretrain.multiscale.carzero import CarZero
from asclip.pretrain.multiscale.imitate import Imitate
from asclip.pretrain.multiscale.limitr import Limitr
from asclip.pretrain.multiscale.lovt import LoVT
from asclip.pretrain.multiscale.mgca import Mgca
from asclip.pretrain.multiscale.prior import Prior
from asclip.pretrain.multiscale.tier import Tier
from asclip.pretrain.scale import check_cosine, check_count, check_not_negative, check_share
from toy import OBJECTIVES

NAN, INF = math.nan, math.inf
KINDS = sorted({type(make()) for make in OBJECTIVES.values()}, key=lambda kind: kind.__name__)
WEIGHTS = [
    (kind, name)
    for kind in KINDS
    for name in inspect.signature(kind).parameters
    if name.endswith("_weight")
]


def built(kind: type[nn.Module], **own: float) -> nn.Module:
    """The objective for towers of width 8, with whatever it asks for."""
    sizes = {"width": 8, "pixels": 4, "regions": 4, "vocabulary": 11, "count": 3}
    taken = inspect.signature(kind).parameters
    return kind(**{k: v for k, v in sizes.items() if k in taken}, **own)


@pytest.mark.parametrize("value", [-0.5, NAN, INF])
@pytest.mark.parametrize(("kind", "name"), WEIGHTS)
def test_a_weight_that_is_negative_or_no_number(
    kind: type[nn.Module], name: str, value: float
) -> None:
    with pytest.raises(ModelError, match=f"^{name} must (not be negative|be from 0 to 1), got"):
        built(kind, **{name: value})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Clip(text_weight=1.5), "text_weight must be from 0 to 1, got 1.5"),
        (lambda: LoVT(8, text_weight=2.0), "text_weight must be from 0 to 1, got 2.0"),
        (lambda: LoVT(8, threshold=-0.1), "threshold must not be negative"),
        (lambda: LoVT(8, threshold=NAN), "threshold must not be negative"),
        (lambda: Layer(8, 3, 16, self_attention=False), "multiple of the 3 heads, got 8"),
        (lambda: CarZero(8, heads=3), "multiple of the 3 heads, got 8"),
        (lambda: BioVilT(8, heads=3), "multiple of the 3 heads, got 8"),
        (lambda: CoCa(8, 11, heads=3), "multiple of the 3 heads, got 8"),
        (lambda: Prior(8, stage=1, heads=3), "multiple of the 3 heads, got 8"),
        (lambda: Imitate(8, heads=0), "heads must be at least 1, got 0"),
        (lambda: CoCa(8, 11, heads=0), "heads must be at least 1, got 0"),
        (lambda: CoCa(8, 11, layers=0), "layers must be at least 1, got 0"),
        (lambda: Decoder(8, layers=0), "layers must be at least 1, got 0"),
        (lambda: BioVilT(8, layers=0), "layers must be at least 1, got 0"),
        (lambda: Prior(8, 4, layers=0), "layers must be at least 1, got 0"),
        (lambda: Prior(8, stage=2, prototypes=0), "prototypes must be at least 1, got 0"),
        (lambda: Prior(8, stage=2, softness=0.0), "softness must be a positive number"),
        (lambda: Mgca(8, prototypes=0), "prototypes must be at least 1, got 0"),
        (lambda: Mgca(8, iterations=0), "iterations must be at least 1, got 0"),
        (lambda: Mgca(8, chunk=0), "chunk must be at least 1, got 0"),
        (lambda: Tier(chunk=0), "chunk must be at least 1, got 0"),
        (lambda: Limitr(8, sharpness=-4.0), "sharpness must be a positive number"),
        (lambda: DhnNce(hardness=NAN), "hardness must not be negative, got nan"),
        (lambda: DhnNce(text_hardness=NAN), "text_hardness must not be negative, got nan"),
        (lambda: DhnNce(positive_share=NAN), "positive_share must not be negative, got nan"),
        (lambda: MedClip(sharpness=0.0), "sharpness must be a positive number"),
        (lambda: MedClip(sharpness=-5.0), "sharpness must be a positive number"),
        (lambda: MedClip(sharpness=NAN), "sharpness must be a positive number"),
        (lambda: Sat(alike=NAN), "alike must be -1 or more"),
        (lambda: Sat(near=NAN), "near must be -1 or more"),
        (lambda: Sat(near=-1.5), "near must be -1 or more"),
        (lambda: FalseNegatives(threshold=-2.0), "threshold must be -1 or more"),
        (lambda: FalseNegatives(threshold=NAN), "threshold must be -1 or more"),
        (lambda: FalseNegatives(strength=NAN), "strength must not be negative"),
        (lambda: Imitate(8, strength=-1.0), "strength must not be negative"),
    ],
)
def test_what_cannot_work_is_one_clear_error(make: Callable[[], nn.Module], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        make()


def test_the_ends_of_what_is_allowed() -> None:
    check_not_negative(a=0.0, b=3)
    check_share(a=0.0, b=1.0)
    check_count(a=1)
    check_cosine(a=-1.0, b=2.0)
