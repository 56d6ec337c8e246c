"""Where a card's numbers come from: settings, provenance, cost, and the lines that repeat them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from asclip.card import words
from asclip.card.content import Card

HASHES = ("hash", "split_hash")


def provenance(card: Card) -> list[tuple[str, str]]:
    """What the card says of its origin, and the hashes of the data where it left them out."""
    rows = words.pairs(card.provenance)
    said = {value for _, value in rows}
    hashes = [(f"data {words.readable(key)}", words.plain(card.data.get(key))) for key in HASHES]
    return rows + [(key, value) for key, value in hashes if value not in {*said, "none"}]


def cost(run: Mapping[str, Any]) -> str:
    """How long the training took, or nothing where that is not known."""
    seconds = run.get("seconds")
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return ""
    return words.duration(seconds)


def settings(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The recipe and all it was given, as rows."""
    inner = run.get("parameters")
    shown = {key: value for key, value in run.items() if key not in ("parameters", "seconds")}
    if cost(run):
        shown["training time"] = cost(run)
    rows = words.pairs(shown)
    options = inner if isinstance(inner, Mapping) else {}
    return rows + [(_option(name), words.plain(value)) for name, value in options.items()]


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def commands(card: Card) -> list[str]:
    """The lines that repeat the run, from the recipe and its parameters."""
    recipe = card.run.get("recipe")
    given = card.run.get("parameters")
    options = ""
    if isinstance(given, Mapping):
        plain = [(k, v) for k, v in given.items() if isinstance(v, str | int | float)]
        options = "".join(f" {_option(k)} {v}" for k, v in plain if v != "")
    train = f"asclip pretrain DATA --recipe {recipe}{options} --out RUN" if recipe else ""
    lines = ["asclip ingest TABLE --out DATA", train, "asclip evaluate RUN --out RUN/scores.json"]
    return [line for line in lines if line]
