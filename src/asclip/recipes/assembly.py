"""The objects of a run: towers, tokenizer, objective and batches of both splits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asclip.data.batches import Batches, Features, Sampling
from asclip.data.dataset import Dataset
from asclip.data.entities import Marks, Place, marks
from asclip.data.facts import Knowledge
from asclip.data.further import Further, prior_studies, second_texts
from asclip.data.mining import mine
from asclip.data.progress import Track, silent
from asclip.data.texts import Pieces, pieces
from asclip.errors import DataError
from asclip.recipes.options import FROM_DATA, parameters, recipe
from asclip.recipes.parts import normalisation, tokenizer_of, towers_of
from asclip.towers.frozen import cache_features
from asclip.towers.memory import estimate_memory
from asclip.towers.model import Model
from asclip.towers.pair import DualEncoder
from asclip.towers.signal import signal_tower
from asclip.towers.tokenizer import Tokenizer
from asclip.train.processes import world
from asclip.train.run import Run
from asclip.train.settings import Settings

# Further texts that are not said of the study's image: those of nobody, and contraries for a test.
UNPAIRED, CONTRARY = "unpaired", "twin"


def assemble(
    dataset: Dataset,
    name: str,
    settings: Settings,
    own: Mapping[str, Any],
    out: Path,
    *,
    progress: Track = silent,
) -> tuple[Run, Model]:
    """The run of a recipe on a data set, and the model that it trains.

    Features of locked towers are computed once into `out/features`, of images where none are
    augmented and no local vectors are needed.
    """
    with torch.random.fork_rng():
        needs = recipe(name)(settings, dataset.labels, **own).needs
    reads_text = any(need.startswith(("text.", "second.", "gapped.")) for need in needs)
    parts = {"train": dataset.split("train"), "val": dataset.split("val")}
    texts = {side: _pieces(part, needs) for side, part in parts.items()}
    # What the recipe mines of its own accord may find nothing.
    asked = set(settings.ways) - set(replace(settings, mining=parameters(name)["mining"][1]).ways)
    if settings.ways and reads_text:
        texts["train"] = mine(
            texts["train"],
            parts["train"],
            settings.ways,
            seed=settings.seed,
            required=bool(asked),
        )
    knowledge = Knowledge.learn(
        parts["train"], texts["train"], needs, source=settings.facts, own=settings.knowledge
    )
    patient = parts["train"].patient_codes()
    tokenizer = tokenizer_of(settings, texts["train"], patient, knowledge, reads_text)
    encoder = towers_of(settings, dataset, tokenizer)
    if any(need.startswith("signal.") for need in needs):
        encoder.signal = signal_tower(dataset.signals, settings.width, settings.dropout)
    own = {**own, **_measured(name, encoder, knowledge, tokenizer)}
    objective = recipe(name)(settings, dataset.labels, **own)
    mean, std = normalisation(settings, dataset)
    model = Model(encoder, tokenizer, replace(dataset.preprocessing, mean=mean, std=std))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder.to(device)
    still = not settings.augment and "image.local" not in needs
    frozen = settings.lock == "both" or (encoder.image.locked and still)
    made = {}
    for side, part in parts.items():
        if side == "val" and len(texts[side].usable if reads_text else part) < 2:
            continue  # nothing to validate on; too few training studies are an error of Batches
        features = None
        if frozen or (side == "train" and encoder.image.standardised):
            features = _features(model, part, texts[side], out, side, progress)
        made[side] = Batches(
            part,
            texts[side],
            tokenizer.encode if reads_text else None,
            size=settings.batch,
            seed=settings.seed if side == "train" else 0,
            sampling=Sampling(
                settings.texts,
                settings.per_study,
                settings.whole,
                encoder.text.config.max_tokens,
                settings.augment if side == "train" else 0.0,
                settings.unpaired,
            ),
            features=features if frozen else None,
            normalise=(mean, std),
            share=world(),
            further=_further(knowledge, part, texts[side], settings, model),
        )
    if idle := [way for way in made["train"].idle() if way in asked]:
        raise DataError(
            f"mining ({', '.join(idle)}) must change or add a text that a batch may bring, and "
            f"with texts={settings.texts!r} it does not: prompts and acquisition add sentences, "
            "shuffle changes texts of several; give other texts (mixed brings both), or leave it "
            "out"
        )
    whole = {"recipe": name, **own}
    run = Run(
        encoder,
        objective.to(device),
        made["train"],
        made.get("val"),
        settings,
        device,
        whole,
        knowledge.names,
    )
    return run, model


def _features(
    model: Model, part: Dataset, texts: Pieces, out: Path, side: str, progress: Track
) -> Features:
    """Features of the locked towers; those of training images say how they are standardised."""
    image, said = model.encoder.image, texts.texts if model.encoder.text.locked else []
    with progress(len(part.images) + len(said), f"features {side}") as bar:
        made = cache_features(model, part, said, out / "features", progress=_steps(bar))
    if side == "train" and image.standardised and made.image is not None:
        image.standardise(made.image[np.concatenate(part.image_rows())])
    return made


def _measured(
    name: str, encoder: DualEncoder, knowledge: Knowledge, tokenizer: Tokenizer
) -> dict[str, Any]:
    """Those parameters of the recipe that the towers and the data set decide; see `FROM_DATA`."""
    image = encoder.image
    patch = [length // count for length, count in zip(image.config.size, image.grid, strict=True)]
    values = {
        "regions": math.prod(image.grid),
        "grid": image.grid,
        "pixels": image.config.channels * math.prod(patch),
        "vocabulary": tokenizer.vocabulary,
        "count": len(knowledge.columns),
        "findings": knowledge.findings,
    }
    return {key: values[key] for key in FROM_DATA if key in parameters(name)}


def _further(
    knowledge: Knowledge, part: Dataset, texts: Pieces, settings: Settings, model: Model
) -> Further:
    """The further streams and facts of one side."""
    longest = model.encoder.text.config.max_tokens
    encode = partial(model.tokenizer.encode, max_length=longest)
    places = partial(model.tokenizer.places, max_length=longest)
    studies, of_texts = knowledge.of(part, texts)
    further = Further(knowledge.needs, studies, of_texts)
    whole = [texts.texts[w] for w in texts.whole if w >= 0]
    words = further.wants("gapped") or knowledge.reads("words")
    return replace(
        further,
        knowledge={name: encode(said) for name, said in knowledge.texts.items()},
        wordings=tuple(map(len, knowledge.wordings)),
        second=second_texts(part, texts) if further.wants("second") else (),
        prior=prior_studies(part, settings.order) if further.wants("prior") else None,
        signals=part.signals,
        grid=model.encoder.image.grid,
        mask=model.tokenizer.mask,
        longest=encode(whole).ids.shape[1] if words else 1,
        holes=settings.holes,
        gaps=settings.gaps,
        marks=_marks(places, texts, settings.gaps) if knowledge.reads("weight") else None,
    )


def _marks(
    places: Callable[[str], list[Place]], texts: Pieces, gaps: float
) -> Callable[[int], Marks]:
    """The marks of a text by its number; each is read once."""

    @cache
    def of(number: int) -> Marks:
        text = texts.texts[number]
        return marks(text, places(text), gaps)

    return of


def size(run: Run) -> str:
    """One line before the start: studies, steps, weights and the memory that a step will take."""
    s, batches = run.settings, run.batches
    count = sum(p.numel() for m in (run.model, run.objective) for p in m.parameters())
    text = (
        f"{len(batches.rows):,} training studies, {run.steps:,} steps of {batches.size}, "
        f"{count / 1e6:.1f} million weights"
    )
    if isinstance(batches, Batches) and (idle := batches.idle()):
        text += f", no text to mine ({', '.join(idle)})"
    if s.keep == "best" and run.validation is None:
        text += ", no studies to validate on: the last weights are kept, not the best"
    if isinstance(batches, Batches):
        text += "".join(f", {one}" for one in _idle(batches))
    first = batches.at(0)
    image = first.images["image"]
    if not isinstance(image, torch.Tensor):
        return text + ", frozen features"
    tokens = first.texts.get("text")
    ids = getattr(tokens, "ids", torch.zeros(0, 1))
    needed = estimate_memory(
        run.model,
        s.chunk or len(image),
        item_shape=tuple(image.shape[1:]),
        tokens=ids.shape[1],
        texts=min(len(ids), s.chunk or len(ids)),
        local="image.local" in run.objective.needs,
        precision=s.precision,
    )
    return text + f", about {needed / 1e9:.1f} GB of memory a step"


def _idle(batches: Batches) -> list[str]:
    """What a method could learn from and these batches never bring, in words."""
    further, whole = batches.further, batches.pieces.whole[batches.rows]
    absent = {
        "a batch of one study, which has no other to be told from": batches.size == 1,
        "the same text for every study": batches.with_text
        and whole[0] >= 0
        and (whole == whole[0]).all(),
        "no study with a second image": further.wants("view")
        and all(len(slots) < 2 for slots in batches.slots),
        "no study with a second text": further.wants("second")
        and not any(map(len, further.second)),
        "no study with an earlier one": further.prior is not None and (further.prior < 0).all(),
    }
    return [text for text, is_so in absent.items() if is_so]


def _steps(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    """From "done so far, of a total" to "so many more"; one total may follow another."""
    before = 0

    def update(done: int, total: int) -> None:
        nonlocal before
        advance(done - before if done >= before else done)
        before = done % total

    return update


def _pieces(dataset: Dataset, needs: frozenset[str]) -> Pieces:
    """The texts of a part; a method with a second text has findings apart from the impression."""
    names = [name for name in dataset.text_names if name not in ("text", UNPAIRED, CONTRARY)]
    loose = dataset.texts(UNPAIRED) if UNPAIRED in dataset.text_names else []
    two = any(need.startswith("second.") for need in needs)
    return pieces(
        dataset.texts(), {name: dataset.texts(name) for name in names}, loose, findings_only=two
    )
