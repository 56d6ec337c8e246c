"""How a finding compares with the study before, as the report says; by rules."""

from __future__ import annotations

import math
import re

from asclip.clinical.extract import mentions
from asclip.clinical.sentence import Mention

# Negations first: "no increase" is no change, and "no new effusion" says nothing of an old one.
_CHANGE = re.compile(
    r"\b(?:(?P<none>no (?:\w+ )?new)"
    r"|(?P<same>unchanged|stable|similar|persistent|as before|not (?:yet )?resol\w+"
    r"|(?:no|not|without)(?: \w+){0,2} (?:chang\w+|increas\w+|decreas\w+|wors\w+|progress\w+"
    r"|improv\w+))|(?P<worse>worse\w*|larger|increas\w+|progress\w+|new|grown"
    r"|more (?:prominent|extensive))"
    r"|(?P<better>better|improv\w+|smaller|decreas\w+|regress\w+|resol\w+"
    r"|less (?:prominent|extensive)))\b",
    re.IGNORECASE,
)
_MEANS = {"worse": 1.0, "same": 0.0, "better": -1.0, "none": math.nan}
_APART = re.compile(r"[,;]|\b(?:and|but|while|with)\b")
# "stable pacemaker" after a comma: the word belongs to what follows, not to what stands before.
_LEADS = re.compile(r"(?:[,;]|\b(?:and|but|while|with))\s+$")
_FOLLOWED = re.compile(r" (?!(?:and|or|from|since|compared|in|as|than|when|to|over|on|at|by)\b)\w")


def changed(text: str, name: str) -> float:
    """1 worse, 0 unchanged, -1 better, NaN where the report does not compare.

    >>> changed("The effusion has increased, stable cardiomegaly.", "pleural effusion")
    1.0
    """
    for mention in mentions(text) if text else []:
        if mention.finding != name or mention.assertion == "uncertain":
            continue
        value = _nearest_change(mention)
        # What is absent may be gone or as before, but not worse.
        if not math.isnan(value) and not (mention.assertion == "absent" and value > 0):
            return value
    return math.nan


def _nearest_change(mention: Mention) -> float:
    """What the nearest word of change in the sentence says; one of the same clause is nearer."""

    def gap(match: re.Match[str]) -> tuple[int, int]:
        low, high = min(match.end(), mention.end), max(match.start(), mention.start)
        between = mention.sentence[low:high]
        return len(_APART.findall(between)), len(between)

    def of_another(match: re.Match[str]) -> bool:
        before, after = mention.sentence[: match.start()], mention.sentence[match.end() :]
        beyond = match.start() >= mention.end
        return bool(beyond and _LEADS.search(before) and _FOLLOWED.match(after))

    # A word in the finding's own name ("decreased lung volumes") compares nothing.
    outside = (
        match
        for match in _CHANGE.finditer(mention.sentence)
        if match.end() <= mention.start or match.start() >= mention.end
    )
    found = sorted((match for match in outside if not of_another(match)), key=gap)
    return _MEANS[found[0].lastgroup or "none"] if found else math.nan
