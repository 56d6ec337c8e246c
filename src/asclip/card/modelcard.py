"""A card -> README.md, a model card as model hubs read it: YAML header, then Markdown.

The header's keys are those of the Hugging Face model card metadata; its values are JSON, which is
YAML too. The licence is the user's to fill in: a trained model's depends on its data.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from asclip.card.content import Card
from asclip.card.names import heading, recall_depth
from asclip.card.page import anonymous, put
from asclip.card.remarks import remarks
from asclip.card.tables import arrange
from asclip.card.textual import QUESTIONS, TITLES, WORDS
from asclip.card.words import number, pairs, plain, readable, sentence
from asclip.types import Score

TYPES = {"auroc": "roc_auc", "balanced_accuracy": "accuracy"}  # as hubs call these metrics
SPLITS = ("train", "val", "test")
LEADING = ("ece_raw", "ece_platt", "brier_platt", "aurc")  # of the trust block, means over labels
USE = """\
Research on images of the kind it was trained on: ranking images and texts by their similarity,
zero-shot questions by prompts, features for further training. It is not a medical device, is not
for diagnosis or treatment, and no score of it supports a decision about a patient. Images of
another modality, body region, site or scanner than those of its data, and texts in another
language, are outside what was measured here."""


def write_readme(path: str | os.PathLike[str], card: Card) -> Path:
    """Write the model card and give its path; an older one is replaced.

    Raises:
        ResourceError: the file cannot be written.
    """
    return put(Path(path), readme(card))


def readme(card: Card) -> str:
    """The model card as text; identifiers and absolute paths are taken out as on the page."""
    card = anonymous(card)
    scores = [one for one in leading(card.scores) if not math.isnan(one.value)]
    parts = [
        "---\n" + "\n".join(header(card, scores)) + "\n---",
        f"# {card.title}",
        "> Research software. Not a medical device, not for diagnosis or treatment.",
        "## Intended use\n" + USE,
        "## Data\n" + _data(card),
        "## Preprocessing\n" + _list((step, plain(value)) for step, value in card.preprocessing),
        "## Training\n" + _list(pairs(card.run)),
        "## Scores\n" + _table(scores),
        "## Limits\n" + "\n".join(f"- {text}" for text in _limits(card)),
        "## Use\n```python\nfrom pathlib import Path\nfrom asclip.recipes import load\n\n"
        'model = load(Path("RUN"))  # this folder\n```\n'
        "`asclip predict RUN FILE --prompts NAME` scores files with the preprocessing above.",
        "## Provenance\n" + _list(pairs(card.provenance)),
    ]
    return "\n\n".join(parts) + "\n"


def leading(scores: Sequence[Score]) -> list[Score]:
    """The scores that stand for the others: means over labels, R@10, one of each text task."""
    return [
        one
        for one in scores
        if (one.block in ("", "vision") and one.label == "macro" and one.metric == "auroc")
        or (one.block in ("", "vision") and one.metric in ("accuracy", "balanced_accuracy"))
        or recall_depth(one) == 10
        or (one.task.removesuffix(WORDS), one.metric, one.label) in QUESTIONS
        or (one.block == "trust" and one.label == "macro" and one.metric in LEADING)
    ]


def header(card: Card, scores: Sequence[Score]) -> Iterator[str]:
    """The lines of the YAML header."""
    asked = any("zero-shot" in one.task or recall_depth(one) for one in card.scores)
    tag = "zero-shot-image-classification" if asked else "image-classification"
    yield "license: unknown  # yours to fill in: it depends on the data and weights you used"
    yield "library_name: asclip"
    yield f"pipeline_tag: {tag}"
    tags = ["medical-imaging", "clip", str(card.run.get("recipe", "")), "research-only"]
    yield f"tags: {_json(list(dict.fromkeys(tag for tag in tags if tag)))}"
    yield f"metrics: {_json(sorted({_type(one) for one in scores}))}"
    if not scores:
        return
    yield "model-index:"
    yield f"- name: {_json(card.title)}"
    yield "  results:"
    groups: dict[tuple[str, str, str], list[Score]] = {}
    for one in scores:
        groups.setdefault((one.dataset, one.split, _task(one)), []).append(one)
    for (dataset, split, name), group in groups.items():
        yield f"  - task: {_json({'type': tag, 'name': name})}"
        about = {"type": dataset, "name": dataset, "split": split}
        yield f"    dataset: {_json(about | _revision(group[0]))}"
        yield "    metrics:"
        for one in group:
            shown = {"type": _type(one), "value": round(one.value, 6), "name": _name(one)}
            yield f"    - {_json(shown)}"


def _revision(score: Score) -> dict[str, str]:
    return {"revision": score.split_hash} if score.split_hash else {}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _type(score: Score) -> str:
    return "recall" if recall_depth(score) else TYPES.get(score.metric, score.metric)


def _name(score: Score) -> str:
    label = {"macro": "mean over labels", "": ""}.get(score.label, score.label)
    return ", ".join(part for part in (readable(score.metric), label) if part)


def _task(score: Score) -> str:
    """The task's heading; of a text task "Negation" or "Negation, bag of words"."""
    name = score.task.removesuffix(WORDS)
    if name not in TITLES:
        return heading(score.task, score.prompts)
    return TITLES[name] + (", bag of words" if name != score.task else "")


def _data(card: Card) -> str:
    splits = card.data.get("splits")
    lines = [f"Data set: {card.data.get('name', 'not stated')}."]
    if isinstance(splits, Mapping) and splits:
        columns = list(dict.fromkeys(key for one in splits.values() for key in one))
        lines += ["", _row(["split", *map(readable, columns)]), _row(["---"] * (len(columns) + 1))]
        names = sorted(splits, key=lambda s: SPLITS.index(s) if s in SPLITS else len(SPLITS))
        lines += [_row([s, *(plain(splits[s].get(c)) for c in columns)]) for s in names]
        lines += ["", "All studies of a patient are in one split."]
    notes = card.data.get("notes")
    lines += [sentence(str(note)) for note in notes] if isinstance(notes, list | tuple) else []
    return "\n".join(lines)


def _table(scores: Sequence[Score]) -> str:
    if not scores:
        return "None was computed."
    lines = [
        "95 % bootstrap intervals over patients (over findings where sentences are generated); all",
        "scores are in scores.json, with plots in card.html.",
        "",
        _row(["task", "score", "value", "95 %", "chance", "n"]),
        _row(["---", "---", "---:", "---:", "---:", "---:"]),
    ]
    for one in scores:
        known = not math.isnan(one.low)
        span = f"{number(one.low)} to {number(one.high)}" if known else ""
        chance = "" if one.chance is None else number(one.chance)
        task = f"{_task(one)} ({one.split})"
        lines.append(_row([task, _name(one), number(one.value), span, chance, f"{one.n:,}"]))
    return "\n".join(lines)


def _limits(card: Card) -> list[str]:
    vision = [one for one in card.scores if one.block in ("", "vision")]
    tables = arrange(vision, card.predictions, card.bound)
    warned = [sentence(text) for some in card.warnings.values() for text in some]
    vision_only = replace(card, scores=vision)
    return [*remarks(vision_only, tables, include_images=True), *warned]


def _list(rows: Any) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in rows) or "None was recorded."


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
