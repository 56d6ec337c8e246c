"""The first stage of KAD as a run: an ontology in place of a data set, a text tower alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from asclip.data.concept_pairs import ConceptBatches, ConceptPairs
from asclip.data.dataset import Dataset
from asclip.data.mining import corpus
from asclip.data.texts import pieces
from asclip.recipes.options import recipe
from asclip.recipes.parts import pretrained_tokenizer, text_tower_of
from asclip.towers.alone import TextAlone
from asclip.towers.tokenizer import Tokenizer
from asclip.train.processes import world
from asclip.train.run import Run
from asclip.train.settings import Settings

NAME = "kad-knowledge"


def assemble_ontology(
    known: ConceptPairs, settings: Settings, own: Mapping[str, Any]
) -> tuple[Run, TextAlone]:
    """The run of the first stage, and what it trains.

    A text tower with new weights gets a vocabulary of the ontology and, with `own["reports"]`, of
    the training texts of that data set.
    """
    tokenizer = pretrained_tokenizer(settings.text_tower)
    tokenizer = tokenizer or _vocabulary(known, str(own["reports"]))
    tower = text_tower_of(settings, tokenizer.vocabulary)
    model = TextAlone(tower, tokenizer)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encode = partial(tokenizer.encode, max_length=tower.config.max_tokens)
    made = [
        ConceptBatches(
            known, pairs, encode, size=settings.batch, seed=settings.seed * train, share=world()
        )
        for train, pairs in ((1, known.pairs), (0, known.held_out))
    ]
    objective = recipe(NAME)(settings, (), **own).to(device)
    validation = made[1] if len(known.held_out) > 1 else None
    model.to(device)
    whole = {"recipe": NAME, **own}
    return Run(model, objective, made[0], validation, settings, device, whole), model


def _vocabulary(known: ConceptPairs, reports: str) -> Tokenizer:
    documents: list[str] = []
    words: list[str] = []
    if reports:
        part = Dataset.open(Path(reports)).split("train")
        documents, words = corpus(pieces(part.texts()), part.patient_codes())
    return Tokenizer.train(documents, known=[*known.texts, *words])


def describe(run: Run) -> str:
    """One line before the start: concepts, pairs, steps and weights."""
    known: ConceptPairs = run.batches.dataset
    weights = sum(p.numel() for p in run.model.parameters())
    return (
        f"{len(known.names):,} concepts, {len(known.pairs):,} pairs of texts, "
        f"{len(known.held_out):,} synonyms held out, {run.steps:,} steps of {run.batches.size}, "
        f"{weights / 1e6:.1f} million weights"
    )


@torch.no_grad()
def found(model: TextAlone, known: ConceptPairs) -> dict[str, float]:
    """How often a synonym that was held out finds its definition first, of all definitions.

    `top1`, `chance` and the numbers of `synonyms` and `definitions`; {} where none is held out.
    """
    if not known.held_out:
        return {}
    model.eval()
    concepts = list(known.definitions)
    device = next(model.parameters()).device

    def vectors(texts: list[str]) -> torch.Tensor:
        tokens = model.tokenizer.encode(texts, max_length=model.text.config.max_tokens)
        encoded = model.text(
            type(tokens)(tokens.ids.to(device), tokens.mask.to(device)), local=False
        )
        return F.normalize(encoded.pooled.float(), dim=1)

    asked = vectors([word for word, _, _ in known.held_out])
    best = (asked @ vectors([known.definitions[c] for c in concepts]).T).argmax(1).tolist()
    right = [concepts[b] == c for b, (_, _, c) in zip(best, known.held_out, strict=True)]
    return {
        "top1": sum(right) / len(right),
        "chance": 1 / len(concepts),
        "synonyms": len(right),
        "definitions": len(concepts),
    }


def told(retrieval: Mapping[str, float]) -> str:
    """One line of what `found` gives."""
    if not retrieval:
        return "no synonym of a defined concept was held out, so nothing tells what was learned"
    return (
        f"{100 * retrieval['top1']:.0f} % of {retrieval['synonyms']:,.0f} synonyms that were held "
        f"out find their definition first, of {retrieval['definitions']:,.0f} (chance "
        f"{100 * retrieval['chance']:.1f} %)"
    )
