"""Numbers as a reader of a paper expects them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from asclip.types import Score

NOT_AVAILABLE = "n/a"


def number(value: Any, digits: int = 3) -> str:
    """A number for a table: counts with separators, others with `digits` decimals.

    A number that these would not show keeps one digit that counts.

    >>> number(12345), number(0.84217), number(3e-4), number(float("nan"))
    ('12,345', '0.842', '0.0003', 'n/a')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NOT_AVAILABLE if value is None else str(value)
    if isinstance(value, int) or (math.isfinite(value) and abs(value) >= 1000):
        return f"{value:,.0f}"
    if not math.isfinite(value):
        return NOT_AVAILABLE if math.isnan(value) else str(value)
    if value != 0 and abs(value) < 5 * 10**-digits:
        return f"{value:.1g}"
    return f"{value:.{digits}f}"


def percent(value: float, digits: int = 1) -> str:
    """A share as per cent.

    >>> percent(0.2417), percent(float("nan"))
    ('24.2 %', 'n/a')
    """
    return NOT_AVAILABLE if math.isnan(value) else f"{100 * value:.{digits}f} %"


def interval(score: Score, *, in_percent: bool = False, digits: int = 3) -> str:
    """The 95 % interval in brackets, or nothing where none was computed.

    >>> interval(Score("d", "test", "zero_shot", "auroc", "macro", 0.8, 0.75, 0.85))
    '[0.750, 0.850]'
    """
    if math.isnan(score.low) or math.isnan(score.high):
        return ""
    if in_percent:
        return f"[{100 * score.low:.1f}, {100 * score.high:.1f}]"
    return f"[{score.low:.{digits}f}, {score.high:.{digits}f}]"


def duration(seconds: float) -> str:
    """Seconds in the units that one would say.

    >>> duration(42.4), duration(200), duration(7500)
    ('42 s', '3 min 20 s', '2 h 5 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def readable(name: str) -> str:
    """A name of code as words.

    >>> readable("zero_shot"), readable("pleural_effusion")
    ('zero shot', 'pleural effusion')
    """
    return name.replace("_", " ").strip()


def pairs(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A mapping, however deep, as (name, text) rows."""
    rows: list[tuple[str, str]] = []
    for key, item in value.items():
        name = f"{prefix}{readable(str(key))}"
        if isinstance(item, Mapping):
            rows += pairs(item, name + " / ") if item else [(name, "none")]
        else:
            rows.append((name, plain(item)))
    return rows


def plain(item: Any) -> str:
    """Any value as text.

    >>> plain((0.5, None, True)), plain([])
    ('0.5, none, yes', 'none')
    """
    if item is None or item == "":
        return "none"
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, int):
        return f"{item:,}"
    if isinstance(item, float):
        return NOT_AVAILABLE if math.isnan(item) else f"{item:.6g}"
    if isinstance(item, Mapping):
        return "; ".join(f"{readable(str(k))} {plain(v)}" for k, v in item.items()) or "none"
    if isinstance(item, Sequence) and not isinstance(item, str):
        return ", ".join(plain(one) for one in item) or "none"
    return str(item)


def sentence(text: str) -> str:
    """`text` with a capital and a full stop; a first word that is a name of code stays as it is.

    >>> sentence("text: 2 studies have none"), sentence("study_id was dropped.")
    ('Text: 2 studies have none.', 'study_id was dropped.')
    """
    text = text.strip()
    word = text.split(" ", 1)[0].rstrip(".,:;")
    if word.isalpha() and word.islower():
        text = text[0].upper() + text[1:]
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def shorten(text: str, most: int) -> str:
    """`text` in one paragraph, cut at a word after at most `most` characters.

    >>> shorten("No   pneumothorax or effusion.", 18)
    'No pneumothorax …'
    """
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    return text[: most - 1].rsplit(" ", 1)[0] + " …"
