"""RIS and EndNote ENW: files of one tag a line."""

from __future__ import annotations

import re
from collections.abc import Iterable

from asclip.errors import DataError
from asclip.literature.catalogue import kind_of
from asclip.literature.entry import Paper, key_for, year_of
from asclip.literature.names import straight, turned

RIS_TYPES = {"journal": "JOUR", "conference": "CONF", "preprint": "UNPB"}
ENW_TYPES = {
    "journal": "Journal Article", "conference": "Conference Proceedings", "preprint": "Generic",
}  # fmt: skip
RIS_LINE = re.compile(r"^([A-Z][A-Z0-9])  -(?: (.*))?$")
RIS_NEARLY = re.compile(r"^[A-Z][A-Z0-9](\s+-|-\s|\s{2,}\S)")  # a tag with a wrong dash or space
VENUES = ("T2", "JO", "JF", "JA", "BT")
TITLES = ("TI", "T1", "CT")


def clean(text: str) -> str:
    """Text on one line."""
    return " ".join(text.split())


def write_ris(papers: Iterable[Paper]) -> str:
    """Papers as RIS; a tag without a value is left out."""
    blocks = []
    for paper in papers:
        arxiv = f"arXiv:{paper.arxiv_id}" if paper.arxiv_id else ""
        pairs = [
            ("TY", RIS_TYPES[kind_of(paper)]), ("ID", paper.key), ("TI", paper.title),
            *(("AU", turned(name)) for name in paper.authors), ("T2", paper.venue),
            ("PY", str(paper.year or "")), ("DO", paper.doi), ("AN", arxiv), ("UR", paper.link),
            *(("KW", word) for word in paper.keywords),
        ]  # fmt: skip
        lines = [f"{tag}  - {clean(text)}" for tag, text in pairs if text]
        blocks.append("\n".join([*lines, "ER  - "]))
    return "\n\n".join(blocks) + "\n"


def write_enw(papers: Iterable[Paper]) -> str:
    """Papers as EndNote's tagged form (ENW)."""
    blocks = []
    for paper in papers:
        kind = kind_of(paper)
        arxiv = f"arXiv:{paper.arxiv_id}" if paper.arxiv_id else ""
        pairs = [
            ("0", ENW_TYPES[kind]), ("F", paper.key), ("T", paper.title),
            *(("A", turned(name)) for name in paper.authors),
            ("B" if kind == "conference" else "J", paper.venue), ("D", str(paper.year or "")),
            ("R", paper.doi), ("M", arxiv), ("U", paper.link),
            *(("K", word) for word in paper.keywords),
        ]  # fmt: skip
        blocks.append("\n".join(f"%{tag} {clean(text)}" for tag, text in pairs if text))
    return "\n\n".join(blocks) + "\n"


def records_ris(text: str) -> Iterable[tuple[int, dict[str, list[str]]]]:
    """(line of TY, {tag: values}) of each record; a line that is no tag goes on with the last."""
    start, record, tag = 0, {}, ""
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        found = RIS_LINE.match(line.rstrip())
        if not line.strip():
            continue
        if not found and start and tag != "TY" and not RIS_NEARLY.match(line):
            record[tag][-1] = clean(f"{record[tag][-1]} {line}")
            continue
        if not found:
            must = "a line must be a tag of two letters, two spaces, a dash and a value"
            raise DataError(f"line {number}: {must}; got {line[:20]!r}; correct or remove it")
        tag, value = found.group(1), clean(found.group(2) or "")
        if tag == "TY":
            if start:
                raise DataError(
                    f"line {number}: the record of line {start} must end with ER; add it"
                )
            start, record = number, {}
        elif not start:
            must = f"a record must begin with TY; got {tag}"
            raise DataError(f"line {number}: {must}; add the line 'TY  - JOUR' before it")
        elif tag == "ER":
            yield start, record
            start = 0
            continue
        record.setdefault(tag, []).append(value)
    if start:
        raise DataError(
            f"line {start}: the record must end with ER; got the end of the file; add it"
        )


def read_ris(text: str) -> list[Paper]:
    """The papers of a RIS file; a wrong line, a key used twice or no title is a `DataError`."""
    papers: dict[str, Paper] = {}
    for line, record in records_ris(text):
        where = f"line {line}"

        def first(*tags: str, record: dict[str, list[str]] = record) -> str:
            return next((record[tag][0] for tag in tags if record.get(tag, [""])[0]), "")

        title = first(*TITLES)
        if not title:
            raise DataError(f"{where}: a record must have a title (TI); got none; add it")
        names = record.get("AU", []) or record.get("A1", [])
        authors = tuple(straight(name) for name in names)
        year = year_of(first("PY", "Y1", "DA")[:4], where)
        arxiv = re.search(r"(?i)arxiv:\s*(\d{4}\.\d{4,5})", first("AN", "C1"))
        key = first("ID") or key_for(authors, year, title, papers)
        if key in papers:
            raise DataError(f"{where}: an ID must be unique; {key!r} was used before; rename one")
        papers[key] = Paper(
            key=key,
            title=title,
            authors=authors,
            venue=first(*VENUES),
            year=year,
            link=first("UR", "L2"),
            doi=first("DO"),
            arxiv_id=arxiv.group(1) if arxiv else "",
            keywords=tuple(record.get("KW", ())),
        )
    return list(papers.values())
