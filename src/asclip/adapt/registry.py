"""The one table of adapters' names, and from words of the command line to adapters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from asclip.adapt.biomedcoop import BiomedCoOp
from asclip.adapt.clip_adapter import ClipAdapter
from asclip.adapt.cocoop import CoCoOp
from asclip.adapt.coop import CoOp
from asclip.adapt.fine_tuning import FineTuning
from asclip.adapt.interface import Adapter
from asclip.adapt.kgcoop import KgCoOp
from asclip.adapt.layer_wise import LayerWise
from asclip.adapt.linear_probe import LinearProbe
from asclip.adapt.lora import LoRA
from asclip.adapt.lp_plus_plus import LpPlusPlus
from asclip.adapt.prograd import ProGrad
from asclip.adapt.tip_adapter import TipAdapter, TipAdapterF
from asclip.adapt.zero_shot import ZeroShot
from asclip.errors import ModelError, nearest

ADAPTERS: dict[str, Callable[..., Adapter]] = {
    "zero-shot": ZeroShot,
    "linear-probe": LinearProbe,
    "lp++": LpPlusPlus,
    "clip-adapter": ClipAdapter,
    "tip-adapter": TipAdapter,
    "tip-adapter-f": TipAdapterF,
    "coop": CoOp,
    "cocoop": CoCoOp,
    "kgcoop": KgCoOp,
    "prograd": ProGrad,
    "biomedcoop": BiomedCoOp,
    "lora": LoRA,
    "layer-wise": LayerWise,
    "fine-tuning": FineTuning,
}


def adapters(words: str = "") -> dict[str, Adapter]:
    """Adapters by their name as given: "tip-adapter,coop:vectors=4,steps=50"; "" is all of them.

    >>> adapters("zero-shot,coop:vectors=4,steps=50")["coop:vectors=4,steps=50"].steps
    50

    Raises:
        ModelError: an unknown name or parameter (near ones are named), or a value of another type.
    """
    names: list[str] = []
    for part in (one.strip() for one in words.split(",") if one.strip()):
        if "=" in part and ":" not in part and names:  # one more parameter of the last name
            names[-1] += ("," if ":" in names[-1] else ":") + part
        else:
            names.append(part)
    return {name: _made(name) for name in names or ADAPTERS}


def parameters(name: str) -> dict[str, Any]:
    """The parameters of an adapter and their defaults."""
    return {one.name: one.default for one in fields(ADAPTERS[name])}  # type: ignore[arg-type]


def _made(word: str) -> Adapter:
    name, _, rest = word.partition(":")
    if name not in ADAPTERS:
        raise ModelError(f"no adapter is called {name!r}; {nearest(name, list(ADAPTERS))}")
    known, given = parameters(name), {}
    for pair in rest.split(",") if rest else ():
        key, _, value = pair.partition("=")
        key = key.strip().replace("-", "_")
        if key not in known:
            hint = nearest(key, list(known)) if known else "it has none"
            raise ModelError(f"adapter {name!r} has no parameter {key!r}; {hint}")
        kind = type(known[key])
        try:
            given[key] = kind(value)
        except ValueError:
            raise ModelError(
                f"{key} of {name!r} must be {kind.__name__}, got {value!r}; the default is "
                f"{known[key]!r}"
            ) from None
        if kind is not str and given[key] < 0:
            raise ModelError(f"{key} of {name!r} must not be below 0, got {value}")
    return ADAPTERS[name](**given)
