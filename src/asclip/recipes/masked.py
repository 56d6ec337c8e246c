"""Recipes of masked records and of projected patches: one function a method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from asclip.pretrain.multiscale.biovil import BioVil, BioVilT
from asclip.pretrain.multiscale.ecamp import Ecamp
from asclip.pretrain.multiscale.maco import MaCo
from asclip.pretrain.multiscale.masked import MaskedRecords
from asclip.train.settings import Settings

SENTENCES = replace(Settings(), batch=64, per_study=6, whole=0.3)
REPORTS = replace(Settings(), texts="report")
HALVES = replace(REPORTS, holes=0.5)
ENTITIES = replace(REPORTS, gaps=0.75)

OWN: dict[str, str] = {
    "heads": "attention heads of the objective's own decoder; the width is a multiple of it",
    "words_weight": "weight of restored words",
    "regions": "number of local vectors of the image tower",
    "pixels": "numbers in a hidden patch",
    "vocabulary": "number of token ids",
    "layers": "layers of the objective's own decoder",
    "restore_weight": "weight of restored patches beside the contrast",
    "normalise": "hidden patches to mean 0 and variance 1 before they are restored",
    "patches_weight": "weight of restored patches beside the words",
}


def mrm(
    settings: Settings = REPORTS,
    labels: tuple[str, ...] = (),
    *,
    pixels: int = 256,
    vocabulary: int = 4096,
    layers: int = 1,
    heads: int = 4,
    patches_weight: float = 1.0,
    words_weight: float = 1.0,
    normalise: bool = False,
) -> nn.Module:
    """MRM: masked records, hidden patches and hidden words restored."""
    return MaskedRecords(
        settings.width,
        pixels=pixels,
        vocabulary=vocabulary,
        layers=layers,
        heads=heads,
        image_weight=patches_weight,
        text_weight=words_weight,
        normalise=normalise,
    )


def maco(
    settings: Settings = HALVES,
    labels: tuple[str, ...] = (),
    *,
    regions: int = 196,
    pixels: int = 256,
    layers: int = 1,
    heads: int = 4,
    restore_weight: float = 1.0,
    temperature: float = 0.03,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """MaCo: contrast of images with holes, weighted by what is visible, and restoration."""
    return MaCo(
        settings.width,
        regions=regions,
        pixels=pixels,
        layers=layers,
        heads=heads,
        restore_weight=restore_weight,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


def ecamp(
    settings: Settings = ENTITIES,
    labels: tuple[str, ...] = (),
    *,
    pixels: int = 256,
    vocabulary: int = 4096,
    layers: int = 1,
    heads: int = 4,
    patches_weight: float = 1.0,
    words_weight: float = 1.0,
) -> nn.Module:
    """ECAMP: masked records whose gaps fall around entities and whose patches see the text."""
    return Ecamp(
        settings.width,
        pixels=pixels,
        vocabulary=vocabulary,
        layers=layers,
        heads=heads,
        image_weight=patches_weight,
        text_weight=words_weight,
    )


def biovil(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """BioViL: the image is the mean of its patches in the space of texts."""
    return BioVil(
        settings.width, temperature=temperature, same_text=same_text, same_patient=same_patient
    )


def biovil_t(
    settings: Settings = REPORTS,
    labels: tuple[str, ...] = (),
    *,
    layers: int = 3,
    heads: int = 8,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """BioViL-T: patches beside what differs from the patient's prior image."""
    return BioVilT(
        settings.width,
        layers=layers,
        heads=heads,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


RECIPES: dict[str, Callable[..., nn.Module]] = {
    "mrm": mrm,
    "maco": maco,
    "ecamp": ecamp,
    "biovil": biovil,
    "biovil-t": biovil_t,
}
