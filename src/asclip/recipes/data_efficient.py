"""Recipes of the data-efficient objectives: one function a method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from asclip.pretrain.data_efficient.cxr_clip import CxrClip
from asclip.pretrain.data_efficient.false_negatives import FalseNegatives
from asclip.pretrain.data_efficient.medclip import MedClip
from asclip.pretrain.data_efficient.sat import Sat
from asclip.pretrain.data_efficient.unicl import UniCl
from asclip.pretrain.dhn_nce import DhnNce
from asclip.pretrain.multiscale.imitate import Imitate
from asclip.train.settings import Settings

SENTENCES = replace(Settings(), batch=64, per_study=6, whole=0.3)
REPORTS = replace(Settings(), texts="report")
SENTENCE = replace(Settings(), texts="sentence")

OWN: dict[str, str] = {
    "hardness": "how much more a near negative weighs; 0 = all alike",
    "positive_share": "share of the positive in the denominator; 0 = none (decoupled), 1 = CLIP",
    "sharpness": "what the likeness of findings is multiplied with before its softmax",
    "similarity": "of findings: cosine, or dot (as in the authors' code)",
    "nothing": "a text of which no finding is known is left-out, or counts as normal",
    "by": "what says how alike studies are: report, meaning (of texts), or (sat) findings",
    "alike": "similarity from which on another study is a positive; above 1 = never",
    "near": "similarity from which on another study is left out; above 1 = never",
    "positives": "any: one of several positives is enough; each: all have to be near",
    "match": "vector: all findings equal; category: shared findings are counted",
    "treatment": "of similar reports: remove (left out) or soft (targets between 0 and 1)",
    "similar_from": "similarity of reports from which on they are left out",
    "softness": "largest soft target of another study is softness * (1 - exp(-rate))",
    "rate": "how fast the soft target grows with the correlation of reports",
    "findings_weight": "weight of the findings with the finer level beside the impression's term",
    "image_weight": "weight of the image-image term",
    "text_text_weight": "weight of the text-text term",
    "heads": "attention heads of the objective's own decoder; the width is a multiple of it",
}


def dhn_nce(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.6,
    hardness: float = 0.15,
    positive_share: float = 0.0,
    variant: str = "paper",
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """DHN-NCE: no positive in the denominator, hard negatives weigh more (MedCLIP-SAM)."""
    return DhnNce(
        temperature=temperature,
        hardness=hardness,
        positive_share=positive_share,
        variant=variant,
        same_text=same_text,
        same_patient=same_patient,
    )


def medclip(
    settings: Settings = SENTENCE,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.07,
    sharpness: float = 10.0,
    similarity: str = "cosine",
    nothing: str = "left-out",
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """MedCLIP: unpaired images and texts, soft targets from what both say of findings."""
    return MedClip(
        temperature=temperature,
        sharpness=sharpness,
        similarity=similarity,
        nothing=nothing,
        same_text=same_text,
        same_patient=same_patient,
    )


def sat(
    settings: Settings = REPORTS,
    labels: tuple[str, ...] = (),
    *,
    by: str = "findings",
    alike: float = 0.95,
    near: float = 0.7,
    positives: str = "any",
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """SAT: other studies are positive, left out or negative by what their reports say."""
    return Sat(
        by=by,
        alike=alike,
        near=near,
        positives=positives,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


def unicl(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    match: str = "vector",
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """UniCL: texts of studies with the same findings are positives (FLAIR: match=category)."""
    return UniCl(
        match=match, temperature=temperature, same_text=same_text, same_patient=same_patient
    )


def false_negatives(
    settings: Settings = REPORTS,
    labels: tuple[str, ...] = (),
    *,
    treatment: str = "remove",
    by: str = "report",
    similar_from: float = 0.9,
    softness: float = 0.07,
    rate: float = 0.2,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """CLIP that spares false negatives: similar reports are left out, or soft targets."""
    return FalseNegatives(
        treatment=treatment,
        by=by,
        threshold=similar_from,
        strength=softness,
        rate=rate,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


def imitate(
    settings: Settings = REPORTS,
    labels: tuple[str, ...] = (),
    *,
    findings_weight: float = 1.0,
    softness: float = 0.07,
    rate: float = 0.2,
    heads: int = 4,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """IMITATE: findings with regions, the impression with the whole image, soft targets."""
    return Imitate(
        settings.width,
        findings_weight=findings_weight,
        strength=softness,
        rate=rate,
        heads=heads,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


def cxr_clip(
    settings: Settings = REPORTS,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.07,
    image_weight: float = 1.0,
    text_text_weight: float = 0.5,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """CXR-CLIP: two images and two texts of a study, all pairs of them."""
    return CxrClip(
        temperature=temperature,
        image_weight=image_weight,
        text_weight=text_text_weight,
        same_text=same_text,
        same_patient=same_patient,
    )


RECIPES: dict[str, Callable[..., nn.Module]] = {
    "dhn-nce": dhn_nce,
    "medclip": medclip,
    "sat": sat,
    "unicl": unicl,
    "false-negatives": false_negatives,
    "imitate": imitate,
    "cxr-clip": cxr_clip,
}
