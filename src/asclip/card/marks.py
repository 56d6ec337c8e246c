"""Table cells of scores, with a footnote for each value that is not available."""

from __future__ import annotations

import math

from markupsafe import Markup

from asclip.card.words import NOT_AVAILABLE, interval, number, percent
from asclip.types import Score


class Notes:
    """Footnotes of one page, numbered as they first come; `texts` are the reasons."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def value(self, score: Score | None, *, in_percent: bool = False, digits: int = 3) -> Markup:
        """A cell: the value with its interval, n/a with its reason, or a dash for no score.

        >>> str(Notes().value(Score("d", "test", "t", "auroc", "a", 0.8, 0.75, 0.85)))
        '<b>0.800</b> <span class="interval">[0.750, 0.850]</span>'
        """
        if score is None:
            return Markup('<span class="muted">–</span>')
        if math.isnan(score.value):
            return self._missing(score.why_nan or "no reason was given")
        shown = percent(score.value) if in_percent else number(float(score.value), digits)
        bounds = interval(score, in_percent=in_percent, digits=digits)
        cell = Markup("<b>{}</b>").format(shown)
        if bounds:
            cell += Markup(' <span class="interval">{}</span>').format(bounds)
        elif score.why_nan:
            cell += self._mark(score.why_nan)
        return cell

    def _missing(self, reason: str) -> Markup:
        cell = Markup('<abbr title="{}">{}</abbr>').format(reason, NOT_AVAILABLE)
        return cell + self._mark(reason)

    def _mark(self, reason: str) -> Markup:
        if reason not in self.texts:
            self.texts.append(reason)
        index = self.texts.index(reason) + 1
        return Markup('<sup><a href="#note-{}" aria-label="note {}">{}</a></sup>').format(
            index, index, index
        )
