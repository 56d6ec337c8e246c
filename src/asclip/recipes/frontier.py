"""Recipes beyond one image and one text: groups, metadata, modalities, time, captions, volumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.frontier.coca import CoCa
from asclip.pretrain.frontier.high_order import HighOrder
from asclip.pretrain.frontier.metadata import Metadata
from asclip.pretrain.frontier.modalities import Modalities
from asclip.pretrain.frontier.temporal import Temporal
from asclip.train.settings import Settings

SENTENCES = replace(Settings(), batch=64, per_study=6, whole=0.3)
REPORTS = replace(Settings(), batch=64, texts="report")
VOLUMES = replace(REPORTS, batch=32, image_tower="tiny-3d")

# What the recipes' own parameters are, where recipes/methods.py does not say it.
OWN = {
    "on": "targets or embeddings: what is smoothed over groups of studies",
    "amount": "share of the group in it, 0 (as in clip) to below 1",
    "finding_weight": "weight of the groups that share a finding; 0 leaves them out",
    "place_weight": "weight of the terms that say where a finding lies; 0 needs no places",
    "patient_weight": "weight of the groups that share a patient; 0 leaves them out",
    "count": "numbers of metadata that a study has",
    "contrast_weight": "weight of the contrast of images with metadata",
    "predict_weight": "weight of predicting metadata from the image; 0 leaves it out",
    "fusion": "metadata is added to a study's texts; same_text must then not be positive",
    "streams": "further streams of a study, with commas: view, second, prior, signal",
    "pairs": "pairs of modalities that are contrasted: all, or those with text, or with image",
    "change_weight": "weight of telling change against the prior",
    "vocabulary": "token ids that the text tower knows",
    "layers": "layers of the decoder",
    "heads": "attention heads of the decoder; must divide the width",
    "clip_weight": "weight of the contrast of whole images with texts; 0 leaves it out",
    "caption_weight": "weight of writing the report from the image",
}


def high_order(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    on: str = "targets",
    amount: float = 0.3,
    finding_weight: float = 1.0,
    place_weight: float = 1.0,
    patient_weight: float = 1.0,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """High-order: studies that share findings, places or a patient share their targets."""
    return HighOrder(
        settings.width,
        on=on,
        amount=amount,
        finding_weight=finding_weight,
        place_weight=place_weight,
        patient_weight=patient_weight,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


def metadata(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    count: int = 3,
    contrast_weight: float = 0.5,
    predict_weight: float = 0.0,
    fusion: bool = False,
    temperature: float = 0.07,
    same_text: str = "neutral",
    same_patient: str = "negative",
) -> nn.Module:
    """Metadata: age, sex, site ... as a vector that images are contrasted with."""
    return Metadata(
        settings.width,
        count,
        contrast_weight=contrast_weight,
        predict_weight=predict_weight,
        fusion=fusion,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


def modalities(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    streams: str = "view",
    pairs: str = "all",
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """Modalities: contrast of every pair of a study's images and texts, whichever it has."""
    names = [name.strip() for name in streams.split(",") if name.strip()]
    known = ("view", "second", "prior", "signal")
    if not set(names) <= set(known):
        raise ModelError(f"streams must be among {', '.join(known)}, got {streams!r}")
    return Modalities(
        tuple((name, f"has_{name}") for name in names),
        pairs=pairs,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


def temporal(
    settings: Settings = REPORTS,
    labels: tuple[str, ...] = (),
    *,
    change_weight: float = 1.0,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """Temporal: an image and the one before it, with what the report says has changed."""
    return Temporal(
        settings.width,
        change_weight=change_weight,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


def coca(
    settings: Settings = REPORTS,
    labels: tuple[str, ...] = (),
    *,
    vocabulary: int = 4096,
    layers: int = 2,
    heads: int = 4,
    clip_weight: float = 1.0,
    caption_weight: float = 2.0,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """CoCa: contrast, and a decoder that writes the report from the image."""
    return CoCa(
        settings.width,
        vocabulary,
        layers=layers,
        heads=heads,
        clip_weight=clip_weight,
        caption_weight=caption_weight,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


def ct_clip(
    settings: Settings = VOLUMES,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """CT-CLIP: CLIP of a whole volume and its whole report; ingest with --size 32x64x64.

    The arithmetic is clip.py; what is its own is the 3-D tower, towers/volume.py. The scale starts
    at 1 / temperature = 14.3, as in CLIP (the authors' code: e = 2.72, a temperature of 0.368).
    """
    return Clip(temperature=temperature, same_text=same_text, same_patient=same_patient)


RECIPES: dict[str, Callable[..., nn.Module]] = {
    "high-order": high_order,
    "metadata": metadata,
    "modalities": modalities,
    "temporal": temporal,
    "coca": coca,
    "ct-clip": ct_clip,
}
