"""The towers and the tokenizer that settings name: new ones, packaged ones, or those of a run."""

from __future__ import annotations

import numpy as np

from asclip.data.dataset import Dataset
from asclip.data.facts import Knowledge
from asclip.data.mining import corpus
from asclip.data.texts import Pieces
from asclip.errors import DataError
from asclip.towers.alone import RUN, run_tokenizer, run_tower
from asclip.towers.backbones import FIXED
from asclip.towers.image import ImageConfig, image_tower
from asclip.towers.pair import DualEncoder
from asclip.towers.text import TextConfig, TextTower, text_tower
from asclip.towers.tokenizer import Tokenizer
from asclip.towers.weights import TEXT, folder, input_statistics
from asclip.train.settings import Settings


def pretrained_tokenizer(tower: str) -> Tokenizer | None:
    """The tokenizer that the weights of a text tower were trained with; None for new weights."""
    if tower in TEXT:
        return Tokenizer.load(folder(tower))
    if tower.startswith("hf:"):
        return Tokenizer.from_hub(tower[3:])
    return run_tokenizer(tower) if tower.startswith(RUN) else None


def tokenizer_of(
    settings: Settings,
    texts: Pieces,
    patient: np.ndarray,
    knowledge: Knowledge,
    reads_text: bool,
) -> Tokenizer:
    """The tokenizer of the text tower, or a vocabulary of the training texts and the knowledge.

    Raises:
        DataError: texts are needed and there are none.
    """
    if (given := pretrained_tokenizer(settings.text_tower)) is not None:
        return given
    if reads_text and not texts.texts:
        raise DataError(
            "pre-training needs texts; the training split has none; ingest the table again with "
            "--map text=COLUMN"
        )
    documents, words = corpus(texts, patient)
    told = [text for said in knowledge.texts.values() for text in said]
    return Tokenizer.train(documents or ["no text"], known=[*told, *words])


def text_tower_of(settings: Settings, vocabulary: int) -> TextTower:
    """The text tower, with the weights that its name promises."""
    locked = settings.lock in ("text", "both")
    if settings.text_tower.startswith(RUN):
        return run_tower(
            settings.text_tower, width=settings.width, locked=locked, dropout=settings.dropout
        )
    return text_tower(
        TextConfig(
            name=settings.text_tower,
            width=settings.width,
            hidden=settings.hidden,
            vocabulary=vocabulary,
            max_tokens=settings.max_tokens,
            locked=locked,
            dropout=settings.dropout,
        )
    )


def towers_of(settings: Settings, dataset: Dataset, tokenizer: Tokenizer) -> DualEncoder:
    """Both towers, for the images of a data set."""
    how = dataset.preprocessing
    fixed = settings.image_tower == FIXED
    locked = fixed or settings.lock in ("image", "both")
    image = image_tower(
        ImageConfig(
            name=settings.image_tower,
            summary="moments" if fixed else "both",
            projection="standard" if fixed else "norm",
            width=settings.width,
            hidden=settings.hidden,
            channels=how.channels,
            size=how.size,
            locked=locked,
            dropout=settings.dropout if locked else 0.0,
        )
    )
    return DualEncoder(image, text_tower_of(settings, tokenizer.vocabulary))


def normalisation(
    settings: Settings, dataset: Dataset
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of pixels in 0-1 that the image tower expects."""
    how = dataset.preprocessing
    return input_statistics(settings.image_tower, how.channels) or (how.mean, how.std)
