"""Contrast among any number of modalities of a study, of which each may be missing.

    L = sum over pairs (a, b) of modalities NCE(s_ab x_a . x_b)

over the studies that have both; a modality that a study lacks is no row, no column, no negative.

Paper    MEDBind, Gao et al. 2024, arXiv:2403.12894 (every modality bound to text); images against
         genetics: ContIG, Taleb et al. 2022 (CVPR), arXiv:2111.13424
Takes    image.pooled [B, D], text.pooled [M, D]; <stream>.pooled and facts.<has_stream> of each
         further stream
Gives    total; parts <a>_<b> for each pair, scale
Equals   clip.py without further streams, or when no study has any
Differs  every pair is contrasted (`pairs="all"`); MEDBind's are those with text (`pairs="text"`)
         and weighs those between other modalities apart. A shared text is shared in all pairs with
         text; second texts that say the same are not (they are negatives of one another). A prior
         image is an earlier study's own: in pairs with "prior" other studies of the same patient
         are left out, unless `same_patient="positive"`.
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor, nn

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, log_scale, scale_of
from asclip.pretrain.terms import Relation, contrast, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair

EARLIER = "prior"  # the stream whose images are those of other studies of the same patient


def between(present: Relation, rows: Tensor, columns: Tensor) -> Relation:
    """The relation with what rows [B] or columns [U] lack left out."""
    both = rows[:, None] & columns[None, :]
    return Relation(present.positive & both, present.neutral | ~both, present.texts)


class Modalities(Scaled):
    """N-modality contrast; `streams` are (name, the fact that says who has it)."""

    def __init__(
        self,
        streams: tuple[tuple[str, str], ...] = (("view", "has_view"),),
        *,
        pairs: str = "all",
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if pairs not in ("all", "text", "image"):
            raise ModelError(f"pairs must be 'all', 'text' or 'image', got {pairs!r}")
        names = ["image", "text", *(name for name, _ in streams)]
        if len(set(names)) < len(names):
            raise ModelError(
                f"streams must differ from each other, from image and from text, got {names[2:]}"
            )
        self.streams = dict(streams)
        self.pairs = [p for p in combinations(names, 2) if pairs == "all" or pairs in p]
        self.log_scale = log_scale(temperature)
        self.log_scales = nn.ParameterList(log_scale(temperature) for _ in self.pairs[1:])
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {f"{name}.pooled" for name in names}
            | {f"facts.{fact}" for _, fact in streams}
            | relation_needs(same_text, same_patient)
        )

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B studies and M texts."""
        vectors = {"image": pair.image.pooled, "text": pair.text.pooled}
        vectors |= {name: pair.others[name].pooled for name in self.streams}
        vectors = {name: unit(x) for name, x in vectors.items()}
        every = torch.ones_like(facts.patient, dtype=torch.bool)
        has = {"image": every} | {k: facts.targets[fact] for k, fact in self.streams.items()}
        alone = Facts(facts.patient)  # row i belongs to row i

        def linked(same_patient: str) -> tuple[Relation, Relation]:
            return (
                relation(
                    facts, len(vectors["text"]), same_text=self.same_text, same_patient=same_patient
                ),
                relation(alone, len(every), same_text="negative", same_patient=same_patient),
            )

        now = before = linked(self.same_patient)
        if EARLIER in self.streams and self.same_patient == "negative":
            before = linked("neutral")
        total, parts = every.new_zeros((), dtype=torch.float32), {}
        for (a, b), log in zip(self.pairs, (self.log_scale, *self.log_scales), strict=True):
            to_text, to_row = before if EARLIER in (a, b) else now
            if "text" in (a, b):
                row = b if a == "text" else a
                column = vectors["text"][to_text.texts]
                known = torch.ones(len(column), dtype=torch.bool, device=column.device)
                links = between(to_text, has[row], known)
            else:
                row, column, links = a, vectors[b], between(to_row, has[a], has[b])
            logits = scale_of(log) * vectors[row] @ column.T
            parts[f"{a}_{b}"] = torch.stack(contrast(logits, links)).mean()
            total = total + parts[f"{a}_{b}"]
        parts["scale"] = self.scale
        return Loss(total, {name: part.detach() for name, part in parts.items()})
