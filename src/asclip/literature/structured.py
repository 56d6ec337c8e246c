"""EndNote XML and CSL-JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

from asclip.literature.catalogue import kind_of
from asclip.literature.entry import Paper
from asclip.literature.names import split_name, turned

CSL_TYPES = {"journal": "article-journal", "conference": "paper-conference", "preprint": "article"}
XML_TYPES = {
    "journal": ("Journal Article", "17"),
    "conference": ("Conference Proceedings", "10"),
    "preprint": ("Generic", "13"),
}


def grow(parent: ElementTree.Element, path: str, text: str) -> None:
    """Adds the elements of a path with a text at its end; nothing if the text is empty."""
    if not text:
        return
    *above, last = path.split("/")
    for name in above:
        found = parent.find(name)
        parent = ElementTree.SubElement(parent, name) if found is None else found
    ElementTree.SubElement(parent, last).text = text


def write_xml(papers: Iterable[Paper]) -> str:
    """Papers as EndNote's XML, `<xml><records><record>`."""
    root = ElementTree.Element("xml")
    records = ElementTree.SubElement(root, "records")
    for paper in papers:
        record = ElementTree.SubElement(records, "record")
        name, number = XML_TYPES[kind_of(paper)]
        ElementTree.SubElement(record, "ref-type", {"name": name}).text = number
        for author in paper.authors:
            grow(record, "contributors/authors/author", turned(author))
        grow(record, "titles/title", paper.title)
        grow(record, "titles/secondary-title", paper.venue)
        for word in paper.keywords:
            grow(record, "keywords/keyword", word)
        grow(record, "dates/year", str(paper.year or ""))
        grow(record, "accession-num", f"arXiv:{paper.arxiv_id}" if paper.arxiv_id else "")
        grow(record, "electronic-resource-num", paper.doi)
        grow(record, "label", paper.key)
        grow(record, "urls/related-urls/url", paper.link)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def csl(paper: Paper) -> dict[str, Any]:
    """A paper as an item of CSL-JSON."""
    people = [split_name(name) for name in paper.authors]
    item: dict[str, Any] = {
        "id": paper.key,
        "type": CSL_TYPES[kind_of(paper)],
        "title": paper.title,
        "author": [{"family": family, "given": given} for given, family in people],
        "container-title": paper.venue,
        "issued": {"date-parts": [[paper.year]]} if paper.year else None,
        "DOI": paper.doi,
        "URL": paper.link,
        "archive": "arXiv" if paper.arxiv_id else "",
        "archive_location": paper.arxiv_id,
        "keyword": "; ".join(paper.keywords),
    }
    return {name: value for name, value in item.items() if value}


def write_csl(papers: Iterable[Paper]) -> str:
    """Papers as CSL-JSON."""
    return json.dumps([csl(paper) for paper in papers], indent=2, ensure_ascii=False) + "\n"
