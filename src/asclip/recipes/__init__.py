"""Recipes: Python functions that return what a run is made of, and the runs themselves.

A recipe is a function `(settings, labels, *, own parameters) -> objective`. Its signature is its
list of options: `Settings`' fields are common to all, the keyword-only parameters are its own, and
the default of `settings` is the paper's table of hyper-parameters. A variant calls a function and
replaces a field. `RECIPES` is the one table in which the command line looks up a name.
"""

from asclip.recipes.options import RECIPES, about, parameters
from asclip.recipes.pretraining import load, pretrain

__all__ = ["RECIPES", "about", "load", "parameters", "pretrain"]
