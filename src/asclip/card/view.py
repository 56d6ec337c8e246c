"""A card -> what the template shows, section by section; no HTML here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asclip import __version__
from asclip.card import (
    curves,
    explanation,
    figures,
    judgement,
    origin,
    pictures,
    robustness,
    roc,
    textual,
    words,
)
from asclip.card.content import Card
from asclip.card.names import heading, recall_depth
from asclip.card.plots import Plot
from asclip.card.remarks import remarks
from asclip.card.tables import Tables, arrange
from asclip.types import Predictions, Score

MOST_MEANS = 3  # macro AUROCs among the big numbers
TOLD_ELSEWHERE = ("name", "part", "studies", "patients", "images", "preprocessing", "software")
BLOCKS = ("guard", "vision", "text", "trust", "robustness", "explanation")
SPLITS = ("train", "validation", "val", "test")


@dataclass(frozen=True, slots=True)
class KeyNumber:
    """One of the big numbers at the top."""

    name: str
    value: str
    interval: str
    details: tuple[str, ...]


def view(card: Card, *, include_images: bool, most: int) -> dict[str, Any]:
    """All names that card.html reads."""
    parts = blocks(card, include_images=include_images)
    card = replace(card, scores=_of(card.scores, "vision", ""))
    tables = arrange(card.scores, card.predictions, card.bound)
    return parts | {
        "title": card.title,
        "created": card.created,
        "version": __version__,
        "recipe": card.run.get("recipe", ""),
        "cost": origin.cost(card.run),
        "dataset": card.data.get("name", ""),
        "key_numbers": key_numbers(card, tables),
        "data": data(card.data),
        "curves": curves.curves(card.curves),
        "pace": curves.pace(card.curves),
        "composition": curves.composition(card.curves),
        "labels": [(t, figures.forest(f"forest{i}", t)) for i, t in enumerate(tables.labels)],
        "rocs": rocs(card),
        "single": tables.single,
        "retrieval": tables.retrieval,
        "others": tables.others,
        "recall_depth": recall_depth,
        "examples": examples(card, include_images=include_images, most=most),
        "num_examples": len(card.examples),
        "heatmaps": [pictures.overlay(one) for one in card.heatmaps[:most] if include_images],
        "num_heatmaps": len(card.heatmaps),
        "colour_bar": pictures.colour_bar(),
        "settings": origin.settings(card.run),
        "preprocessing": [(step, words.plain(value)) for step, value in card.preprocessing],
        "provenance": origin.provenance(card),
        "remarks": remarks(card, tables, include_images=include_images),
        "commands": card.commands or origin.commands(card),
    }


def blocks(card: Card, *, include_images: bool) -> dict[str, Any]:
    """What the suite's further blocks show; empty where a block was not run."""
    told = {name: [words.sentence(t) for t in some] for name, some in card.warnings.items()}
    return {
        "warnings": dict.fromkeys(BLOCKS, ()) | told,
        "seconds": [(name, words.duration(s)) for name, s in card.seconds.items()],
        "guard": _of(card.scores, "guard"),
        "textual": textual.view(_of(card.scores, "text")),
        "trust": judgement.view(card),
        "robustness": robustness.view(_of(card.scores, "robustness")),
        "explanation": explanation.view(
            _of(card.scores, "explanation"), card.explained, include_images=include_images
        ),
    }


def _of(scores: Sequence[Score], *blocks: str) -> list[Score]:
    return [one for one in scores if one.block in blocks]


def key_numbers(card: Card, tables: Tables) -> list[KeyNumber]:
    """Macro AUROC of the first tasks and R@10 of both directions."""
    found = []
    with_mean = [table for table in tables.labels if table.macro and table.macro.auroc]
    for table in with_mean[:MOST_MEANS]:
        assert table.macro is not None
        assert table.macro.auroc is not None
        score, bound = table.macro.auroc, table.macro.bound
        beside = f"with labels {words.number(bound.value)} · " if bound else ""
        known = sum(row.auroc is not None and not math.isnan(row.auroc.value) for row in table.rows)
        details = (f"{beside}chance 0.500", f"{known} labels · n = {score.n:,}")
        name = f"Macro AUROC, {table.title.lower()}"
        found.append(KeyNumber(name, words.number(score.value), words.interval(score), details))
    for direction in tables.retrieval:
        score = _ten(direction.rows)
        if score is None:
            continue
        pool = "pool not stated" if score.pool is None else f"pool {score.pool:,}"
        chance = "" if score.chance is None else f" · chance {words.percent(score.chance)}"
        name = f"R@{recall_depth(score)}, {words.readable(direction.direction) or 'retrieval'}"
        bounds = words.interval(score, in_percent=True)
        texts = "" if direction.texts is None else f"{direction.texts:,} distinct texts · "
        details = (pool + chance, f"{texts}{score.n:,} queries")
        found.append(KeyNumber(name, words.percent(score.value), bounds, details))
    return found


def _ten(rows: Sequence[Score]) -> Score | None:
    ranked = [score for score in rows if recall_depth(score)]
    return next((s for s in ranked if recall_depth(s) == 10), ranked[-1] if ranked else None)


def data(described: Mapping[str, Any]) -> dict[str, Any]:
    """The counts per split, the prevalences, the notes, and whatever else was described."""
    shown = {k: v for k, v in described.items() if k not in (*TOLD_ELSEWHERE, *origin.HASHES)}
    splits = shown.pop("splits", {})
    labels = shown.pop("labels", {})
    notes = shown.pop("notes", [])
    order = sorted(splits, key=lambda name: SPLITS.index(name) if name in SPLITS else 9)
    columns = list(dict.fromkeys(key for split in order for key in splits[split]))
    rows = (
        [row for name in labels if (row := _prevalence(name, labels))]
        if isinstance(labels, Mapping)
        else []
    )
    rows.sort(key=lambda row: row[1], reverse=True)
    return {
        "columns": columns,
        "splits": [(name, [words.plain(splits[name].get(c)) for c in columns]) for name in order],
        "prevalence": figures.prevalences(rows) if rows else None,
        "num_labels": len(rows),
        "notes": [words.sentence(n) for n in ([notes] if isinstance(notes, str) else notes)],
        "facts": [(words.readable(key), words.plain(value)) for key, value in shown.items()],
    }


def _prevalence(name: str, labels: Mapping[str, Any]) -> tuple[str, float, str] | None:
    """(label, share, text), from a share or from counts {positive, negative | stated, ...}."""
    entry = labels[name]
    if isinstance(entry, Mapping):
        positive = entry.get("positive", entry.get("positives"))
        stated = entry.get("stated", entry.get("n"))
        if positive is not None and stated is None:
            stated = positive + entry.get("negative", entry.get("negatives", 0))
        if positive is None or not stated:
            return None
        return name, positive / stated, f"{100 * positive / stated:.1f} % ({positive:,})"
    if not isinstance(entry, int | float) or math.isnan(entry):
        return None
    return name, float(entry), f"{100 * entry:.1f} %"


def rocs(card: Card) -> list[tuple[str, bool, list[Plot]]]:
    """(title, has a bound, plots) of every classification whose predictions are there."""
    bound_tasks = {score.task for score in card.bound} - {score.task for score in card.scores}
    bounds = [p for p in card.predictions if p.provenance.get("task") in bound_tasks]
    result = []
    for i, one in enumerate(card.predictions):
        task = str(one.provenance.get("task", ""))
        if task in bound_tasks or not _is_classification(one):
            continue
        beside = next((b for b in bounds if set(b.labels) & set(one.labels)), None)
        plots = roc.plots(f"roc{i}-", one, beside)
        if plots:
            result.append(
                (
                    heading(task or "predictions", str(one.provenance.get("prompts", ""))),
                    beside is not None,
                    plots,
                )
            )
    return result


def _is_classification(predictions: Predictions) -> bool:
    if "retrieval" in str(predictions.provenance.get("task", "")):
        return False
    return predictions.scores.ndim == 2 and predictions.scores.shape[1] == len(predictions.labels)


def examples(card: Card, *, include_images: bool, most: int) -> list[dict[str, Any]]:
    """Retrieval examples, the query first; each candidate with its bar on one scale for all."""
    shown = []
    values = [similarity for one in card.examples[:most] for _, similarity, _ in one.candidates]
    low, high = min([0.0, *values]), max([0.0, *values])
    for one in card.examples[:most]:
        thumbs = [pictures.uri(p) for p in one.pictures] if include_images else []
        thumbs += [""] * (len(one.candidates) - len(thumbs))
        shown.append(
            {
                "image": pictures.uri(one.image) if include_images else "",
                "text": one.text,
                "direction": one.direction,
                "rank": one.first_hit_rank,
                "right": bool(one.candidates) and one.candidates[0][2],
                "candidates": [
                    (text, s, hit, bar(s, low, high), thumb)
                    for (text, s, hit), thumb in zip(one.candidates, thumbs, strict=False)
                ],
            }
        )
    return shown


def bar(value: float, low: float, high: float) -> tuple[float, float, float]:
    """Zero line, left end and width of a bar from 0 to `value`, in per cent of low..high.

    >>> bar(-0.1, -0.1, 0.4)
    (20.0, 0.0, 20.0)
    """
    spread = (high - low) or 1.0
    zero, end = (100 * (one - low) / spread for one in (0.0, value))
    return zero, min(zero, end), abs(end - zero)
