"""The towers as one module: what the training step encodes a batch with."""

from __future__ import annotations

from torch import Tensor, nn

from asclip.errors import ModelError
from asclip.towers.image import ImageTower
from asclip.towers.signal import NO_TOWER, SignalTower
from asclip.towers.text import TextTower
from asclip.types import Encoded, Tokens


class DualEncoder(nn.Module):
    """An image tower and a text tower with one joint width D; `signal` is a third, or None.

    The training step sends each stream of a batch ("image", "text", a prior image, ...) through
    `stream`; only the streams and local vectors that an objective needs are computed.
    """

    def __init__(
        self, image: ImageTower, text: TextTower, signal: SignalTower | None = None
    ) -> None:
        super().__init__()
        if image.width != text.width:
            raise ModelError(
                f"both towers must have one width, got image {image.width} and text {text.width}; "
                "build them with the same width"
            )
        self.image = image
        self.text = text
        self.signal = signal
        self.width = image.width

    def stream(self, name: str, x: Tensor | Tokens | Encoded, *, local: bool) -> Encoded:
        """Encode one stream of a batch: pixels, tokens, or the cached raw features of either.

        The stream "signal" goes to its own tower; ModelError where there is none.
        Cached features go to the tower of their name ("image", "text"), those of another name to
        the tower whose raw width they have. `Tokens.rows` is left to the caller.
        """
        if name == "signal":
            if self.signal is None:
                raise ModelError(NO_TOWER)
            return self.signal(x, local=local)
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
