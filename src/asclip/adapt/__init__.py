"""Adapters: a few labelled studies of one site make a loaded model better at one question.

Contract: an adapter is fitted on features of chosen training studies, chooses what it has to choose
on validation studies, and then gives logits of any features; it is never handed the test split, and
it changes no weight of the model: methods that train a tower train a copy of it. One paper, one
file; methods never import each other, what they share lies in `terms`, `context` (learned words)
and `tuning` (trained towers). `ADAPTERS` is the one table of names, `few_shot` the runner.
"""

from asclip.adapt.few_shot import few_shot
from asclip.adapt.interface import Adapted, Adapter, ClassTexts, Examples
from asclip.adapt.registry import ADAPTERS, adapters

__all__ = ["ADAPTERS", "Adapted", "Adapter", "ClassTexts", "Examples", "adapters", "few_shot"]
