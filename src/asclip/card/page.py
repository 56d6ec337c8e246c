"""A card -> one HTML file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from asclip.card.content import Card
from asclip.card.privacy import clean, searchable
from asclip.errors import ResourceError

MOST_EXAMPLES = 12
MOST_TEXT = 420  # characters of a report on the page


def write(path: str | os.PathLike[str], card: Card, *, include_images: bool = True) -> Path:
    """Write the page of `card` and give its path; folders are made, an older page is replaced.

    With `include_images=False` no picture of a patient is in the page (texts of examples stay).

    Raises:
        ResourceError: the file cannot be written.
    """
    return put(Path(path), render(card, include_images=include_images))


def put(path: Path, text: str) -> Path:
    """Write `text` in one step and give the path; folders are made.

    Raises:
        ResourceError: the file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)  # a reader never sees half a page
    except OSError as error:
        raise ResourceError(
            f"{path.name} cannot be written ({error.strerror}); "
            "free some space or choose another folder"
        ) from error
    return path


def render(card: Card, *, include_images: bool = True) -> str:
    """The page as text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from asclip.card import marks, words
    from asclip.card.view import view

    environment = Environment(
        loader=PackageLoader("asclip", "card"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    notes = marks.Notes()
    environment.filters |= {
        "value": notes.value,
        "percent": words.percent,
        "number": words.number,
        "readable": words.readable,
        "shorten": lambda text: words.shorten(text, MOST_TEXT),
    }
    content = view(anonymous(card), include_images=include_images, most=MOST_EXAMPLES)
    return environment.get_template("card.html").render(content, notes=notes.texts)


def anonymous(card: Card) -> Card:
    """The same card with every text cleaned of identifiers and absolute paths."""
    known = searchable(
        one for p in card.predictions for ids in (p.patient, p.study) for one in set(ids.tolist())
    )

    def texts(value: Any) -> Any:
        return clean(value, known)

    return replace(
        card,
        title=texts(card.title),
        created=texts(card.created),
        run=texts(card.run),
        data=texts(card.data),
        preprocessing=[(texts(step), texts(value)) for step, value in card.preprocessing],
        provenance=texts(card.provenance),
        limits=texts(card.limits),
        commands=texts(card.commands),
        examples=[
            replace(
                one,
                text=texts(one.text),
                candidates=[(texts(text), s, hit) for text, s, hit in one.candidates],
            )
            for one in card.examples
        ],
        heatmaps=[
            replace(one, phrase=texts(one.phrase), note=texts(one.note)) for one in card.heatmaps
        ],
        explained=[replace(one, phrase=texts(one.phrase)) for one in card.explained],
        warnings={name: texts(list(some)) for name, some in card.warnings.items()},
        judged=[
            replace(one, title=texts(one.title), subgroups=texts(one.subgroups))
            for one in card.judged
        ],
        scores=[_score(one, texts) for one in card.scores],
        bound=[_score(one, texts) for one in card.bound],
    )


def _score(score: Any, texts: Any) -> Any:
    names = ("dataset", "prompts", "preprocessing", "why_nan")
    return replace(score, **{name: texts(getattr(score, name)) for name in names})
