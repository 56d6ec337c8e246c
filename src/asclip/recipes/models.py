"""A published model as a run folder, so that it is evaluated, adapted and used like one of ours.

RUN/run.json               "published": whose it is, its file and SHA-256, what differs; nothing was
                           trained here, so data set, steps, studies and seconds are null
RUN/model.json, model.safetensors, tokenizer.json    see `towers.model`
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from asclip import __version__
from asclip.errors import ModelError
from asclip.files.preprocessing import Preprocessing
from asclip.towers.checkpoint import read_json, write_json
from asclip.towers.published import reading
from asclip.towers.published.bpe import clip_tokenizer
from asclip.towers.published.build import build
from asclip.towers.published.reading import Checkpoint
from asclip.towers.published.table import NOT_KNOWN, Entry, entry
from asclip.towers.tokenizer import Tokenizer

SEED = 0  # of the resampling in an evaluation; nothing else of a published model is random


def add(
    name: str,
    out: Path,
    source: str = "",
    *,
    tokenizer: str = "",
    sha256: str = "",
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """The run folder `out` of the published model `name`, from its file, folder or hub id.

    `source` "" is its own hub id, where it has one. `tokenizer` is a folder, a tokenizer.json, a
    hub id, or CLIP's vocabulary file; "" takes the one beside the weights, else the model's own hub
    id. `sha256` is checked in place of the published digest. `say` gets lines of facts.

    Raises:
        ModelError: there is no tower for it, the file cannot be had or read, or it does not fit.
    """
    one = entry(name)
    if not one.loads:
        raise ModelError(f"{one.title} cannot be added: {one.reason}; see {one.page}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(f"--out must be a new folder, and {out.name} is there; choose another")
    path = _locate(one, source)
    published = one.sha256.get(path.name)
    say(f"reading {path.name}")
    checkpoint = reading.read(
        path, inside=one.inside, strip=one.strip, sha256=sha256 or published or None
    )
    model = build(one, checkpoint, lambda: _tokenizer(one, tokenizer, checkpoint))
    model.save(out)
    record = _record(one, checkpoint, verified=bool(published and not sha256))
    write_json(record, out / "run.json")
    for line in _told(one, record["published"]):
        say(line)
    return out


def preprocessing_of(run: Path) -> Preprocessing:
    """How images must be prepared for the model of a run: what `ingest` needs for its data."""
    values = read_json(run / "model.json").get("preprocessing")
    if not isinstance(values, dict):
        raise ModelError(
            f"model.json of {run.name}/ must have the preprocessing of images and has not; give "
            "the run of a model with an image tower"
        )
    return Preprocessing.from_json(values)


def _locate(one: Entry, source: str) -> Path:
    if not source and one.hub is None:
        raise ModelError(
            f"{one.title} has no hub id; get its weights at {one.page} and give the file with "
            "--from FILE"
        )
    refused = ""
    if one.gated:
        refused = f"; {one.title} is given after registration at {one.page}"
    return reading.locate(source or str(one.hub), one.weights or reading.WEIGHTS, refused=refused)


def _tokenizer(one: Entry, given: str, checkpoint: Checkpoint) -> Tokenizer:
    path = Path(given)
    if given and path.is_file():
        return Tokenizer.load(path) if path.suffix == ".json" else clip_tokenizer(path)
    if given:
        return Tokenizer.from_hub(given)
    if (checkpoint.folder / "tokenizer.json").is_file():
        return Tokenizer.load(checkpoint.folder)
    if one.tokenizer is None:
        raise ModelError(f"{one.name} needs its tokenizer; give its folder with --tokenizer FOLDER")
    try:
        return Tokenizer.from_hub(one.tokenizer)
    except ModelError as error:
        raise ModelError(
            f"{one.name} needs the tokenizer {one.tokenizer} ({error}); give its folder with "
            "--tokenizer FOLDER"
        ) from None


def _record(one: Entry, checkpoint: Checkpoint, *, verified: bool) -> dict[str, Any]:
    """What run.json says; null is what a model that was not trained here does not have."""
    return {
        "format": 1,
        "asclip": __version__,
        "recipe": one.name,
        "parameters": {"seed": SEED},
        "labels": [],
        "data": dict.fromkeys(("name", "hash", "split", "folder")),
        "steps": None,
        "studies": None,
        "seconds": None,
        "published": {
            "title": one.title,
            "page": one.page,
            "paper": one.paper,
            "licence": one.licence,
            "file": checkpoint.file,
            "sha256": checkpoint.sha256,
            "as_published": verified,
            "differs": list(one.differs),
            "unused": one.unused,
        },
    }


def _told(one: Entry, published: dict[str, Any]) -> list[str]:
    seal = "as published" if published["as_published"] else "recorded; no published one to compare"
    return [
        f"{one.title}, {one.page}",
        f"licence: {one.licence or NOT_KNOWN + '; ask its publishers before using it'}",
        f"SHA-256 {published['sha256'][:12]}... ({seal})",
        *(f"differs: {text}" for text in one.differs),
        *(f"left out: {key} ({why})" for key, why in one.unused.items()),
    ]
