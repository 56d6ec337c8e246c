"""What the card shows of images: retrieval right and wrong, and where phrases point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F

from asclip.card import Heatmap, RetrievalExample
from asclip.data.dataset import Dataset
from asclip.data.prompts import PromptSet
from asclip.data.texts import told
from asclip.metrics.classification import auroc
from asclip.tasks.crossmodal.retrieval import wording
from asclip.types import Predictions

if TYPE_CHECKING:
    from asclip.recipes.evaluation import Encodings


def picture(dataset: Dataset, row: int, depth: float = 0.5) -> np.ndarray:
    """The first image of a study as uint8 [H, W] or [H, W, 3].

    Of a volume the slice at `depth`, 0 (inferior) to 1 (superior).
    """
    item = np.asarray(dataset.pixels[dataset.image_rows()[row][0]])
    return item[int(depth * len(item))] if dataset.preprocessing.is_volume else item


def heatmaps(
    model: Encodings, part: Dataset, sets: Sequence[tuple[PromptSet, Predictions]], count: int = 6
) -> list[Heatmap]:
    """For the best recognised labels: an image, a phrase and the similarity of the regions to it.

    One map a label, for the study in which the label is true and has the highest score, from the
    first prompt set with several labels that asks of one image. It shows what the score looks at,
    not a lesion's edge.
    """
    several = [one for one in sets if not (one[0].single_label or one[0].beside)]
    if not several:
        return []
    chosen, found = several[0]
    best = np.where(found.truth == 1, found.scores, -np.inf)
    gap = np.array([auroc(found.truth[:, k], found.scores[:, k]) for k in range(best.shape[1])])
    maps = []
    for k in np.argsort(-np.nan_to_num(gap)):
        label, row = found.labels[k], int(best[:, k].argmax())
        if label not in chosen.classes or not np.isfinite(best[row, k]):
            continue
        phrase = chosen.classes[label].positive[0]
        heat = similarity_map(model, part.take(np.array([row])), phrase)
        if heat is None:
            continue
        depth = 0.5
        if heat.ndim == 3:  # of a volume, the slices that are most like the phrase
            place = int(heat.max((1, 2)).argmax())
            heat, depth = heat[place], (place + 0.5) / len(heat)
        maps.append(Heatmap(picture(part, row, depth), phrase, heat, note=f"truth: {label}"))
        if len(maps) == count:
            break
    return maps


@torch.no_grad()
def similarity_map(model: Any, study: Dataset, phrase: str) -> np.ndarray | None:
    """Cosine of each region of a study's first image with a phrase; None without regions.

    [h, w] as the tower's grid has them, of volumes [d, h, w].
    """
    image = model.model.encode_images(study, local=True)
    if image.local is None:
        return None
    text = model.encode_texts([phrase])
    cosine = F.normalize(image.local[0], dim=-1) @ F.normalize(text.pooled[0], dim=-1)
    return cosine.reshape(model.encoder.image.grid).numpy()


def examples(
    found: Predictions, part: Dataset, *, right: int = 3, wrong: int = 3
) -> list[RetrievalExample]:
    """Image-to-text queries that were answered at once, and the ones that were missed most.

    Their candidates are the three best distinct texts among the ten places that the predictions
    hold; fewer where one text fills these places.
    """
    rank = found.scores[:, 0]
    asked = np.flatnonzero(~np.isnan(rank))
    order = asked[np.argsort(rank[asked], kind="stable")]
    hits = [row for row in order if rank[row] == 1]
    # Rows are in the source's order, so a step through the hits shows different patients.
    hits = hits[:: max(1, len(hits) // right)][:right]
    misses = [row for row in order[::-1] if rank[row] > 1][:wrong]
    texts = [told(text) for text in part.texts()]  # as they were ranked

    def example(row: int) -> RetrievalExample:
        top, similarity, hit = (
            np.asarray(found.provenance[f"image_to_text_top{name}"])[row]
            for name in ("", "_similarity", "_hits")
        )
        # Studies with one text are equal candidates: shown once, by the first of them.
        first = {wording(texts[top[place]]): place for place in np.flatnonzero(top >= 0)[::-1]}
        shown = sorted(first.values())[:3]
        return RetrievalExample(
            image=picture(part, row),
            text=texts[row],
            candidates=[
                (texts[top[place]], float(similarity[place]), bool(hit[place])) for place in shown
            ],
            first_hit_rank=int(rank[row]),
        )

    return [example(int(row)) for row in hits + misses]
