"""The recipes: one function a method, its signature the list of what can be set."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from asclip.pretrain.clip import Clip
from asclip.pretrain.multiscale.gloria import Gloria
from asclip.pretrain.siglip import SigLip
from asclip.pretrain.supervised import Supervised
from asclip.train.settings import Settings

# Small batches: more steps, and a report brings most of what it says; see LOG.md.
BASE = Settings(batch=64, per_study=6, whole=0.3)
# A thousand pairs or two are learned by heart; see LOG.md, "medpix2 from scratch".
FEW = Settings(
    image_tower="scattering",
    hidden=512,
    text_tower="words",
    texts="mixed",
    whole=0.6,
    mining="acquisition",
    batch=64,
    epochs=40,
    augment=0.0,
    dropout=0.5,
)
LABELS = Settings(batch=64, lr=3e-3)
REPORTS = Settings(texts="report")
SENTENCE = Settings(texts="sentence")
LOCKED = Settings(
    image_tower="efficientnet-lite0",
    text_tower="all-minilm-l6-v2",
    lock="both",
    texts="mixed",
    whole=0.85,
    batch=256,
    lr=1e-3,
    average=0.99,
    dropout=0.6,
    epochs=40,
)

# What the recipes' own parameters are; those of `Settings` are told in its docstring.
OWN = {
    "temperature": "of the softmax over similarities; learned from here on (convirt: fixed)",
    "same_text": "a text that another study has too is to it: positive, neutral or negative",
    "same_patient": "other studies of a patient are: positive, neutral (left out) or negative",
    "text_weight": "share of the text-to-image direction in the loss, 0 to 1",
    "scale": "what similarities are multiplied with at the start; learned",
    "bias": "what is added to them at the start; learned",
    "local_weight": "weight of the words-to-regions terms beside the global ones",
    "variant": "paper, or official: the softmax of the authors' code",
}


def clip(
    settings: Settings = BASE,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """CLIP on sentences: each report brings its text and its sentences; shared ones are shared."""
    return Clip(temperature=temperature, same_text=same_text, same_patient=same_patient)


def clip_few(
    settings: Settings = FEW,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "neutral",
) -> nn.Module:
    """CLIP from scratch on a few thousand pairs: wavelets and word vectors, cached features."""
    return clip(
        settings,
        labels,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


def clip_reports(
    settings: Settings = REPORTS, labels: tuple[str, ...] = (), *, temperature: float = 0.07
) -> nn.Module:
    """CLIP as published: one whole report a study, every other study a negative."""
    return Clip(temperature=temperature, same_text="negative")


def convirt(
    settings: Settings = SENTENCE,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.1,
    text_weight: float = 0.25,
) -> nn.Module:
    """ConVIRT: one random sentence of the report, fixed temperature, directions weighted."""
    return Clip(
        temperature=temperature,
        learn_temperature=False,
        text_weight=text_weight,
        same_text="negative",
    )


def siglip(
    settings: Settings = BASE,
    labels: tuple[str, ...] = (),
    *,
    scale: float = 10.0,
    bias: float = -10.0,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """SigLIP: a sigmoid for every pair."""
    return SigLip(scale=scale, bias=bias, same_text=same_text, same_patient=same_patient)


def gloria(
    settings: Settings = SENTENCE,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.1,
    local_weight: float = 1.0,
    variant: str = "paper",
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """GLoRIA: whole images with texts, and words with the regions that they attend to."""
    return Gloria(
        temperature=temperature,
        local_weight=local_weight,
        variant=variant,
        same_text=same_text,
        same_patient=same_patient,
    )


def locked(
    settings: Settings = LOCKED,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "neutral",
) -> nn.Module:
    """CLIP on frozen packaged towers (LiT): only projections learn, features are cached."""
    return Clip(temperature=temperature, same_text=same_text, same_patient=same_patient)


def supervised(settings: Settings = LABELS, labels: tuple[str, ...] = ()) -> nn.Module:
    """The supervised bound: the image tower trained on the label columns, no text."""
    return Supervised(settings.width, labels)


RECIPES: dict[str, Callable[..., nn.Module]] = {
    "clip": clip,
    "clip-few": clip_few,
    "clip-reports": clip_reports,
    "convirt": convirt,
    "siglip": siglip,
    "gloria": gloria,
    "locked": locked,
    "supervised": supervised,
}
