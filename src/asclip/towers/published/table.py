"""models.json: published models, where they are and what their files look like.

What could not be established is None, and the word for it is "not known". A further model is one
more entry; it `loads` when its file has one of the formats, else `reason` says what is missing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from typing import Any

from asclip.errors import ModelError, nearest
from asclip.towers.published.heads import Head

NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Side:
    """How one tower lies in the file.

    `format` is a module's name, `prefix` stands before all its keys, `head` is its projection.
    Image: `summary` as in `ImageConfig`. Text: `pooling`, `layers` and `fill` as in `TextConfig`.
    `activation` and `head_width` are what shapes do not tell of CLIP's transformers.
    """

    format: str
    prefix: str
    head: Head
    summary: str = "first"
    pooling: str = "first"
    layers: tuple[int, ...] = ()
    fill: int | None = None
    activation: str = "gelu"
    head_width: int = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """A published model.

    `page` is where its publishers offer it, `hub` its id there, `weights` the names of its file in
    order of preference, `sha256` digests by file name. `gated` models are given after registration.
    `sees` are the images it was trained on, `differs` what Asclip does otherwise. `configured`
    names the configuration beside the weights that tells the sides ("open_clip", "transformers")
    where the entry does not. `size` (H, W), `mean`, `std`, `fit` and `channels` are those of a
    `Preprocessing`, `context` the longest text in tokens, `tokenizer` a hub id. The scale is
    exp(`scale_key`), at most `scale_most`. `unused` maps keys' beginnings to why no tower has them.
    """

    name: str
    title: str
    page: str
    sees: str
    paper: str | None = None
    licence: str | None = None
    gated: bool | None = None
    hub: str | None = None
    weights: tuple[str, ...] = ()
    sha256: dict[str, str] = field(default_factory=dict)
    loads: bool = True
    reason: str = ""
    differs: tuple[str, ...] = ()
    configured: str = ""
    image: Side | None = None
    text: Side | None = None
    size: tuple[int, int] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    fit: str = "crop"
    channels: int = 3
    context: int | None = None
    tokenizer: str | None = None
    scale_key: str = "logit_scale"
    scale_most: float | None = None
    inside: tuple[str, ...] = ("state_dict",)
    strip: tuple[str, ...] = ("module.",)
    unused: dict[str, str] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """What a reader of the table wants to know; unknown is "not known"."""
        size = "by the file" if self.size is None else " x ".join(map(str, self.size))
        context = "by the file" if self.context is None else f"{self.context} tokens"
        gated = {True: "registration needed", False: "open", None: NOT_KNOWN}[self.gated]
        return {
            "name": self.name,
            "loads": self.loads,
            "title": self.title,
            "images": self.sees,
            "licence": self.licence or NOT_KNOWN,
            "access": gated,
            "page": self.page,
            "paper": self.paper or NOT_KNOWN,
            **({"size": size, "text": context} if self.loads else {"reason": self.reason}),
        }


def entries() -> dict[str, Entry]:
    """All published models by name, in the order of the file."""
    return dict(_read())


def entry(name: str) -> Entry:
    """The model of that name; a typo lists near names."""
    known = _read()
    if name not in known:
        raise ModelError(f"no published model is called {name!r}; {nearest(name, list(known))}")
    return known[name]


@cache
def _read() -> dict[str, Entry]:
    text = (files("asclip.towers.published") / "models.json").read_text(encoding="utf-8")
    return {one["name"]: from_json(one) for one in json.loads(text)}


def from_json(values: dict[str, Any]) -> Entry:
    """An entry of its JSON object; an unknown field is a ModelError."""
    known = {item.name for item in fields(Entry)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ModelError(f"a published model has no field {unknown[0]!r}; see Entry")
    settled: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in values.items()
    }
    for side in ("image", "text"):
        if side in settled:
            settled[side] = _side(settled[side])
    return Entry(**settled)


def _side(values: dict[str, Any]) -> Side:
    head = Head(**values.get("head", {"kind": "identity"}))
    layers = tuple(values.get("layers", ()))
    return Side(**{**values, "head": head, "layers": layers})
