from __future__ import annotations

import numpy as np

from asclip.phantom.patients import studies
from asclip.phantom.questions import ask


def test_answers_follow_the_truth() -> None:
    kinds = set()
    for found in studies(2, 200):
        for visit in found:
            present = {f.name: f for f in visit.findings}
            for q in ask(visit, "PA", np.random.default_rng(visit.seed)):
                kinds.add(q.kind)
                if q.kind == "closed" and q.finding:
                    assert q.answer == ("yes" if q.finding in present else "no")
                if q.question.startswith("On which side"):
                    side = present[q.finding].side
                    assert q.answer == {"bilateral": "both sides"}.get(side, side)
                if q.question.startswith("In which zone"):
                    assert q.answer == present[q.finding].zone
                if q.question.startswith("How many millimetres"):
                    assert abs(float(q.answer) - present[q.finding].size) <= 0.5
                if q.question == "Is this chest radiograph normal?":
                    assert q.answer == ("no" if present else "yes")
    assert kinds == {"closed", "open"}
