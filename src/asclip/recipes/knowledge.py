"""Recipes of the knowledge-enhanced methods; they need texts for findings and places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from asclip.clinical.ontology import CATALOGUE, nearness
from asclip.pretrain.knowledge.concepts import Concepts
from asclip.pretrain.knowledge.descriptions import Descriptions
from asclip.pretrain.knowledge.kad import Kad
from asclip.pretrain.knowledge.kad_knowledge import KnowledgeContrast
from asclip.pretrain.knowledge.kobo import Kobo
from asclip.pretrain.knowledge.medklip import MedKlip
from asclip.pretrain.knowledge.medslip import MedSlip
from asclip.pretrain.knowledge.mflag import MFlag
from asclip.train.settings import Settings

SENTENCES = replace(Settings(), batch=64, per_study=6, whole=0.3)
ONTOLOGY = replace(Settings(), batch=64)
FROZEN = replace(Settings(), text_tower="all-minilm-l6-v2", lock="text", texts="report")

# What the recipes' own parameters are, where recipes/methods.py does not say it.
OWN = {
    "knowledge_weight": "weight of names against definitions beside the contrast",
    "layers": "layers of the decoder (published: 4)",
    "heads": "attention heads of the decoder; must divide the width",
    "feed": "width of the hidden layer in the decoder's feed-forward nets",
    "ask": "wordings (name, definition or a sentence, another in each step) or definitions",
    "answer": "what scores a text: both (query and contrast) or query, as published",
    "self_attention": "queries see each other, as published; a score then depends on the others",
    "place_weight": "weight of the terms that say where a finding lies; 0 needs no places",
    "clip_weight": "weight of the contrast of whole images with texts; 0 leaves it out",
    "negatives": "random places that a finding's place is compared with; 0 = all of them",
    "reports": "a data set whose training texts join the vocabulary; no image of it is read",
    "query_weight": "weight of the disease query network beside the contrast",
    "orthogonal_weight": "weight of the orthogonality of the image vectors",
    "off_weight": "weight of their products beside their lengths, in that orthogonality",
    "ontology": "catalogue, none (findings are the same or have nothing in common) or a file of it",
    "findings": "names of the findings that are learned from",
    "near_by": "findings or report: what tells how near two studies are",
    "strength": "how much less a near negative weighs, 0 (as in clip) to 1",
    "unknown": "a finding that is not stated is neutral or negative",
    "prototype_weight": "weight of findings against places and places against findings",
    "intra_weight": "weight of the agreement of the two streams inside an image",
}


def medklip(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    layers: int = 2,
    heads: int = 4,
    feed: int = 1024,
    self_attention: bool = False,
    temperature: float = 0.07,
    place_weight: float = 1.0,
    clip_weight: float = 1.0,
    negatives: int = 0,
    ask: str = "wordings",
    answer: str = "both",
    variant: str = "paper",
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """MedKLIP: definitions of findings ask the image whether they are there, and where."""
    return MedKlip(
        settings.width,
        layers=layers,
        heads=heads,
        hidden=feed,
        self_attention=self_attention,
        temperature=temperature,
        place_weight=place_weight,
        clip_weight=clip_weight,
        negatives=negatives,
        ask=ask,
        answer=answer,
        variant=variant,
        same_text=same_text,
        same_patient=same_patient,
    )


def kad(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    layers: int = 2,
    heads: int = 4,
    feed: int = 1024,
    self_attention: bool = False,
    temperature: float = 0.07,
    query_weight: float = 1.0,
    ask: str = "wordings",
    answer: str = "both",
    variant: str = "paper",
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """KAD: contrast, and a disease query network on images and on texts."""
    return Kad(
        settings.width,
        layers=layers,
        heads=heads,
        hidden=feed,
        self_attention=self_attention,
        temperature=temperature,
        query_weight=query_weight,
        ask=ask,
        answer=answer,
        variant=variant,
        same_text=same_text,
        same_patient=same_patient,
    )


def concepts(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.07,
    knowledge_weight: float = 1.0,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """Concepts: CLIP while names of the ontology learn their definitions."""
    return Concepts(
        temperature=temperature,
        knowledge_weight=knowledge_weight,
        same_text=same_text,
        same_patient=same_patient,
    )


def kad_knowledge(
    settings: Settings = ONTOLOGY,
    labels: tuple[str, ...] = (),
    *,
    reports: str = "",
    temperature: float = 0.07,
    variant: str = "paper",
) -> nn.Module:
    """KAD's first stage, of `catalogue` or an ontology file: names, definitions and relations."""
    return KnowledgeContrast(temperature=temperature, variant=variant)


def mflag(
    settings: Settings = FROZEN,
    labels: tuple[str, ...] = (),
    *,
    orthogonal_weight: float = 1.0,
    off_weight: float = 0.0051,
    variant: str = "paper",
) -> nn.Module:
    """M-FLAG: images follow a frozen language model, without negatives."""
    return MFlag(orthogonal_weight=orthogonal_weight, off_weight=off_weight, variant=variant)


def kobo(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    findings: tuple[str, ...] = (),
    ontology: str = CATALOGUE,
    near_by: str = "findings",
    strength: float = 1.0,
    temperature: float = 0.07,
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """KoBo: negatives that state the same, or what is near it in an ontology, weigh less."""
    read = near_by == "findings" and ontology != "none"
    return Kobo(
        ontology=torch.from_numpy(nearness(findings, ontology)) if read else None,
        near_by=near_by,
        strength=strength,
        temperature=temperature,
        same_text=same_text,
        same_patient=same_patient,
    )


def descriptions(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    temperature: float = 0.07,
    clip_weight: float = 1.0,
    unknown: str = "neutral",
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """FLAIR: images with expert descriptions of their findings, beside their reports."""
    return Descriptions(
        temperature=temperature,
        clip_weight=clip_weight,
        unknown=unknown,
        same_text=same_text,
        same_patient=same_patient,
    )


def medslip(
    settings: Settings = SENTENCES,
    labels: tuple[str, ...] = (),
    *,
    layers: int = 1,
    heads: int = 4,
    feed: int = 1024,
    self_attention: bool = False,
    temperature: float = 0.07,
    prototype_weight: float = 1.0,
    intra_weight: float = 1.0,
    clip_weight: float = 1.0,
    ask: str = "wordings",
    answer: str = "both",
    variant: str = "paper",
    same_text: str = "positive",
    same_patient: str = "negative",
) -> nn.Module:
    """MeDSLIP: one stream for what is there, one for where, and their agreement."""
    return MedSlip(
        settings.width,
        layers=layers,
        heads=heads,
        hidden=feed,
        self_attention=self_attention,
        temperature=temperature,
        prototype_weight=prototype_weight,
        intra_weight=intra_weight,
        clip_weight=clip_weight,
        ask=ask,
        answer=answer,
        variant=variant,
        same_text=same_text,
        same_patient=same_patient,
    )


RECIPES: dict[str, Callable[..., nn.Module]] = {
    "medklip": medklip,
    "kad": kad,
    "concepts": concepts,
    "kad-knowledge": kad_knowledge,
    "m-flag": mflag,
    "kobo": kobo,
    "descriptions": descriptions,
    "medslip": medslip,
}
