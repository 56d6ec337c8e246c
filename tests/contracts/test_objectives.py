"""What every objective promises, checked on all of them."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import replace

import pytest
import torch

from asclip.pretrain.multiscale.lovt import LoVT
from asclip.pretrain.multiscale.mgca import Mgca
from asclip.recipes.pretraining import trained_scale
from asclip.train.step import forward, plain_step
from asclip.types import Facts
from toy import OBJECTIVES, ToyEncoder, gradients, reorder, toy_batch


@pytest.fixture(params=OBJECTIVES)
def objective(request: pytest.FixtureRequest) -> torch.nn.Module:
    torch.manual_seed(0)
    return OBJECTIVES[request.param]()


@pytest.mark.parametrize(
    ("name", "takes"),
    [
        ("score", ["image", "text"]),
        ("disentangle", ["image"]),
        ("beside_prior", ["image", "prior", "has_prior"]),
    ],
)
def test_what_a_model_takes_over_by_name_is_meant_so(
    objective: torch.nn.Module, name: str, takes: list[str]
) -> None:
    """A method of this name with another meaning would be called by a task."""
    method = getattr(objective, name, None)
    assert method is None or list(inspect.signature(method).parameters) == takes


def test_loss_is_finite_and_parts_are_detached(objective) -> None:
    loss = forward(ToyEncoder(), objective, toy_batch(), "fp32")
    assert torch.isfinite(loss.total)
    assert loss.total.dtype == torch.float32
    assert all(not part.requires_grad for part in loss.parts.values())


def test_gradient_reaches_each_tower_it_uses(objective) -> None:
    torch.manual_seed(0)
    model = ToyEncoder()
    plain_step(model, objective, toy_batch())
    found = gradients(model)
    used = {need.split(".")[0] for need in objective.needs if not need.startswith("facts")}
    by_tower = {
        "0.image.weight": {"image", "view", "prior", "masked"},
        "0.signal.weight": {"signal"},
        "0.text.weight": {"text", "second", "gapped", "definitions", "queries", "places"}
        | {"names", "meanings"},
    }
    for weight, own in by_tower.items():
        assert (found[weight].abs().sum() > 0) == bool(own & used)


def test_order_of_studies_does_not_matter(objective) -> None:
    torch.manual_seed(0)
    model, batch = ToyEncoder(), toy_batch()
    order = torch.randperm(len(batch.facts.patient), generator=torch.Generator().manual_seed(3))
    words = torch.randperm(
        len(batch.facts.targets["owner"]), generator=torch.Generator().manual_seed(4)
    )
    mixed = reorder(batch, order, words)
    one = forward(model, objective, batch, "fp32").total
    two = forward(model, objective, mixed, "fp32").total
    torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)


def test_it_reads_only_what_it_needs(objective) -> None:
    batch = toy_batch()
    kept = {k: v for k, v in batch.facts.targets.items() if f"facts.{k}" in objective.needs}
    labels = batch.facts.labels if "facts.labels" in objective.needs else None
    lean = replace(batch, facts=Facts(batch.facts.patient, labels, kept))
    torch.manual_seed(0)
    model = ToyEncoder()
    full = forward(model, objective, batch, "fp32").total
    torch.testing.assert_close(forward(model, objective, lean, "fp32").total, full)


def test_it_says_what_it_multiplies_cosines_with(objective) -> None:
    """`Model.scale`: as the log has it, the fixed one where none is learned, 1 where none is."""
    fixed = {LoVT: 10.0, Mgca: 1 / 0.07}.get(type(objective), 1.0)
    if hasattr(objective, "log_scale"):
        parts = forward(ToyEncoder(), objective, toy_batch(), "fp32").parts
        fixed = float(parts.get("scale", objective.log_scale.detach().exp()))
    assert trained_scale(objective) == pytest.approx(fixed)


def test_it_survives_a_pickle(objective) -> None:
    twin = pickle.loads(pickle.dumps(objective))
    model, batch = ToyEncoder(), toy_batch()
    one = forward(model, objective, batch, "fp32").total
    torch.testing.assert_close(forward(model, twin, batch, "fp32").total, one)


def test_its_file_names_paper_input_and_output(objective) -> None:
    text = inspect.getmodule(type(objective)).__doc__ or ""
    for word in ("Paper", "Takes", "Gives", "Differs"):
        assert f"\n{word} " in text
