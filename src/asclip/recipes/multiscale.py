"""Recipes of the multi-scale methods: one function a method, its signature what can be set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from asclip.pretrain.multiscale.carzero import CarZero
from asclip.pretrain.multiscale.limitr import Limitr
from asclip.pretrain.multiscale.lovt import LoVT
from asclip.pretrain.multiscale.mgca import Mgca
from asclip.pretrain.multiscale.prior import Prior
from asclip.pretrain.multiscale.tier import Tier
from asclip.train.settings import Settings

REPORT = replace(Settings(), texts="report")
ONE = replace(Settings(), texts="sentence")
# What aligns the sentences of a study wants all of them.
SEVERAL = replace(Settings(), batch=64, per_study=8, whole=0.0)

OWN: dict[str, str] = {
    "local_temperature": "of the softmax over a study's regions or sentences; fixed",
    "grid": "rows and columns of the regions, of volumes slices too",
    "threshold": "regions nearer than this share of the grid's diagonal are positives too",
    "weights": "of local vectors: pooled (like the pooled vector) or uniform",
    "token_weight": "weight of the terms of words and patches inside a pair",
    "prototype_weight": "weight of the prototype term",
    "prototypes": "number of prototypes",
    "lateral": "true: a study's second view joins its image; its data must have one",
    "pixels": "numbers in a patch of the image, rows x columns x channels",
    "stage": "1: alignment; 2: and prototypes; 3: and reconstruction",
    "noise": "true: Gumbel noise in the choice of prototypes; on one process only",
    "queries": "most sentences of a study that are decoded",
    "layers": "of the decoder",
    "heads": "of the decoder; the width must be a multiple",
    "word_weight": "weight of the entropy of each word over the regions",
    "region_weight": "weight of the entropy of each region over the words",
}


def lovt(
    settings: Settings = SEVERAL,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.1,
    text_weight: float = 0.25,
    local_weight: float = 0.375,
    local_temperature: float = 0.3,
    threshold: float = 0.5,
    grid: tuple[int, ...] = (),
    weights: str = "pooled",
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """LoVT: images with texts, and a study's regions with its sentences by cross-attention."""
    return LoVT(
        settings.width,
        temperature=temperature,
        text_weight=text_weight,
        local_weight=local_weight,
        local_temperature=local_temperature,
        threshold=threshold,
        grid=grid,
        weights=weights,
        same_text=same_text,
        same_patient=same_patient,
    )


def mgca(
    settings: Settings = REPORT,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.07,
    token_weight: float = 1.0,
    prototype_weight: float = 1.0,
    prototypes: int = 500,
    weights: str = "pooled",
    variant: str = "paper",
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """MGCA: instances, words and patches inside a pair, and prototypes."""
    return Mgca(
        settings.width,
        temperature=temperature,
        token_weight=token_weight,
        prototype_weight=prototype_weight,
        prototypes=prototypes,
        weights=weights,
        variant=variant,
        same_text=same_text,
        same_patient=same_patient,
    )


def limitr(
    settings: Settings = ONE,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.1,
    local_weight: float = 1.0,
    lateral: bool = False,
    variant: str = "paper",
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """LIMITR: a global term and a local similarity with a learned gate; lateral views if asked."""
    return Limitr(
        settings.width,
        temperature=temperature,
        local_weight=local_weight,
        lateral=lateral,
        variant=variant,
        same_text=same_text,
        same_patient=same_patient,
    )


def prior(
    settings: Settings = SEVERAL,
    labels: tuple[str, ...] = (),
    *,
    pixels: int = 256,
    stage: int = 3,
    temperature: float = 0.01,
    prototypes: int = 512,
    noise: bool = False,
    queries: int = 16,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """PRIOR: sigmoid cross-attention, sentence prototypes, images and reports reconstructed."""
    return Prior(
        settings.width,
        pixels,
        stage=stage,
        temperature=temperature,
        prototypes=prototypes,
        noise=noise,
        queries=queries,
        same_text=same_text,
        same_patient=same_patient,
    )


def carzero(
    settings: Settings = ONE,
    labels: tuple[str, ...] = (),
    *,
    layers: int = 4,
    heads: int = 4,
    temperature: float = 0.07,
    variant: str = "paper",
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """CARZero: the similarity is a cross-attention with one logit; it scores tasks too."""
    return CarZero(
        settings.width,
        layers=layers,
        heads=heads,
        temperature=temperature,
        variant=variant,
        same_text=same_text,
        same_patient=same_patient,
    )


def tier(
    settings: Settings = REPORT,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.07,
    word_weight: float = 0.2,
    region_weight: float = 0.1,
    variant: str = "paper",
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """TIER: CLIP, and each word on few regions, each region on few words."""
    return Tier(
        temperature=temperature,
        word_weight=word_weight,
        region_weight=region_weight,
        variant=variant,
        same_text=same_text,
        same_patient=same_patient,
    )


RECIPES: dict[str, Callable[..., nn.Module]] = {
    "lovt": lovt,
    "mgca": mgca,
    "limitr": limitr,
    "prior": prior,
    "carzero": carzero,
    "tier": tier,
}
