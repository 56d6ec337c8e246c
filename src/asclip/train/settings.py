"""What every recipe lets a user set: towers, text sampling, batch, optimiser, precision.

A recipe's own parameters (temperature, local weight ...) stand in the recipe's signature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import get_type_hints

from asclip.errors import ModelError
from asclip.towers.precision import PRECISIONS


@dataclass(frozen=True, slots=True)
class Settings:
    """The common settings of a training run; each field is an option of `asclip pretrain`.

    Attributes:
        image_tower: preset (micro, tiny, small, base; of volumes tiny-3d, small-3d), packaged
            weights, `hf:NAME` or a local folder.
        text_tower: the same for text; `words` averages word vectors, for few texts; `run:FOLDER`
            starts from the text tower and the vocabulary of a run, such as of kad-knowledge.
        width: D, the width of the joint space.
        hidden: width of a hidden layer in the projections; 0 = linear projections.
        lock: "none", "image", "text" or "both": frozen backbones, whose features are cached.
        texts: what a study brings to a batch: "report" (its whole text), "sentence" (one of its
            sentences), "mixed" (one text: the whole one with the probability `whole`, else a
            sentence or a further text such as the title) or "sentences" (several texts: up to
            `per_study` of its sentences and further texts and, now and then, the whole one).
        per_study: sentences a study brings with `texts="sentences"`.
        whole: with "mixed" and "sentences", how often a study brings its whole text, 0 to 1; long
            texts cost most.
        unpaired: texts of no study (a column mapped to `text:unpaired`) join the batch, and so do
            studies without text.
        mining: more texts of the training studies, a list of "shuffle" (a report's sentences in
            another order), "eda" (other words, the same findings), "prompts" (sentences from
            labels and from what a report states; all that a study without text has) and
            "acquisition" (a sentence on modality and plane where a text names them); "" = none.
        facts: what a study's findings are read from: "report", "labels" (the label columns) or
            "both" (the labels where they are known).
        knowledge: JSON file of names and definitions; "" = the clinical catalogue.
        order: the fact that tells which of a patient's studies came first; "" = a known name.
        holes: share of an image's patches that masked methods hide.
        gaps: share of a text's words that they hide; ecamp more of them around entities.
        max_tokens: longer texts are cut.
        batch: studies in a step, over all processes.
        chunk: studies encoded at once; 0 = the whole batch (plain step), else the cached step.
        accumulate: batches whose gradients are averaged before an update.
        epochs: passes over the training studies; `steps` > 0 overrides it.
        steps: updates; 0 = from `epochs`.
        lr: peak learning rate, reached after `warmup`, then a cosine to zero.
        warmup: share of the steps.
        weight_decay: on matrices only.
        clip_norm: largest norm of the gradient; 0 = no clipping.
        average: decay of the running average of the weights that is saved; 0 = the last weights.
        dropout: on cached features (locked towers) and inside the text tower.
        augment: strength of the image augmentation; 0 = none. Never a flip: sides matter.
        precision: "bf16" (towers only; losses are float32), "fp32", or "auto": bf16 where the
            processor has it, else fp32; the run says which.
        seed: of weights, order, sampling and augmentation.
        evaluations: how often the validation loss is computed during the run.
        keep: "last" or "best" (lowest validation loss) weights are saved.
        checkpoint_seconds: seconds between checkpoints.
        tensorboard: write RUN/tensorboard beside metrics.csv (extra `track`).
    """

    image_tower: str = "tiny"
    text_tower: str = "tiny"
    width: int = 256
    hidden: int = 0
    lock: str = "none"
    texts: str = "sentences"
    per_study: int = 3
    whole: float = 0.15
    unpaired: bool = False
    mining: str = ""
    facts: str = "report"
    knowledge: str = ""
    order: str = ""
    holes: float = 0.75
    gaps: float = 0.5
    max_tokens: int = 128
    batch: int = 128
    chunk: int = 0
    accumulate: int = 1
    epochs: float = 20.0
    steps: int = 0
    lr: float = 2e-3
    warmup: float = 0.1
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    average: float = 0.95
    dropout: float = 0.0
    augment: float = 0.1
    precision: str = "auto"
    seed: int = 0
    evaluations: int = 10
    keep: str = "last"
    checkpoint_seconds: float = 60.0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        """Refuse values that cannot work, before any work is done."""
        choices = {
            "lock": ("none", "image", "text", "both"),
            "texts": ("report", "sentence", "sentences", "mixed"),
            "facts": ("report", "labels", "both"),
            "precision": PRECISIONS,
            "keep": ("last", "best"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ModelError(
                    f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}"
                )
        known = ("shuffle", "eda", "prompts", "acquisition")
        if unknown := [way for way in self.ways if way not in known]:
            raise ModelError(f"mining must be a list of {', '.join(known)}; got {unknown[0]!r}")
        for name in ("width", "batch", "accumulate", "per_study", "max_tokens"):
            if getattr(self, name) < 1:
                raise ModelError(f"{name} must be at least 1; got {getattr(self, name)}")
        for name, kind in self.types().items():
            if kind is float and not math.isfinite(getattr(self, name)):
                raise ModelError(f"{name} must be a finite number; got {getattr(self, name)}")
        for name in ("lr", "epochs", "checkpoint_seconds"):
            if getattr(self, name) <= 0:
                raise ModelError(f"{name} must be positive; got {getattr(self, name)}")
        least = ("hidden", "chunk", "steps", "weight_decay", "clip_norm", "augment", "seed")
        for name in (*least, "evaluations"):
            if getattr(self, name) < 0:
                raise ModelError(f"{name} must not be negative; got {getattr(self, name)}")
        for name in ("whole", "holes", "gaps"):
            if not 0 <= getattr(self, name) <= 1:
                raise ModelError(f"{name} must be in [0, 1]; got {getattr(self, name)}")
        for name in ("average", "dropout", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                raise ModelError(f"{name} must be in [0, 1); got {getattr(self, name)}")

    @property
    def ways(self) -> tuple[str, ...]:
        """The parts of `mining`."""
        return tuple(way.strip() for way in self.mining.split(",") if way.strip())

    @classmethod
    def types(cls) -> dict[str, type]:
        """Name and type of every field, in order."""
        hints = get_type_hints(cls)
        return {field.name: hints[field.name] for field in fields(cls)}
