"""Learned context: vectors in front of the words of a class, at the level of word embeddings.

    v_k = g([start] c_1 ... c_M [words of class k])   g the model's text tower, frozen
    one class of several    T_k = unit(v_k), one context
    several labels          T_k = unit(v_k+) - unit(v_k-), a context for "has it" and one for
                            "has it not" (DualCoOp, Sun et al. 2022, arXiv:2206.09541)
    z = s f.T + b           b of labels alone

The tower is not changed: while it reads, a hook puts the context where M stand-in tokens lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from asclip.adapt.interface import ClassTexts, Examples, Linear
from asclip.adapt.terms import check, descend, quality, recorded, start_bias
from asclip.errors import ModelError
from asclip.towers.transformer import TextTransformer
from asclip.towers.words import Words
from asclip.types import Encoded

WORDS = ("label", "prompt")


@dataclass(frozen=True)
class Learning:
    """How a context is learned: M vectors, Adam steps and rate, and the words of a class.

    `words` is "label" (the class's name, as in the papers) or "prompt" (its first sentence).
    """

    vectors: int = 8
    steps: int = 100
    rate: float = 2e-3
    words: str = "label"


class Prompter:
    """Some texts, R in number, with `length` places for a context in front of their words."""

    def __init__(self, model: Any, texts: Sequence[str], length: int) -> None:
        self.tower, self.length = model.encoder.text, length
        self.embedding = _embedding(self.tower.backbone)
        self.width = self.embedding.embedding_dim
        # A pretrained tokenizer puts a start token before every text; the context stands behind it.
        self.start = int(len(model.tokenizer.core.encode("").ids) > 1)
        limit = self.tower.config.max_tokens
        tokens = model.tokenizer.encode(list(texts), max_length=limit)
        if tokens.ids.shape[1] + length > limit:
            raise ModelError(
                f"context and words of a class must fit {limit} tokens, got {length} and "
                f"{tokens.ids.shape[1]}; learn fewer vectors or use shorter words"
            )
        rows = len(tokens.ids)
        gap = torch.full((rows, length), model.tokenizer.pad, dtype=torch.int64)
        self.ids = self._joined(tokens.ids, gap).to(model.device)
        self.mask = self._joined(tokens.mask, torch.ones_like(gap, dtype=torch.bool))
        self.mask = self.mask.to(model.device)

    def _joined(self, x: Tensor, middle: Tensor) -> Tensor:
        return torch.cat([x[:, : self.start], middle, x[:, self.start :]], dim=1)

    def __call__(self, context: Tensor) -> Tensor:
        """Unit-length vectors [R, D] of the texts with contexts [R, M, F], on the CPU.

        n R contexts are n rounds of the same texts.
        """
        rounds = len(context) // len(self.ids)
        ids, mask = self.ids.repeat(rounds, 1), self.mask.repeat(rounds, 1)
        with self._put(context.to(self.ids.device)):
            pooled, _ = self.tower.read(ids, mask)
        found = self.tower.project(Encoded(pooled), local=False).pooled
        return functional.normalize(found.float().cpu(), dim=1)

    @contextmanager
    def _put(self, context: Tensor) -> Iterator[None]:
        end = self.start + self.length

        def replace(module: nn.Module, given: Any, out: Tensor) -> Tensor:
            return torch.cat([out[:, : self.start], context.to(out.dtype), out[:, end:]], dim=1)

        handle = self.embedding.register_forward_hook(replace)
        try:
            yield
        finally:
            handle.remove()


def _embedding(backbone: Any) -> Any:
    if isinstance(backbone, (TextTransformer, Words)):
        return backbone.words
    return backbone.get_input_embeddings()


@dataclass(frozen=True, slots=True)
class State:
    """What a method sees at a step: logits [n, K] and unit text vectors [R, D] with their graph.

    The first K of R are those of "has it", of labels K more of "has it not" follow. `moved` is the
    context [1 or 2, M, F] and the bias [K] where there is one.
    """

    logits: Tensor
    vectors: Tensor
    moved: Sequence[Tensor]


def learn(
    support: Examples,
    validation: Examples,
    texts: ClassTexts,
    gradients: Callable[[State], Sequence[Tensor]],
    *,
    how: Learning,
    seed: int,
) -> Linear:
    """Move the context by `gradients(state)`, one a tensor of `state.moved`, to its best step.

    Raises:
        ModelError: the context does not fit the tower, or `words` is none of the two.
    """
    check(support, validation, texts)
    prompter = Prompter(texts.model, sentences(texts, how.words), how.vectors)
    texts.model.encoder.eval()
    single, number = texts.single, len(texts.labels)
    generator = torch.Generator().manual_seed(seed)
    context = first_context(prompter, texts, generator).requires_grad_()

    def read() -> tuple[Tensor, Tensor]:
        vectors = prompter(context.repeat_interleave(number, dim=0))
        return vectors, texts.scale * (vectors if single else vectors[:number] - vectors[number:])

    with torch.no_grad():
        start = support.features @ read()[1].T
    bias = start_bias(start, support.truth, single=single)
    moved = [context] if single else [context, bias.requires_grad_()]

    looked: list[tuple[Tensor, Tensor]] = []  # the step behind a look starts from the same texts

    def follow() -> Sequence[Tensor]:
        vectors, weight = looked.pop() if looked else read()
        return gradients(State(support.features @ weight.T + bias, vectors, moved))

    def judge() -> tuple[float, float]:
        looked[:] = [read()]
        z = validation.features @ looked[0][1].detach().T + bias.detach()
        return quality(z, validation.truth, single=single)

    chosen = recorded(descend(moved, follow, judge, steps=how.steps, rate=how.rate))
    return under(texts, context.detach(), bias.detach(), how.words, chosen)


@torch.no_grad()
def under(
    texts: ClassTexts, context: Tensor, bias: Tensor, words: str, chosen: Mapping[str, Any]
) -> Linear:
    """The classes of `texts` behind a learned context; other ones get no bias."""
    prompter = Prompter(texts.model, sentences(texts, words), context.shape[1])
    number = len(texts.labels)
    vectors = prompter(context.repeat_interleave(number, dim=0))
    weight = texts.scale * (vectors if texts.single else vectors[:number] - vectors[number:])

    def reads(other: ClassTexts) -> Linear:
        return under(other, context, torch.zeros(len(other.labels)), words, chosen)

    return Linear(weight, bias, chosen, {"context": context}, reads)


def first_context(prompter: Prompter, texts: ClassTexts, generator: torch.Generator) -> Tensor:
    """[1, M, F], of labels [2, M, F], from N(0, 0.02^2)."""
    shape = (1 if texts.single else 2, prompter.length, prompter.width)
    return 0.02 * torch.randn(shape, generator=generator)


def sentences(texts: ClassTexts, words: str) -> list[str]:
    """The R texts that follow a context: K of "has it", of labels K more of "has it not"."""
    if words not in WORDS:
        raise ModelError(f"words must be 'label' or 'prompt', got {words!r}")
    if words == "label":
        return list(texts.labels) * (1 if texts.single else 2)
    parts = [texts.prompts.classes[label] for label in texts.labels]
    here = [part.positive[0] for part in parts]
    if texts.single:
        return here
    absent = [part.negative[0] if part.negative else part.positive[0] for part in parts]
    return here + absent


def teachers(texts: ClassTexts) -> tuple[Tensor, Tensor]:
    """Unit vectors [R, D] of the written texts in the order of `State.vectors`; which exist [R]."""
    both = texts.positive if texts.single else torch.cat([texts.positive, texts.negative])
    return both, both.norm(dim=1) > 0
