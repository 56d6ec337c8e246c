"""What the names in a score mean: its metric in one spelling, its depth, its direction."""

from __future__ import annotations

import re

from asclip.types import Score

RECALL = re.compile(r"(?:^|[^a-z])(?:recall|r)(?:_at_|@)_?(\d+)", re.IGNORECASE)
DIRECTIONS = ("image_to_text", "text_to_image")
SPELLINGS = {"auc": "auroc", "roc_auc": "auroc", "ap": "average_precision"}
SINGLE_LABEL = ("accuracy", "top1_accuracy", "top_1_accuracy")
PER_LABEL = ("auroc", "average_precision")


def metric(score: Score) -> str:
    """The metric in one spelling.

    >>> metric(Score("d", "test", "t", "AUC", "", 0.5))
    'auroc'
    """
    name = score.metric.lower().replace("-", "_").replace(" ", "_")
    return SPELLINGS.get(name, name)


def recall_depth(score: Score) -> int | None:
    """The k of a recall at k, or None for another metric.

    >>> recall_depth(Score("d", "test", "retrieval", "image_to_text_r@10", "", 0.4))
    10
    """
    found = RECALL.search(score.metric)
    return int(found.group(1)) if found else None


def direction(score: Score) -> str:
    """One of `DIRECTIONS`, or "" for a score that is of no direction."""
    words = " ".join((score.task, score.metric, score.label)).lower()
    words = words.replace("->", "_to_").replace("→", "_to_").replace(" ", "")
    words = words.replace("i2t", "image_to_text").replace("t2i", "text_to_image")
    return next((one for one in DIRECTIONS if one in words), "")


def heading(task: str, prompts: str = "") -> str:
    """A task's name as a heading, with its prompt set's name and version, without the digest.

    >>> heading("zero-shot", "view@1:0123456789ab"), heading("linear_probe")
    ('Zero-shot: view@1', 'Linear probe')
    """
    name = task.replace("_", " ").replace("/", ": ")
    name = name[:1].upper() + name[1:]
    return f"{name}: {prompts.split(':')[0]}" if prompts else name


def base(task: str) -> str:
    """A task's name without its direction."""
    return re.sub(r"[_/ ]*(image_to_text|text_to_image)", "", task).strip("_/ ") or task
