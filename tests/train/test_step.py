from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from asclip.errors import ModelError
from asclip.train.step import cached_step, plain_step, streams
from asclip.types import Tokens
from toy import OBJECTIVES, ToyEncoder, gradients, toy_batch


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_cached_step_has_the_gradients_of_the_plain_step(name: str, chunk: int) -> None:
    results = []
    for size in (0, chunk):
        torch.manual_seed(0)
        model, objective = ToyEncoder(), OBJECTIVES[name]()
        batch = toy_batch()
        loss = (
            cached_step(model, objective, batch, chunk=size)
            if size
            else plain_step(model, objective, batch)
        )
        results.append((loss.total.detach(), gradients(model, objective)))
    (plain, plain_grad), (cached, cached_grad) = results
    torch.testing.assert_close(cached, plain, atol=1e-6, rtol=1e-6)
    assert any(grad.abs().max() > 1e-4 for grad in plain_grad.values())
    for key, grad in plain_grad.items():
        torch.testing.assert_close(cached_grad[key], grad, atol=1e-6, rtol=1e-5)


def test_cached_step_replays_dropout() -> None:
    """One chunk draws the same dropout as the plain step only if its second pass repeats it."""
    found = []
    for chunk in (0, 100):
        torch.manual_seed(0)
        model, objective = ToyEncoder(dropout=0.5), OBJECTIVES["gloria"]()
        torch.manual_seed(7)
        step = plain_step if not chunk else cached_step
        step(model, objective, toy_batch(), **({"chunk": chunk} if chunk else {}))
        found.append(gradients(model, objective))
    for key, grad in found[0].items():
        torch.testing.assert_close(found[1][key], grad, atol=1e-6, rtol=1e-5)


def test_only_needed_streams_and_locals_are_encoded() -> None:
    batch = toy_batch()
    assert set(streams(batch, frozenset({"image.pooled", "facts.labels"}))) == {"image"}
    wanted = streams(batch, frozenset({"image.pooled", "text.pooled", "text.local"}))
    assert {name: local for name, (_, local) in wanted.items()} == {"image": False, "text": True}


def test_what_the_batch_lacks_is_named() -> None:
    with pytest.raises(ModelError, match="'sound' is needed, the batch has"):
        streams(toy_batch(), frozenset({"image.pooled", "sound.local", "facts.patient"}))


def test_a_text_that_repeats_is_encoded_once() -> None:
    """`Tokens.rows` spreads the embeddings of the distinct texts over the rows of the batch."""
    torch.manual_seed(0)
    model, objective, batch = ToyEncoder(), OBJECTIVES["clip"](), toy_batch()
    tokens = batch.texts["text"]
    assert isinstance(tokens, Tokens)
    assert tokens.rows is not None
    spread = Tokens(tokens.ids[tokens.rows], tokens.mask[tokens.rows])
    once = plain_step(model, objective, batch).total
    each = plain_step(model, objective, replace(batch, texts={"text": spread})).total
    assert len(spread.ids) > len(tokens.ids)
    torch.testing.assert_close(each, once, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("chunk", [0, 2])
def test_two_ranks_equal_one(two_ranks: dict, name: str, chunk: int) -> None:
    torch.manual_seed(0)
    model, objective = ToyEncoder(), OBJECTIVES[name]()
    loss = plain_step(model, objective, toy_batch())
    there = two_ranks[f"{name}/{chunk}"]
    torch.testing.assert_close(there["loss"], loss.total.detach(), atol=1e-6, rtol=1e-6)
    for key, grad in gradients(model, objective).items():
        torch.testing.assert_close(there["gradients"][key], grad, atol=1e-6, rtol=1e-5)
