"""The methods of the atlas: every recipe and adapter, with its parameters and what it reads."""

from __future__ import annotations

from typing import Any

from asclip.adapt.registry import ADAPTERS
from asclip.adapt.registry import parameters as adapter_parameters
from asclip.literature.site import Method, Parameter
from asclip.literature.site.atlas import title_of
from asclip.recipes.options import FROM_DATA, RECIPES, about, parameters
from asclip.train.settings import Settings


def methods() -> list[Method]:
    """The recipes in their order, then the adapters."""
    return [*map(_recipe, RECIPES), *map(_adapter, ADAPTERS)]


def settings() -> list[Parameter]:
    """What all recipes have in common, with the defaults of `Settings`."""
    said, plain = about(), Settings()
    return [
        Parameter(name, kind.__name__, getattr(plain, name), said.get(name, ""))
        for name, kind in Settings.types().items()
    ]


def _recipe(name: str) -> Method:
    known, said, plain = parameters(name), about(), Settings()
    common = Settings.types()
    made = RECIPES[name](labels=("finding",))

    def row(key: str) -> Parameter:
        kind, default = known[key]
        from_data = key in FROM_DATA
        text = said.get(key, "")
        return Parameter(
            key,
            getattr(kind, "__name__", str(kind)),
            "from the data" if from_data else default,
            text,
        )

    return Method(
        name,
        "objective",
        " ".join((RECIPES[name].__doc__ or "").split("\n\n")[0].split()),
        type(made).__module__,
        f"asclip pretrain DATA --recipe {name} --out RUN",
        parameters=tuple(row(key) for key in known if key not in common),
        settings=tuple(row(key) for key in common if known[key][1] != getattr(plain, key)),
        needs=tuple(sorted(made.needs)),
    )


def _adapter(name: str) -> Method:
    kind: Any = ADAPTERS[name]
    return Method(
        name,
        "adapter",
        title_of(kind.__module__),
        kind.__module__,
        f"asclip adapt RUN DATA --prompts PROMPTS --methods {name}",
        parameters=tuple(
            Parameter(key, type(default).__name__, default)
            for key, default in adapter_parameters(name).items()
        ),
    )
