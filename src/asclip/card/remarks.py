"""What a card must say by itself, whoever fills it: the limits that its own numbers show."""

from __future__ import annotations

import math
from collections.abc import Sequence

from asclip.card.content import Card
from asclip.card.names import metric
from asclip.card.tables import LabelRow, Tables
from asclip.card.words import sentence
from asclip.types import Score

FEW = 10  # positives below which an interval is itself unsteady
WEAK = 0.6  # supervised AUROC below which the images hardly carry the label

GENERAL = (
    "Research software, not a medical device. No score here supports a decision about a patient.",
    "Intervals are 95 % bootstrap intervals over the patients of the scored split. They say how "
    "far the value may move with another draw of patients from the same source; they do not "
    "cover another hospital, another scanner, other prompts or another training seed.",
    "Scores rank images or texts. They are not calibrated probabilities of a finding.",
)


def remarks(card: Card, tables: Tables, *, include_images: bool) -> list[str]:
    """Sentences for the section on limits: general ones, found ones, then the card's own."""
    found: list[str] = [*GENERAL]
    rows = [row for table in tables.labels for row in table.rows]
    at_chance = _weak_bounds(card.bound)
    if at_chance:
        found.append(
            f"At chance even with supervision: {_join(at_chance)}. The same image tower, trained "
            "on these labels, does not separate them (its AUROC is below 0.6, or its interval "
            "reaches 0.5), so a low zero-shot score says nothing about the method: the images at "
            "this size, or the number of positives, do not carry the label."
        )
    elif tables.labels and not card.bound:
        found.append(
            "No supervised bound was computed, so this card cannot tell a label that the method "
            "misses from a label that the images do not show."
        )
    unclear = [row.label for row in rows if _covers_half(row.auroc) and row.label not in at_chance]
    if unclear:
        found.append(f"Not told from chance (the interval holds 0.5): {_join(unclear)}.")
    found += _about_counts(rows)
    missing = sum(math.isnan(score.value) for score in card.scores)
    if missing:
        found.append(
            f"{missing} of {len(card.scores)} scores are undefined; each n/a has a reason."
        )
    if tables.retrieval:
        found.append(
            "R@k depends on the number of candidates: compare it only with the same pool, or "
            "against the chance level beside it. Candidates with the same text count as hits, and "
            "where texts are ranked the chance level keeps equal ones together."
        )
    if not include_images and (card.examples or card.heatmaps):
        quoted = "; its examples still quote reports" if card.examples else ""
        found.append(f"Pictures of patients were left out of this page on request{quoted}.")
    return found + [sentence(text) for text in card.limits if text not in found]


def _about_counts(rows: Sequence[LabelRow]) -> list[str]:
    few = [row.label for row in rows if row.positives is not None and 0 < row.positives < FEW]
    if not few:
        return []
    return [f"Fewer than {FEW} positives: {_join(few)}. Take these intervals as rough."]


def _weak_bounds(bound: Sequence[Score]) -> list[str]:
    return [
        score.label
        for score in bound
        if metric(score) == "auroc"
        and score.label not in ("macro", "")
        and (_covers_half(score) or score.value < WEAK)
    ]


def _covers_half(score: Score | None) -> bool:
    return score is not None and score.low <= 0.5 <= score.high


def _join(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in dict.fromkeys(names))
