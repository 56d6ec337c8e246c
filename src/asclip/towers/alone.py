"""A text tower without an image tower: what a first stage trains, and what a run starts from.

FOLDER/model.json         the tower's configuration, the weights' SHA-256
FOLDER/model.safetensors  its weights, under the names that they have in a whole model
FOLDER/tokenizer.json     the vocabulary
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from asclip.errors import ModelError
from asclip.towers import checkpoint
from asclip.towers.text import TextConfig, TextTower
from asclip.towers.tokenizer import Tokenizer
from asclip.types import Encoded, Tokens

RUN = "run:"
FORMAT = 1
_HOW = "give the folder that asclip pretrain wrote: --text-tower run:FOLDER"


class TextAlone(nn.Module):
    """The encoder of a step that has texts only; `scale` is the learned inverse temperature."""

    def __init__(self, text: TextTower, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.text, self.tokenizer = text, tokenizer
        self.width = text.width
        self.scale = 1.0

    def stream(self, name: str, x: Tensor | Tokens | Encoded, *, local: bool) -> Encoded:
        """Encode one stream of texts."""
        if isinstance(x, Tensor):
            raise ModelError(f"a text tower alone encodes no images, got the stream {name!r}")
        return self.text(x, local=local)

    def save(self, folder: Path) -> None:
        """Write the three files, each atomically."""
        checkpoint.save_tensors(self, folder / "model.safetensors")
        self.tokenizer.save(folder / "tokenizer.json")
        values = {
            "format": FORMAT,
            "text": self.text.config.to_json(),
            "scale": self.scale,
            "sha256": checkpoint.file_digest(folder / "model.safetensors"),
        }
        checkpoint.write_json(values, folder / "model.json")


def run_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of `run:FOLDER`; ModelError where there is no run."""
    return Tokenizer.load(_folder(name) / "tokenizer.json")


def run_tower(name: str, *, width: int, locked: bool = False, dropout: float = 0.0) -> TextTower:
    """The text tower of `run:FOLDER`, with its weights: of a first stage, or of any run.

    Raises:
        ModelError: no run there, another width, or weights that are not those of the record.
    """
    folder = _folder(name)
    values = checkpoint.read_json(folder / "model.json")
    if values.get("format") != FORMAT or not isinstance(values.get("text"), dict):
        raise ModelError(f"model.json of {folder.name}/ must describe a text tower; {_HOW}")
    config = TextConfig.from_json(values["text"])
    if config.width != width:
        raise ModelError(
            f"the text tower of {folder.name}/ has the width {config.width} and this run {width}; "
            f"use --width {config.width}"
        )
    weights = folder / "model.safetensors"
    if checkpoint.file_digest(weights) != values.get("sha256"):
        raise ModelError(
            f"model.safetensors of {folder.name}/ must be the file that model.json speaks of; it "
            "is damaged, or of another run; train the first stage again"
        )
    tower = TextTower(replace(config, locked=locked, dropout=dropout))
    tensors = checkpoint.read_tensors(weights)
    own = {key.removeprefix("text."): x for key, x in tensors.items() if key.startswith("text.")}
    checkpoint.load_strict(tower, own, f"the text tower of {folder.name}/")
    return tower


def _folder(name: str) -> Path:
    folder = Path(name.removeprefix(RUN))
    lacking = [
        file
        for file in ("model.json", "model.safetensors", "tokenizer.json")
        if not (folder / file).is_file()
    ]
    if lacking:
        raise ModelError(
            f"the text tower {RUN}{folder.name} must be the folder of a finished run; it lacks "
            f"{', '.join(lacking)}; {_HOW}"
        )
    return folder
