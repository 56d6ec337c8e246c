"""Alignment by sigmoid cross-attention, sentences as mixtures of prototypes, reconstruction.

    bank:   b_s = softmax(t_s E^T / 0.9) E, lambda mean |b_s - t_s|; reports are attention-pooled b
    local:  v_n' = sum_s sigmoid(Q v_n . K b_s / sqrt D) V b_s, b_s' the same over regions;
            SimSiam - (cos(P v, sg v') + cos(P v', sg v)) / 2 and CE of b with b' inside a study
    images: hidden patches of the masked image from [m_n; m_n'], mean |.|
    reports: learned queries decode the image; matched (Hungarian, L1) to the sentences' b:
            lambda mean |.|, KL(p(E|t) || p(E|decoded)), NCE of decoded and own report
    L = g NCE(s u . report) + all of these;   g = `global_weight` at stage 3, else 1

Paper    PRIOR, Cheng et al. 2023 (ICCV), arXiv:2307.12577
Takes    image.pooled [B, D], image.local [B, N, D], text.pooled [M, D]: a study's sentences;
         stage 3: masked.local [B, N, D], facts.patches [B, N, P], facts.holes [B, N]
Gives    total; parts global, image_local, text_local and, by stage, bank, image, report, query,
         generated
Equals   at stage 1 the authors' first stage, at 2 their second; 3 is all of it
Differs  stages are an option, not a schedule. The image that is decoded is the masked one and the
         error is over its holes, patch by patch (code: channels of the whole image's map are
         dropped, a CNN decodes all pixels). Gumbel noise is off unless `noise` (training mode
         only): rows and processes would differ. Queries beyond a report's sentences are matched
         with zero vectors, as in the code, which however orders them by the inverse of the
         matching. A sentence said twice is its copy's positive; equal reports are each other's. A
         study without text has no report: it is left out of `global`, `generated` and
         `image_local`.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.decoder import Decoder, check_heads
from asclip.pretrain.scale import (
    Scaled,
    check_count,
    check_not_negative,
    check_positive,
    log_scale,
    scale_of,
)
from asclip.pretrain.terms import Relation, by_study, contrast, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair

HIDDEN = -1e4


def simsiam(x: Tensor, y: Tensor, predictor: nn.Module) -> Tensor:
    """Symmetric negative cosine of predictions and what stands still; x, y [B, N, D]; 0 of none."""
    one = F.cosine_similarity(predictor(x), y.detach(), dim=-1, eps=1e-6)
    two = F.cosine_similarity(predictor(y), x.detach(), dim=-1, eps=1e-6)
    return -(one.sum() + two.sum()) / 2 / max(1, one.numel())


def inside(x: Tensor, y: Tensor, same: Tensor, valid: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of x_s with y_s against the study's other sentences, both ways; [B, S, D]."""
    z = scale * unit(x) @ unit(y).mT
    target = F.normalize(same * valid[:, None, :], p=1, dim=-1)
    both = [
        -(target * z.masked_fill(~valid[:, None, :], HIDDEN).log_softmax(-1)).sum(-1)
        for z in (z, z.mT)
    ]
    each = (sum(both) / 2 * valid).sum(1) / valid.sum(1).clamp(min=1)
    return each.mean()


def match(decoded: Tensor, truth: Tensor) -> Tensor:
    """Which decoded vector stands for each true one, [B, Q]; both [B, Q, D], least L1 distance."""
    cost = torch.cdist(decoded.detach(), truth.detach(), p=1).cpu().numpy()
    # Each study's own small problem, solved outside torch in microseconds.
    found = [linear_sum_assignment(one.T)[1] for one in cost]
    return torch.from_numpy(np.stack(found)).to(decoded.device)


class Prior(Scaled):
    """PRIOR's objective for towers of `width` D and patches of `pixels` P numbers (stage 3)."""

    def __init__(
        self,
        width: int,
        pixels: int = 0,
        *,
        stage: int = 3,
        temperature: float = 0.01,
        global_weight: float = 10.0,
        bank_weight: float = 10.0,
        prototypes: int = 512,
        softness: float = 0.9,
        noise: bool = False,
        queries: int = 16,
        layers: int = 4,
        heads: int = 4,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if stage not in (1, 2, 3) or (stage == 3 and pixels < 1):
            raise ModelError(
                f"stage must be 1, 2 or 3 and a patch have pixels in 3, got {stage} and {pixels}"
            )
        check_positive(softness=softness)
        check_count(prototypes=prototypes, queries=queries)
        check_heads(width, heads)
        check_not_negative(global_weight=global_weight, bank_weight=bank_weight)
        self.log_scale, self.log_local_scale = log_scale(temperature), log_scale(temperature)
        self.of_image, self.of_text = nn.Linear(width, 3 * width), nn.Linear(width, 3 * width)
        self.predictor = nn.Sequential(
            nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, width)
        )
        self.pool = nn.MultiheadAttention(width, heads, batch_first=True)
        self.stage, self.softness, self.noise = stage, softness, noise
        self.global_weight, self.bank_weight = global_weight, bank_weight
        self.same_text, self.same_patient = same_text, same_patient
        needs = {"image.pooled", "image.local", "text.pooled", "facts.text"}
        if stage > 1:
            self.bank = nn.Parameter(torch.randn(prototypes, width))
        if stage > 2:
            self.queries = nn.Parameter(torch.randn(queries, width))
            self.decoder = Decoder(width, layers=layers, heads=heads, hidden=4 * width)
            self.to_pixels = nn.Sequential(
                nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, pixels)
            )
            needs |= {"masked.local", "facts.patches", "facts.holes"}
        self.needs = frozenset(needs | relation_needs(same_text, same_patient))

    def look_up(self, sentences: Tensor) -> Tensor:
        """Each sentence as a mixture of prototypes: [..., D] -> [..., D]."""
        logits = sentences @ self.bank.T
        if self.noise and self.training:
            return F.gumbel_softmax(logits, tau=self.softness, dim=-1) @ self.bank
        return (logits / self.softness).softmax(-1) @ self.bank

    def attend(self, regions: Tensor, sentences: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """What regions take from sentences [B, N, D], and sentences from regions [B, S, D]."""
        q, k, v = self.of_image(regions).chunk(3, -1)
        qt, kt, vt = self.of_text(sentences).chunk(3, -1)
        root = regions.shape[-1] ** 0.5
        to_text = (q @ kt.mT / root).sigmoid() * valid[:, None, :]
        return to_text @ vt, (qt @ k.mT / root).sigmoid() @ v

    def report(self, sentences: Tensor, valid: Tensor) -> Tensor:
        """One vector a report, [B, D]: the mean's attention to itself and to the sentences."""
        mean = (sentences * valid[..., None]).sum(1) / valid.sum(1, keepdim=True).clamp(min=1)
        tokens = torch.cat([mean[:, None], sentences], 1)
        hidden = F.pad(~valid, (1, 0))
        return self.pool(tokens[:, :1], tokens, tokens, hidden, need_weights=False)[0][:, 0]

    def _relation(self, facts: Facts, said: Tensor, valid: Tensor) -> Relation:
        """Study against report, [B, U]: reports that say the same share a number.

        A study without text has no report: its row is left out, and it is nobody's column.
        """
        end = said.max() + 1
        words = said.masked_fill(~valid, end).sort(1).values  # a report as a set of statements
        words[:, 1:] = words[:, 1:].masked_fill(words[:, 1:] == words[:, :-1], end)
        number = words.sort(1).values.unique(dim=0, return_inverse=True)[1]
        one = Facts(facts.patient, targets={"text": number})
        pairs = relation(one, len(said), same_text=self.same_text, same_patient=self.same_patient)
        has = valid.any(1)
        kept, row = has[pairs.texts], has[:, None]
        return Relation(
            (pairs.positive & row)[:, kept], (pairs.neutral | ~row)[:, kept], pairs.texts[kept]
        )

    def generated(
        self, regions: Tensor, sentences: Tensor, mixed: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The decoded reports [B, D], L1 to the sentences' mixtures, KL of their look-ups."""
        room = len(self.queries) - valid.shape[1]
        if room < 0:
            raise ModelError(
                f"a study may have {len(self.queries)} sentences (queries), got {valid.shape[1]}; "
                "set queries or per_study"
            )
        decoded = self.decoder(self.queries, regions)[0]  # [B, Q, D]
        truth = F.pad(mixed * valid[..., None], (0, 0, 0, room))
        order = match(decoded, truth)
        matched = decoded.gather(1, order[..., None].expand_as(decoded))
        error = F.l1_loss(matched, truth)
        matched = matched[:, : valid.shape[1]]
        log = (matched @ self.bank.T).log_softmax(-1)
        true = (sentences @ self.bank.T).log_softmax(-1)
        apart = (true.exp() * (true - log)).sum(-1)
        query = (apart * valid).sum() / valid.sum().clamp(min=1)
        return self.report(self.look_up(matched), valid), error, query

    def pixels(self, pair: Pair, facts: Facts, mixed: Tensor, valid: Tensor) -> Tensor:
        """Mean absolute error over the hidden patches of the masked image; 0 without holes."""
        regions = pair.others["masked"].local
        if regions is None:
            raise ValueError("prior needs local vectors of the masked image; got None")
        regions = regions.float()
        context, _ = self.attend(regions, mixed, valid)
        guess = self.to_pixels(torch.cat([regions, context], -1))  # [B, N, P]
        error = (guess - facts.targets["patches"]).abs().mean(-1)
        holes = facts.targets["holes"]
        return (error * holes).sum() / holes.sum().clamp(min=1)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M sentences."""
        if pair.image.local is None:
            raise ValueError("prior needs local vectors of the images; got None")
        regions = pair.image.local.float()
        sentences, valid = by_study(pair.text.pooled.float(), facts, len(regions))
        said, _ = by_study(facts.targets["text"], facts, len(regions))
        mixed = sentences if self.stage == 1 else self.look_up(sentences)
        pairs = self._relation(facts, said, valid)
        report, scale = self.report(mixed, valid), self.scale
        logits = scale * unit(pair.image.pooled) @ unit(report[pairs.texts]).T
        parts = {"global": torch.stack(contrast(logits, pairs)).mean()}
        seen, found = self.attend(regions, mixed, valid)
        has = valid.any(1)  # what regions take from no sentence is a zero vector
        parts["image_local"] = simsiam(regions[has], seen[has], self.predictor)
        same = said[:, :, None] == said[:, None, :]
        if self.same_text == "negative":
            same = torch.eye(same.shape[1], dtype=torch.bool, device=same.device).expand_as(same)
        local_scale = scale_of(self.log_local_scale)
        parts["text_local"] = inside(mixed, found, same.float(), valid, local_scale)
        weight = {"global": self.global_weight if self.stage == 3 else 1.0}
        if self.stage > 1:
            away = (mixed - sentences).abs().mean(-1) * valid
            parts["bank"] = away.sum() / valid.sum().clamp(min=1)
        if self.stage > 2:
            parts["image"] = self.pixels(pair, facts, mixed, valid)
            decoded, parts["report"], parts["query"] = self.generated(
                regions, sentences, mixed, valid
            )
            logits = scale * unit(decoded) @ unit(report[pairs.texts]).T
            parts["generated"] = torch.stack(contrast(logits, pairs)).mean()
        weight |= {"bank": self.bank_weight, "report": self.bank_weight}
        total = sum((weight.get(k, 1.0) * v for k, v in parts.items()), regions.new_zeros(()))
        return Loss(total, {name: part.detach() for name, part in parts.items()})
