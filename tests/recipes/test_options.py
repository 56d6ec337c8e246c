from __future__ import annotations

import pytest

from asclip.errors import ModelError
from asclip.recipes import RECIPES, about, parameters
from asclip.recipes.options import choose


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_its_objective_from_its_own_defaults(name: str) -> None:
    settings, own = choose(name, {})
    objective = RECIPES[name](settings, ("a", "b"), **own)
    assert objective.needs
    assert {"batch", "lr", "seed"} <= set(parameters(name))
    assert RECIPES[name].__doc__


def test_given_values_win_over_the_recipe_and_keep_their_types() -> None:
    settings, own = choose("gloria", {"local-weight": "0.5", "batch": "32", "texts": "report"})
    assert own["local_weight"] == 0.5
    assert settings.batch == 32
    assert settings.texts == "report"
    assert choose("clip-reports", {})[0].texts == "report"
    assert choose("locked", {"epochs": 3})[0].lock == "both"


def test_a_typo_lists_near_names() -> None:
    with pytest.raises(ModelError, match="did you mean 'local_weight'"):
        choose("gloria", {"local_weigth": 1})
    with pytest.raises(ModelError, match="did you mean 'gloria'"):
        choose("glorai", {})
    with pytest.raises(ModelError, match="batch must be int; got 'many'"):
        choose("clip", {"batch": "many"})


@pytest.mark.parametrize("name", RECIPES)
def test_every_parameter_is_explained(name: str) -> None:
    assert set(parameters(name)) <= set(about())
