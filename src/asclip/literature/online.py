"""Papers by number from the field's own services: arXiv, OpenAlex, Semantic Scholar.

`asclip papers add --from arxiv:2103.00020` (or `doi:10.1000/1`, `s2:ID`). Answers are kept, so that
asking again needs no network; abstracts in them are read and not stored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from asclip.errors import DataError, ResourceError, nearest
from asclip.literature import feeds
from asclip.literature.entry import Paper
from asclip.literature.web import Web

FIELDS = "title,authors,year,venue,externalIds,url,abstract"


@dataclass(frozen=True)
class Service:
    """How a service is asked: `address` with {id}, the `form` of its ids, who reads its answers."""

    address: str
    form: str
    read: Callable[[str], list[Paper]]


SERVICES = {
    "arxiv": Service(
        "https://export.arxiv.org/api/query?id_list={id}",
        r"\d{4}\.\d{4,5}(v\d+)?|[a-z-]+(\.[A-Z]{2})?/\d{7}",
        feeds.read_atom,
    ),
    "doi": Service(
        "https://api.openalex.org/works/doi:{id}", r"10\.\d{4,9}/\S+", feeds.read_json
    ),
    "s2": Service(
        "https://api.semanticscholar.org/graph/v1/paper/{id}?fields=" + FIELDS,
        r"\S+",
        feeds.read_json,
    ),
}  # fmt: skip


def fetch(word: str, web: Web, kept: Path, services: dict[str, Service] = SERVICES) -> list[Paper]:
    """The papers of `service:id`; the answer is kept in the folder `kept`.

    Raises:
        DataError: no such service, an id of another form, or no such paper.
        ResourceError: the service cannot be reached.
    """
    name, _, number = word.partition(":")
    if name not in services:
        hint = nearest(name, list(services))
        raise DataError(f"--from takes service:id, such as arxiv:2103.00020; got {word!r}; {hint}")
    service = services[name]
    if not re.fullmatch(service.form, number):
        raise DataError(f"an id of {name} has another form than {number!r}; correct it")
    url = service.address.format(id=quote(number, safe="/.:"))
    file = kept / f"{hashlib.sha256(url.encode()).hexdigest()[:20]}.txt"
    text = file.read_text(encoding="utf-8") if file.exists() else asked(url, name, number, web)
    found = service.read(text)
    if not found or found[0].title == "Error":
        raise DataError(f"{name} must have the paper; it has none with {number}; correct the id")
    file.write_text(text, encoding="utf-8")
    return found


def asked(url: str, name: str, number: str, web: Web) -> str:
    """The text of the answer."""
    answer = web.ask(url)
    if answer.status == 404:
        raise DataError(f"{name} must have the paper; it has none with {number}; correct the id")
    if not 200 <= answer.status < 300:
        said = f"it said {answer.status} {answer.problem}" if answer.status else answer.problem
        raise ResourceError(
            f"{name} must answer; {said}; try later, or save its answer and add that file"
        )
    return answer.text
