"""Two towers as one module: what the training step encodes a batch with."""

from __future__ import annotations

from torch import Tensor, nn

from asclip.errors import ModelError
from asclip.towers.image import ImageTower
from asclip.towers.text import TextTower
from asclip.types import Batch, Encoded, Pair, Tokens


class DualEncoder(nn.Module):
    """An image tower and a text tower with one joint width D.

    `encode(batch, needs)` gives the `Pair` of `batch.images["image"]` and `batch.texts["text"]`;
    every further image or text that `needs` names (as "<name>.pooled" or "<name>.local") goes
    through the tower of its kind into `pair.others`. Local vectors are computed only where needed.
    """

    def __init__(self, image: ImageTower, text: TextTower) -> None:
        super().__init__()
        if image.width != text.width:
            raise ModelError(
                f"both towers must have one width, got image {image.width} and text {text.width}; "
                "build them with the same width"
            )
        self.image = image
        self.text = text
        self.width = image.width

    def stream(self, name: str, x: Tensor | Tokens | Encoded, *, local: bool) -> Encoded:
        """Encode one stream of a batch: pixels, tokens, or the cached raw features of either.

        Cached features go to the tower of their name ("image", "text"), those of another name to
        the tower whose raw width they have. `Tokens.rows` is left to the caller.
        """
        if isinstance(x, Tensor):
            return self.image(x, local=local)
        if isinstance(x, Tokens):
            return self.text(x, local=local)
        if name in ("image", "text"):
            return getattr(self, name)(x, local=local)
        width = x.pooled.shape[-1]
        if self.image.features == self.text.features or width not in (
            self.image.features,
            self.text.features,
        ):
            raise ModelError(
                f"cached features {name!r} of width {width} could be of either tower (image "
                f"{self.image.features}, text {self.text.features}); give pixels or tokens"
            )
        return (self.image if width == self.image.features else self.text)(x, local=local)

    def encode(self, batch: Batch, needs: frozenset[str]) -> Pair:
        """Embeddings of one batch, one row per row of the batch; see `Tokens.rows`.

        ModelError when the batch lacks what `needs` names.
        """
        inputs: dict[str, Tensor | Tokens | Encoded] = {**batch.images, **batch.texts}
        wanted = ({need.partition(".")[0] for need in needs} | {"image", "text"}) - {"facts"}
        lacking = sorted(wanted - set(inputs))
        if lacking:
            raise ModelError(
                f"{lacking[0]!r} is needed, the batch has {sorted(inputs)}; give the recipe data "
                "with it, or choose another objective"
            )
        encoded = {}
        for name in sorted(wanted):
            x = inputs[name]
            out = self.stream(name, x, local=f"{name}.local" in needs)
            encoded[name] = _repeat(out, x.rows) if isinstance(x, Tokens) else out
        return Pair(encoded.pop("image"), encoded.pop("text"), encoded)

    def forward(self, batch: Batch, needs: frozenset[str]) -> Pair:
        """The same as `encode`, so that wrappers of modules work."""
        return self.encode(batch, needs)


def _repeat(encoded: Encoded, rows: Tensor | None) -> Encoded:
    if rows is None:
        return encoded
    return Encoded(
        encoded.pooled[rows],
        None if encoded.local is None else encoded.local[rows],
        None if encoded.valid is None else encoded.valid[rows],
    )
