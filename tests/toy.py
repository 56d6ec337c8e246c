"""Small stand-ins that several tests share: an encoder of two linear maps, a batch, objectives."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from asclip.pretrain.clip import Clip
from asclip.pretrain.multiscale.gloria import Gloria
from asclip.pretrain.siglip import SigLip
from asclip.pretrain.supervised import Supervised
from asclip.types import Batch, Encoded, Facts, Tokens

WIDTH, LABELS = 8, ("nodule", "effusion")

OBJECTIVES: dict[str, Callable[[], nn.Module]] = {
    "clip": Clip,
    "convirt": lambda: Clip(text_weight=0.25, temperature=0.1, learn_temperature=False),
    "clip-neutral": lambda: Clip(same_text="neutral", same_patient="neutral"),
    "siglip": SigLip,
    "gloria": Gloria,
    "gloria-official": lambda: Gloria(variant="official"),
    "supervised": lambda: Supervised(WIDTH, LABELS),
}


class ToyEncoder(nn.Module):
    """Images [B, 1, 4, 4] -> 4 regions; tokens -> embeddings; dropout in both."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.image = nn.Linear(4, WIDTH)
        self.text = nn.Embedding(11, WIDTH)
        self.dropout = nn.Dropout(dropout)

    def stream(self, name: str, x: torch.Tensor | Tokens | Encoded, *, local: bool) -> Encoded:
        if isinstance(x, Tokens):
            vectors = self.dropout(self.text(x.ids))
            weight = x.mask[..., None].float()
            pooled = (vectors * weight).sum(1) / weight.sum(1).clamp(min=1)
            return Encoded(pooled, vectors if local else None, x.mask if local else None)
        assert isinstance(x, torch.Tensor)
        vectors = self.dropout(self.image(x.flatten(1).unflatten(1, (4, 4))))
        return Encoded(vectors.mean(1), vectors if local else None)


def toy_batch(studies: int = 6, *, seed: int = 0, several: bool = True) -> Batch:
    """Studies of 3 patients; each brings 1 to 3 of 5 texts, so texts repeat across studies."""
    g = torch.Generator().manual_seed(seed)
    images = torch.randn(studies, 1, 4, 4, generator=g)
    ids = torch.randint(1, 11, (5, 4), generator=g)
    mask = torch.arange(4) < torch.tensor([4, 3, 2, 4, 1])[:, None]
    rows, owner = [], []
    for study in range(studies):
        count = 1 + study % 3 if several else 1
        rows += torch.randperm(5, generator=g)[:count].tolist()
        owner += [100 + study] * count
    labels = torch.randint(0, 2, (studies, 2), generator=g).float()
    labels[0, 1] = float("nan")
    facts = Facts(
        torch.arange(studies) // 2,
        labels,
        {
            "study": 100 + torch.arange(studies),
            "owner": torch.tensor(owner),
            "text": torch.tensor(rows),
        },
    )
    tokens = Tokens(ids, mask, torch.tensor(rows))
    return Batch({"image": images}, {"text": tokens}, facts)


def rank_share(batch: Batch, rank: int, ranks: int) -> Batch:
    """What one of several processes sees of a batch: its studies and their texts."""
    studies = len(batch.facts.patient)
    rows = slice(studies * rank // ranks, studies * (rank + 1) // ranks)
    t = batch.facts.targets
    mine = torch.isin(t["owner"], t["study"][rows])
    tokens = batch.texts["text"]
    assert isinstance(tokens, Tokens)
    assert tokens.rows is not None
    distinct, inverse = torch.unique(tokens.rows[mine], return_inverse=True)
    longest = int(tokens.mask[distinct].sum(1).max())
    cut = Tokens(tokens.ids[distinct][:, :longest], tokens.mask[distinct][:, :longest], inverse)
    labels = batch.facts.labels
    facts = Facts(
        batch.facts.patient[rows],
        None if labels is None else labels[rows],
        {"study": t["study"][rows], "owner": t["owner"][mine], "text": t["text"][mine]},
    )
    image = batch.images["image"]
    assert isinstance(image, torch.Tensor)
    return Batch({"image": image[rows]}, {"text": cut}, facts)


def gradients(*modules: nn.Module) -> dict[str, torch.Tensor]:
    """Gradient of every parameter; zeros where there is none."""
    return {
        f"{k}.{name}": torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for k, module in enumerate(modules)
        for name, p in module.named_parameters()
    }
