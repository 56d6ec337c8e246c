"""What was fitted, one number of its curve, and that number's flat record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from asclip.adapt.draws import Drawn
from asclip.adapt.interface import Adapted
from asclip.types import Score

SCORE = ("dataset", "split", "metric", "label", "value", "low", "high", "n", "chance", "why_nan",
         "prompts", "preprocessing")  # fmt: skip
UNKNOWN = ("value", "low", "high")


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted adapter, from which studies, and how long it took, without their encoding.

    `adapted` is None where the studies do not suffice, and `why` says so.
    """

    method: str
    drawn: Drawn
    adapted: Adapted | None
    seconds: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A fit without its weights, and one score of it.

    `side` is "" for all classes, or "base", "new" and "harmonic"; `chosen` is what validation has
    chosen; `seconds` what the fit took, without encoding its studies first.
    """

    method: str
    drawn: Drawn
    side: str
    chosen: Mapping[str, Any]
    seconds: float
    score: Score

    def to_json(self) -> dict[str, Any]:
        """One flat record."""
        own = {"method": self.method, **asdict(self.drawn), "side": self.side}
        own |= {"seconds": round(self.seconds, 3), "chosen": dict(self.chosen)}
        return own | {name: getattr(self.score, name) for name in SCORE}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Row:
        """The inverse of `to_json`, after JSON has made null of NaN."""
        drawn = Drawn(**{one.name: record[one.name] for one in fields(Drawn)})
        values = {name: record[name] for name in SCORE}
        values |= {name: math.nan for name in UNKNOWN if values[name] is None}
        score = Score(task=record["method"], seed=drawn.seed, **values)
        return cls(
            record["method"], drawn, record["side"], record["chosen"], record["seconds"], score
        )
