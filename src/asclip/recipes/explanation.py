"""Explanation maps of a run, scored: do they point at the finding, do they show the model?

Maps are asked for what is there: of a study that has a finding, for the first affirming prompt of
it. All methods are asked the same cases, beside two maps that know nothing; what random maps reach
is the others' chance. A task is "explain-METHOD", its metrics are:

    pointing             per finding: how often the map is highest in a true box, widened by MARGIN
    pointing_strict      the same of the box as it is, which the middle of the image hits less often
    cnr                  per finding: contrast to noise of the true boxes
    overlap              per finding: intersection over union with them, at the threshold that is
                         best on validation studies
    insertion, deletion  mean of the model's own score of the finding while pixels come, or go
    shuffled_LEVEL       rank correlation with the map of a model whose weights were shuffled, see
                         `trust.explain.sanity`: near 1 it shows the image, not the model
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from asclip.data.dataset import Dataset
from asclip.data.leakage import in_both
from asclip.data.prompts import PromptSet
from asclip.metrics.known import mean_of_defined
from asclip.recipes.explanation_cases import BASELINES, Cases, cases, methods
from asclip.tasks.classification.zero_shot import score_encoded
from asclip.tasks.measures import MARGIN
from asclip.tasks.provenance import provenance, who
from asclip.trust.explain import scores as of
from asclip.trust.explain.sanity import HIGHEST, Method, similarity_to_shuffled
from asclip.trust.scoring.rows import WHOLE, mean_rows
from asclip.types import Predictions, Score

if TYPE_CHECKING:
    from asclip.recipes.evaluation import Encodings

EACH = 12  # cases of a finding, at most
CURVES, CHECKED = 24, 16  # cases of insertion and deletion, and of the sanity check
STEPS = 10  # of a curve
MARGINS = {"pointing": MARGIN, "pointing_strict": 0.0}  # by which boxes are widened
PER_FINDING = (*MARGINS, "cnr", "overlap")

Values = dict[str, np.ndarray]


def explanation(
    model: Encodings,
    part: Dataset,
    sets: Sequence[PromptSet],
    *,
    seed: int,
    resamples: int = 200,
    validation: Dataset | None = None,
    each: int = EACH,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[list[Score], list[str]]:
    """Scores of the maps of `part`, with intervals over patients, and sentences on them.

    Without `validation`, or where a patient is in both, there is no overlap; where the data know no
    boxes, there is neither it nor pointing nor contrast.
    """
    if part.preprocessing.is_volume:
        return [], ["Explanation maps of volumes are not scored: boxes are known of pictures only."]
    asked = cases(part, sets, seed=seed, each=each)
    if asked is None:
        return [], ["Explanation maps need a finding that a prompt set names; no study has one."]
    known = 0 if validation is None else in_both(*(who(d)["patient"] for d in (part, validation)))
    held_out = None
    if validation is not None and not known:
        held_out = cases(validation, [asked.prompts], seed=seed, each=4)
    plain = getattr(model, "model", model)
    found = {}
    for name, method in methods(plain).items():
        say(f"explanation maps, {name}: {len(asked)} findings")
        found[name] = _values(plain, asked, method, held_out)
        if name not in BASELINES:
            few = asked.first(CHECKED)
            kept = similarity_to_shuffled(method, plain, few.images, few.phrases, seed=seed)
            found[name] |= {f"shuffled_{k.replace(' ', '_')}": v for k, v in kept.items()}
    shown = _Shown(plain, part, asked, seed, resamples)
    scores = [one for name in found for one in shown.records(name, found)]
    told = sentences(scores)
    if known and asked.boxed:
        told.append(
            f"Overlap is not scored: {known:,} of the scored patients are among those on whom its "
            "threshold is chosen."
        )
    return scores, told


def _values(model: Any, asked: Cases, method: Method, held_out: Cases | None) -> Values:
    """What a method's maps are worth in each case: [n] by metric, fewer for costly ones."""
    maps = method(model, asked.images, asked.phrases)
    shape = (asked.images.shape[1], asked.images.shape[2])
    fine = of.enlarged(maps, shape)
    values: Values = {}
    if asked.boxed:
        masks = [of.inside(boxes, shape) for boxes in asked.boxes]
        pairs = list(zip(fine, masks, strict=True))
        for metric, margin in MARGINS.items():
            values[metric] = of.pointing(maps, asked.boxes, margin)
        values["cnr"] = np.array([of.contrast_to_noise(heat, mask) for heat, mask in pairs])
        if held_out is not None and held_out.boxed:
            others = of.enlarged(method(model, held_out.images, held_out.phrases), shape)
            known = [of.inside(boxes, shape) for boxes in held_out.boxes]
            threshold = of.best_threshold(list(others), known)
            values["overlap"] = np.array([of.overlap(h, m, threshold) for h, m in pairs])
    few = asked.first(CURVES)
    both = [
        of.areas(_own_score(model, few, k), few.images[k], fine[k], STEPS) for k in range(len(few))
    ]
    values["insertion"], values["deletion"] = np.array(both).T
    return values


def _own_score(model: Any, asked: Cases, case: int) -> Callable[[np.ndarray], np.ndarray]:
    """From images to the model's score [n] of the finding of a case, a share where it has one."""
    prompts, label = asked.prompts, asked.labels[asked.column[case]]
    chosen = prompts if prompts.single_label else prompts.only(label)
    column = list(chosen.classes).index(label)
    return lambda items: score_encoded(model, model.encode_pixels(items), chosen)[:, column]


@dataclass(frozen=True, slots=True)
class _Shown:
    """Where values come from, for their records."""

    model: Any
    part: Dataset
    asked: Cases
    seed: int
    resamples: int

    def records(self, name: str, found: Mapping[str, Values]) -> list[Score]:
        """All scores of the method `name`."""
        task, prompts = f"explain-{name}", self.asked.prompts.id
        facts = provenance(task, self.model, self.part, seed=self.seed, prompts=prompts)
        whose = {key: column[self.asked.row] for key, column in who(self.part).items()}
        scores: list[Score] = []
        for metric, values in found[name].items():
            random = found["random"].get(metric)
            few = {key: column[: len(values)] for key, column in whose.items()}
            nothing = np.zeros((len(values), 0))
            test = Predictions(nothing, nothing, self.asked.labels, **few, provenance=facts)
            if metric not in PER_FINDING:
                chance = None if random is None else mean_of_defined(random[:, None])
                scores += mean_rows(
                    test, metric, values[:, None], ["every map is flat"],
                    resamples=self.resamples, chance=chance, names=WHOLE,
                )  # fmt: skip
                continue
            if metric in MARGINS:
                grid = self.model.encoder.image.grid
                random = of.pointing_chance(self.asked.boxes, grid, MARGINS[metric])
            assert random is not None
            scores += mean_rows(
                test, metric, self.by_label(values), ["no study with this finding has a box"] * len(
                    self.asked.labels
                ), resamples=self.resamples, chance=mean_of_defined(self.by_label(random)),
            )  # fmt: skip
        return scores

    def by_label(self, values: np.ndarray) -> np.ndarray:
        """[n, K] the values [n] of the cases, NaN in the columns of other findings."""
        out = np.full((len(values), len(self.asked.labels)), np.nan)
        out[np.arange(len(values)), self.asked.column[: len(values)]] = values
        return out


def sentences(scores: Sequence[Score]) -> list[str]:
    """What a reader must know of scores of explanation maps: where they point, and the check."""
    pointing = {
        (one.task.removeprefix("explain-"), one.metric): one
        for one in scores
        if one.metric in MARGINS and one.label == "macro"
    }
    told = []
    for name in dict.fromkeys(name for name, _ in pointing if name not in BASELINES):
        parts = []
        for metric, margin in MARGINS.items():
            one, middle = pointing[name, metric], pointing["middle", metric]
            parts.append(
                f"box {f'widened by {margin:.1%}' if margin else 'as it is'} in {_span(one)} of "
                f"the cases (a place at random {one.chance or 0:.2f}, the middle of the image "
                f"{middle.value:.2f})"
            )
        told.append(
            f"Maps by {name} are highest in the finding's {', in the '.join(parts)}; means over "
            "findings."
        )
    for one in scores:
        if one.metric == "shuffled_all" and one.value == one.value:
            verdict = "pass" if one.high < HIGHEST else "FAIL"
            told.append(
                f"Maps by {one.task.removeprefix('explain-')} {verdict} the sanity check: with the "
                f"image tower's weights shuffled their rank correlation with the true map is "
                f"{_span(one)}, to be clearly below {HIGHEST}."
            )
    return told


def _span(score: Score) -> str:
    return f"{score.value:.2f} [{score.low:.2f}, {score.high:.2f}]"
