"""Recipes that treat groups of patients alike: FairCLIP, and weights by group."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from asclip.pretrain.frontier.fairclip import FairClip
from asclip.pretrain.frontier.group_weights import GroupWeights
from asclip.train.settings import Settings

SENTENCES = Settings(batch=64, per_study=6, whole=0.3)

# What the recipes' own parameters are, where recipes/methods.py does not say it.
OWN = {
    "attribute": "the metadata column whose groups are to be served alike; age:40:65 gives edges",
    "fair_weight": "weight of the distance between the logits of all true pairs and a group's",
    "blur": "width below which differences of these logits count for little",
    "balance": "0: each study weighs the same, as in clip; 1: each group does",
}


def fairclip(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    attribute: str = "sex",
    fair_weight: float = 0.1,
    blur: float = 0.2,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """FairCLIP: pairs of every group of patients are to be equally alike."""
    return FairClip(
        attribute,
        weight=fair_weight,
        blur=blur,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


def group_weights(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    attribute: str = "sex",
    balance: float = 1.0,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """CLIP in which each group of patients weighs the same, however few they are."""
    return GroupWeights(
        attribute,
        balance=balance,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


RECIPES: dict[str, Callable[..., nn.Module]] = {
    "fairclip": fairclip,
    "group-weights": group_weights,
}
