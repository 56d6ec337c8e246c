"""One training step: encode, gather, ask the objective, send the gradient back.

`plain_step` keeps the whole graph. `cached_step` (GradCache, Gao et al. 2021, arXiv:2101.06983)
encodes chunk by chunk without a graph, takes the gradient of the loss with respect to the
embeddings, then encodes each chunk again and sends that gradient into the towers: the same
numbers with the memory of one chunk. Random states are replayed, so dropout is the same twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.protocols import Objective
from asclip.train.processes import gather_encoded, gather_facts
from asclip.types import Batch, Encoded, Loss, Pair, Tokens

Input = Tensor | Tokens | Encoded


class Encoder(Protocol):
    """What the step needs of a model: one stream at a time."""

    def stream(self, name: str, x: Input, *, local: bool) -> Encoded:
        """Encode the stream `name` ("image", "text", ...) into the joint space."""
        ...


def streams(batch: Batch, needs: frozenset[str]) -> dict[str, tuple[Input, bool]]:
    """The inputs that `needs` names and whether their local vectors are wanted.

    ModelError where the batch lacks one.
    """
    inputs: dict[str, Input] = {**batch.images, **batch.texts, **batch.knowledge}
    wanted = {need.partition(".")[0] for need in needs} - {"facts"}
    lacking = sorted(wanted - set(inputs))
    if lacking:
        raise ModelError(
            f"{lacking[0]!r} is needed, the batch has {sorted(inputs)}; give the recipe data "
            "with it, or choose another objective"
        )
    return {
        name: (x, f"{name}.local" in needs)
        for name, x in inputs.items()
        if f"{name}.pooled" in needs or f"{name}.local" in needs
    }


def _encode(model: Encoder, name: str, x: Input, local: bool, precision: str) -> Encoded:
    device = _first(x).device.type
    with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
        encoded = model.stream(name, x, local=local)
    vectors = encoded.local.float() if local and encoded.local is not None else None
    return Encoded(encoded.pooled.float(), vectors, encoded.valid if local else None)


def _first(x: Input) -> Tensor:
    return x if isinstance(x, Tensor) else x.ids if isinstance(x, Tokens) else x.pooled


def _repeat(encoded: Encoded, x: Input) -> Encoded:
    """Give each row of the batch its text's embedding; see `Tokens.rows`."""
    rows = x.rows if isinstance(x, Tokens) else None
    if rows is None:
        return encoded
    return _rows(encoded, rows)


def _rows(encoded: Encoded, rows: Tensor | slice) -> Encoded:
    local, valid = encoded.local, encoded.valid
    return Encoded(
        encoded.pooled[rows],
        None if local is None else local[rows],
        None if valid is None else valid[rows],
    )


def _fields(encoded: Encoded) -> tuple[Tensor, Tensor | None, Tensor | None]:
    return encoded.pooled, encoded.local, encoded.valid


def _compare(encoded: Mapping[str, Encoded], objective: Objective, batch: Batch) -> Loss:
    whole = {
        name: e if name in batch.knowledge else gather_encoded(e) for name, e in encoded.items()
    }
    facts = gather_facts(batch.facts, objective.needs)
    nothing = Encoded(torch.zeros(0))
    image, text = whole.pop("image", nothing), whole.pop("text", nothing)
    return objective(Pair(image, text, whole), facts)


def forward(model: Encoder, objective: Objective, batch: Batch, precision: str) -> Loss:
    """The loss of a batch, with its whole graph."""
    encoded = {
        name: _repeat(_encode(model, name, x, local, precision), x)
        for name, (x, local) in streams(batch, objective.needs).items()
    }
    return _compare(encoded, objective, batch)


def plain_step(
    model: Encoder, objective: Objective, batch: Batch, *, precision: str = "fp32"
) -> Loss:
    """Gradients of the batch's loss in the towers and the objective."""
    loss = forward(model, objective, batch, precision)
    loss.total.backward()
    return loss


@dataclass(slots=True)
class _Chunk:
    name: str
    x: Input
    local: bool
    random: tuple[Tensor, list[Tensor]]


def _random_state() -> tuple[Tensor, list[Tensor]]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return torch.get_rng_state(), cuda


def _replay(state: tuple[Tensor, list[Tensor]]) -> None:
    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])


def _cut(x: Input, rows: slice) -> Input:
    if isinstance(x, Tensor):
        return x[rows]
    if isinstance(x, Tokens):
        return Tokens(x.ids[rows], x.mask[rows])
    return _rows(x, rows)


def cached_step(
    model: Encoder,
    objective: Objective,
    batch: Batch,
    *,
    chunk: int,
    precision: str = "fp32",
) -> Loss:
    """The same gradients as `plain_step`, `chunk` rows of a stream at a time."""
    chunks: list[_Chunk] = []
    leaves: dict[str, Encoded] = {}
    for name, (x, local) in streams(batch, objective.needs).items():
        parts = []
        for start in range(0, len(_first(x)), chunk):
            piece = _Chunk(name, _cut(x, slice(start, start + chunk)), local, _random_state())
            with torch.no_grad():
                parts.append(_encode(model, name, piece.x, local, precision))
            chunks.append(piece)
        joined = [
            None if group[0] is None else torch.cat([v for v in group if v is not None])
            for group in zip(*(_fields(part) for part in parts), strict=True)
        ]
        pooled, vectors, valid = joined
        assert pooled is not None
        leaves[name] = Encoded(
            pooled.requires_grad_(),
            None if vectors is None else vectors.requires_grad_(),
            valid,
        )
    repeated = {
        name: _repeat(leaves[name], x) for name, (x, _) in streams(batch, objective.needs).items()
    }
    loss = _compare(repeated, objective, batch)
    loss.total.backward()
    after = _random_state()
    done = dict.fromkeys(leaves, 0)
    for piece in chunks:
        _replay(piece.random)
        encoded = _encode(model, piece.name, piece.x, piece.local, precision)
        rows = slice(done[piece.name], done[piece.name] + len(encoded.pooled))
        done[piece.name] = rows.stop
        leaf = leaves[piece.name]
        outputs, grads = [], []
        for output, source in ((encoded.pooled, leaf.pooled), (encoded.local, leaf.local)):
            if output is not None and output.requires_grad and source is not None:
                if source.grad is not None:
                    outputs.append(output)
                    grads.append(source.grad[rows])
        if outputs:
            torch.autograd.backward(outputs, grads)
    _replay(after)
    return loss
