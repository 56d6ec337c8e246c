from __future__ import annotations

import inspect

import pytest

from asclip.errors import ModelError
from asclip.recipes import RECIPES, about, parameters
from asclip.recipes.options import FROM_DATA, choose
from asclip.train.settings import Settings


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_its_objective_from_its_own_defaults(name: str) -> None:
    settings, own = choose(name, {})
    objective = RECIPES[name](settings, ("a", "b"), **own)
    assert objective.needs
    assert {"batch", "lr", "seed"} <= set(parameters(name))
    assert RECIPES[name].__doc__


@pytest.mark.parametrize("name", RECIPES)
def test_no_parameter_of_a_recipe_hides_a_common_one(name: str) -> None:
    """One name would be told one meaning, and given to only one of the two."""
    given = inspect.signature(RECIPES[name]).parameters.values()
    own = {p.name for p in given if p.kind is p.KEYWORD_ONLY}
    assert not own & set(Settings.types())


def test_a_recipes_own_parameter_reaches_its_objective() -> None:
    settings, own = choose("kobo", {"near-by": "report", "knowledge": "own.json"})
    assert "facts.report" in RECIPES["kobo"](settings, (), **own).needs
    assert settings.knowledge == "own.json"
    assert "JSON file" in about()["knowledge"]


def test_maco_hides_half_of_an_image() -> None:
    assert [choose(name, {})[0].holes for name in ("maco", "mrm", "ecamp")] == [0.5, 0.75, 0.75]


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


@pytest.mark.parametrize("value", ["nan", "inf", float("-inf")])
def test_a_number_must_be_finite(value: object) -> None:
    for key in ("local_weight", "lr"):
        with pytest.raises(ModelError, match=f"{key} must be a finite number; got"):
            choose("gloria", {key: value})
    with pytest.raises(ModelError, match="batch must be int; got"):
        choose("clip", {"batch": value})


@pytest.mark.parametrize("name", RECIPES)
def test_what_the_data_decides_is_recorded_and_not_asked_for(name: str) -> None:
    for key in set(FROM_DATA) & set(parameters(name)):
        value = parameters(name)[key][1]
        assert choose(name, {key: value})[1][key] == value  # as `load` has it from a record
        with pytest.raises(ModelError, match=f"{key} cannot be given"):
            choose(name, {key: value}, asked=True)
    assert choose(name, {"epochs": 3}, asked=True)[0].epochs == 3


@pytest.mark.parametrize("name", RECIPES)
def test_every_parameter_is_explained(name: str) -> None:
    assert set(parameters(name)) <= set(about())
