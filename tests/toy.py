"""Small stand-ins that several tests share: an encoder of two linear maps, a batch, objectives."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from asclip.pretrain.clip import Clip
from asclip.pretrain.data_efficient.cxr_clip import CxrClip
from asclip.pretrain.data_efficient.false_negatives import FalseNegatives
from asclip.pretrain.data_efficient.medclip import MedClip
from asclip.pretrain.data_efficient.sat import Sat
from asclip.pretrain.data_efficient.unicl import UniCl
from asclip.pretrain.dhn_nce import DhnNce
from asclip.pretrain.frontier.coca import CoCa
from asclip.pretrain.frontier.fairclip import FairClip
from asclip.pretrain.frontier.group_weights import GroupWeights
from asclip.pretrain.frontier.high_order import HighOrder
from asclip.pretrain.frontier.metadata import Metadata
from asclip.pretrain.frontier.modalities import Modalities
from asclip.pretrain.frontier.temporal import Temporal
from asclip.pretrain.knowledge.concepts import Concepts
from asclip.pretrain.knowledge.descriptions import Descriptions
from asclip.pretrain.knowledge.kad import Kad
from asclip.pretrain.knowledge.kad_knowledge import KnowledgeContrast
from asclip.pretrain.knowledge.kobo import Kobo
from asclip.pretrain.knowledge.medklip import MedKlip
from asclip.pretrain.knowledge.medslip import MedSlip
from asclip.pretrain.knowledge.mflag import MFlag
from asclip.pretrain.multiscale.biovil import BioVil, BioVilT
from asclip.pretrain.multiscale.carzero import CarZero
from asclip.pretrain.multiscale.ecamp import Ecamp
from asclip.pretrain.multiscale.gloria import Gloria
from asclip.pretrain.multiscale.imitate import Imitate
from asclip.pretrain.multiscale.limitr import Limitr
from asclip.pretrain.multiscale.lovt import LoVT
from asclip.pretrain.multiscale.maco import MaCo
from asclip.pretrain.multiscale.masked import MaskedRecords
from asclip.pretrain.multiscale.mgca import Mgca
from asclip.pretrain.multiscale.prior import Prior
from asclip.pretrain.multiscale.tier import Tier
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
    "clip-same-patient": lambda: Clip(same_patient="positive"),
    "clip-few": lambda: Clip(same_patient="neutral"),
    "dhn-nce": DhnNce,
    "dhn-nce-official": lambda: DhnNce(variant="official"),
    "lovt": lambda: LoVT(WIDTH),
    "mgca": lambda: Mgca(WIDTH, prototypes=6),
    "mgca-official": lambda: Mgca(WIDTH, prototypes=6, variant="official"),
    "limitr": lambda: Limitr(WIDTH),
    "limitr-lateral": lambda: Limitr(WIDTH, lateral=True),
    "limitr-official": lambda: Limitr(WIDTH, variant="official"),
    "prior": lambda: Prior(WIDTH, 4, prototypes=6, queries=4, layers=1, heads=2, temperature=0.1),
    "prior-bank": lambda: Prior(WIDTH, stage=2, prototypes=6, heads=2, temperature=0.1),
    "carzero": lambda: CarZero(WIDTH, layers=2, heads=2, hidden=16, head=(16, 8)),
    "carzero-official": lambda: CarZero(
        WIDTH, layers=2, heads=2, hidden=16, head=(16, 8), variant="official"
    ),
    "tier": Tier,
    "tier-official": lambda: Tier(variant="official"),
    "medclip": MedClip,
    "medclip-official": lambda: MedClip(similarity="dot", nothing="normal"),
    "sat": Sat,
    "sat-meaning": lambda: Sat(by="meaning", alike=0.5, near=0.1, positives="each"),
    "unicl": UniCl,
    "unicl-category": lambda: UniCl(match="category"),
    "false-negatives": lambda: FalseNegatives(threshold=0.3),
    "false-negatives-soft": lambda: FalseNegatives(treatment="soft", by="meaning"),
    "imitate": lambda: Imitate(WIDTH),
    "cxr-clip": CxrClip,
    "mrm": lambda: MaskedRecords(WIDTH, pixels=4, vocabulary=11),
    "maco": lambda: MaCo(WIDTH, regions=4, pixels=4),
    "ecamp": lambda: Ecamp(WIDTH, pixels=4, vocabulary=11),
    "biovil": lambda: BioVil(WIDTH),
    "biovil-t": lambda: BioVilT(WIDTH, layers=1, heads=2),
    "medklip": lambda: MedKlip(WIDTH, layers=1, hidden=16),
    "medklip-official": lambda: MedKlip(
        WIDTH, layers=1, hidden=16, clip_weight=0, variant="official"
    ),
    "kad": lambda: Kad(WIDTH, layers=1, hidden=16),
    "kad-definitions": lambda: Kad(WIDTH, layers=1, hidden=16, ask="definitions"),
    "kad-official": lambda: Kad(
        WIDTH, layers=1, hidden=16, variant="official", self_attention=True
    ),
    "kad-knowledge": KnowledgeContrast,
    "concepts": Concepts,
    "m-flag": MFlag,
    "kobo": Kobo,
    "kobo-report": lambda: Kobo(near_by="report"),
    "descriptions": Descriptions,
    "descriptions-flair": lambda: Descriptions(clip_weight=0, unknown="negative"),
    "medslip": lambda: MedSlip(WIDTH, layers=1, hidden=16),
    "medslip-official": lambda: MedSlip(
        WIDTH, layers=1, hidden=16, clip_weight=0, variant="official"
    ),
    "high-order": lambda: HighOrder(WIDTH),
    "high-order-embeddings": lambda: HighOrder(WIDTH, on="embeddings", same_patient="neutral"),
    "metadata": lambda: Metadata(WIDTH, 3, predict_weight=0.5),
    "metadata-fusion": lambda: Metadata(WIDTH, 3, fusion=True, same_text="neutral"),
    "modalities": lambda: Modalities((("view", "has_view"), ("prior", "has_prior"))),
    "modalities-signal": lambda: Modalities((("signal", "has_signal"),)),
    "temporal": lambda: Temporal(WIDTH),
    "coca": lambda: CoCa(WIDTH, 11, layers=1, hidden=16),
    "fairclip": FairClip,
    "fairclip-neutral": lambda: FairClip(same_text="neutral", same_patient="neutral"),
    "group-weights": GroupWeights,
}


class ToyEncoder(nn.Module):
    """Images [B, 1, 4, 4] -> 4 regions; tokens, signals [B, 3, 4] -> embeddings; dropout in all."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.image = nn.Linear(4, WIDTH)
        self.text = nn.Embedding(11, WIDTH)
        self.signal = nn.Linear(4, WIDTH)
        self.dropout = nn.Dropout(dropout)

    def stream(self, name: str, x: torch.Tensor | Tokens | Encoded, *, local: bool) -> Encoded:
        if isinstance(x, Tokens):
            vectors = self.dropout(self.text(x.ids))
            weight = x.mask[..., None].float()
            pooled = (vectors * weight).sum(1) / weight.sum(1).clamp(min=1)
            return Encoded(pooled, vectors if local else None, x.mask if local else None)
        assert isinstance(x, torch.Tensor)
        if name == "signal":
            vectors = self.dropout(self.signal(x))
            return Encoded(vectors.mean(1), vectors if local else None)
        vectors = self.dropout(self.image(x.flatten(1).unflatten(1, (4, 4))))
        return Encoded(vectors.mean(1), vectors if local else None)


# Facts with a row a text; all others have a row a study.
OF_TEXTS = ("owner", "text", "stated", "meaning")
FINDINGS, PLACES = 3, 5


def toy_batch(studies: int = 6, *, seed: int = 0, several: bool = True) -> Batch:
    """Studies of 3 patients with every stream and fact that an objective may ask for.

    Each brings 1 to 3 of 5 texts, so texts repeat across studies.
    """
    g = torch.Generator().manual_seed(seed)

    def some(count: int) -> Tokens:
        ids = torch.randint(1, 11, (count, 4), generator=g)
        return Tokens(ids, torch.arange(4) < torch.randint(1, 5, (count, 1), generator=g))

    def truth(*shape: int) -> torch.Tensor:
        values = torch.randint(0, 3, shape, generator=g).float()
        return values.masked_fill(values == 2, float("nan"))

    def directions(count: int) -> torch.Tensor:
        return nn.functional.normalize(torch.randn(count, 6, generator=g), dim=1)

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
    text = torch.tensor(rows)
    findings = truth(studies, FINDINGS)
    places = torch.rand(studies, FINDINGS, PLACES, generator=g) < 0.4
    second, gapped = some(studies), some(studies)
    said = torch.arange(studies)
    said[-1] = studies // 2  # two second texts say the same
    second = Tokens(second.ids[said], second.mask[said])
    targets = {
        "study": 100 + torch.arange(studies),
        "owner": torch.tensor(owner),
        "text": text,
        "findings": findings,
        "normal": torch.arange(studies) % 3 == 1,
        "stated": truth(5, FINDINGS)[text],
        "location": (places & (findings == 1)[..., None]).float(),
        "meaning": directions(5)[text],
        "report": directions(studies),
        "second": said,
        "has_view": torch.arange(studies) % 3 > 0,
        "has_second": torch.arange(studies) % 4 > 0,
        "has_prior": torch.arange(studies) % 2 > 0,
        "has_signal": torch.arange(studies) % 5 > 0,
        "change": truth(studies, FINDINGS) - 0.0,
        "patches": torch.randn(studies, 4, 4, generator=g),
        "holes": torch.rand(studies, 4, generator=g).argsort(1) < 2,
        "words": torch.randint(1, 11, (studies, 4), generator=g),
        "gaps": gapped.mask & (torch.arange(4) % 2 == 0),
        "weight": 0.5 + torch.rand(studies, 4, generator=torch.Generator().manual_seed(seed)),
        "meta": truth(studies, 3),
        "group:sex": torch.arange(studies) % 5 % 3 - 1,
    }
    streams = {
        name: torch.randn(studies, 1, 4, 4, generator=g) for name in ("view", "prior", "masked")
    }
    streams["signal"] = torch.randn(studies, 3, 4, generator=torch.Generator().manual_seed(seed))
    return Batch(
        {"image": images, **streams},
        {"text": Tokens(ids, mask, text), "second": second, "gapped": gapped},
        Facts(torch.arange(studies) // 2, labels, targets),
        {
            "definitions": some(FINDINGS),
            "queries": some(FINDINGS),
            "places": some(PLACES),
            "names": some(4),
            "meanings": some(4),
        },
    )


def reorder(batch: Batch, studies: torch.Tensor, texts: torch.Tensor) -> Batch:
    """Some rows of a batch: `studies` of what has a row a study, `texts` of what has one a text."""
    t, tokens, labels = batch.facts.targets, batch.texts["text"], batch.facts.labels
    assert isinstance(tokens, Tokens)
    assert tokens.rows is not None
    distinct, inverse = torch.unique(tokens.rows[texts], return_inverse=True)
    longest = int(tokens.mask[distinct].sum(1).max())
    facts = Facts(
        batch.facts.patient[studies],
        None if labels is None else labels[studies],
        {k: v[texts if k in OF_TEXTS else studies] for k, v in t.items()},
    )
    own = {
        k: Tokens(x.ids[studies], x.mask[studies])
        for k, x in batch.texts.items()
        if k != "text" and isinstance(x, Tokens)
    }
    cut = Tokens(tokens.ids[distinct][:, :longest], tokens.mask[distinct][:, :longest], inverse)
    images = {k: x[studies] for k, x in batch.images.items() if isinstance(x, torch.Tensor)}
    return Batch(images, {"text": cut, **own}, facts, batch.knowledge)


def rank_share(batch: Batch, rank: int, ranks: int) -> Batch:
    """What one of several processes sees of a batch: its studies and their texts."""
    studies = len(batch.facts.patient)
    rows = torch.arange(studies * rank // ranks, studies * (rank + 1) // ranks)
    t = batch.facts.targets
    mine = torch.isin(t["owner"], t["study"][rows]).nonzero()[:, 0]
    return reorder(batch, rows, mine)


def gradients(*modules: nn.Module) -> dict[str, torch.Tensor]:
    """Gradient of every parameter; zeros where there is none."""
    return {
        f"{k}.{name}": torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for k, module in enumerate(modules)
        for name, p in module.named_parameters()
    }
