"""Classification: which findings, or which class, a study has.

`truth` reads what is known from a data set, `scoring` turns predictions into scores for every task
of this folder. A prediction is a log-odds (see `zero_shot`), so that sigmoid gives a probability.
"""

from __future__ import annotations
