"""BibTeX: writing entries, and a parser that names the line of what it cannot read."""

from __future__ import annotations

import re
from collections.abc import Iterable

from asclip.errors import DataError
from asclip.literature.catalogue import kind_of
from asclip.literature.entry import Paper, key_for, many, year_of
from asclip.literature.latex import escape, protect, unescape
from asclip.literature.names import straight, turned

TYPES = {"journal": "article", "conference": "inproceedings", "preprint": "misc"}
VENUE = {"journal": "journal", "conference": "booktitle", "preprint": "howpublished"}
VERBATIM = ("url", "doi", "eprint")
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()


def write_one(paper: Paper) -> str:
    """One entry; fields that are not known are left out."""
    kind = kind_of(paper)
    fields = {
        "title": protect(paper.title),
        "author": " and ".join(escape(turned(name)) for name in paper.authors),
        VENUE[kind]: escape(paper.venue),
        "year": "" if paper.year is None else str(paper.year),
        "doi": paper.doi,
        "eprint": paper.arxiv_id,
        "archiveprefix": "arXiv" if paper.arxiv_id else "",
        "url": paper.link,
        "keywords": escape("; ".join(paper.keywords)),
    }
    lines = [f"  {name} = {{{text}}}," for name, text in fields.items() if text]
    return "\n".join([f"@{TYPES[kind]}{{{paper.key},", *lines, "}"]) + "\n"


def write(papers: Iterable[Paper]) -> str:
    """The entries of papers, with an empty line between them."""
    return "\n".join(write_one(paper) for paper in papers)


class Reader:
    """A cursor in the text of a file, which knows its line."""

    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0

    def line(self) -> int:
        """The line of this place."""
        return self.text.count("\n", 0, self.place) + 1

    def fail(self, must: str, mend: str) -> DataError:
        """The error at this place."""
        got = self.text[self.place : self.place + 20].split("\n")[0] or "the end of the line"
        return DataError(f"line {self.line()}: {must}; got {got!r}; {mend}")

    def skip(self) -> None:
        """Past white space."""
        while self.place < len(self.text) and self.text[self.place].isspace():
            self.place += 1

    def take(self, pattern: str) -> str:
        """What the pattern matches here, "" if nothing; white space before it is skipped."""
        self.skip()
        found = re.compile(pattern).match(self.text, self.place)
        if not found:
            return ""
        self.place = found.end()
        return found.group()

    def quoted(self, close: str) -> str:
        """Text up to its closing mark, braces balanced; the cursor stands behind the opening."""
        start, depth = self.place, 0
        while self.place < len(self.text):
            letter = self.text[self.place]
            if letter == "\\":
                self.place += 1
            elif depth == 0 and letter == close:
                self.place += 1
                return self.text[start : self.place - 1]
            else:
                depth += (letter == "{") - (letter == "}")
            self.place += 1
        self.place = start
        raise self.fail(f"a value must end with {close}", "close it")

    def value(self, strings: dict[str, str]) -> str:
        """A value: braces, quotes, a number or a name, joined by #."""
        parts = []
        while True:
            if self.take(r"\{"):
                parts.append(self.quoted("}"))
            elif self.take('"'):
                parts.append(self.quoted('"'))
            elif word := self.take(r"[^\s,#{}\"]+"):
                parts.append(strings.get(word.lower(), word))
            else:
                raise self.fail("a field must have a value", "put it in braces")
            if not self.take("#"):
                return "".join(parts)


def entry(reader: Reader, strings: dict[str, str]) -> dict[str, str]:
    """The fields of an entry whose "@type{" has been read; `ID` is its key."""
    at = reader.line()
    key = reader.take(r"[^\s,{}=\"]+")
    if not key or not reader.take(","):
        raise reader.fail("an entry must begin with its key and a comma", "add the key")
    fields = {"ID": key, "at": str(at)}
    while not reader.take(r"\}"):
        name = reader.take(r"[A-Za-z][\w:.+-]*")
        if not name or not reader.take("="):
            must = f"entry {key!r} must go on with a field, =, and a value, or end with }}"
            raise reader.fail(must, "look for a missing comma or brace")
        begun = reader.line()
        fields[name.lower()] = value = reader.value(strings)
        if not reader.take(",") and not re.compile(r"\s*\}").match(reader.text, reader.place):
            mend = f"look for an open brace in line {begun}, or " if "\n" in value else ""
            raise reader.fail(f"field {name!r} must end with a comma or }}", f"{mend}add it")
    return fields


def parse(text: str) -> list[dict[str, str]]:
    """The entries of a file as fields; comments, preambles and text between entries are skipped."""
    reader, found = Reader(text), []
    strings = {month: month for month in MONTHS}
    while (at := text.find("@", reader.place)) >= 0:
        reader.place = at + 1
        kind = reader.take(r"[A-Za-z]+").lower()
        if not kind or not reader.take(r"\{"):
            if not text[:at].rpartition("\n")[2].strip():
                raise reader.fail("an @ must begin an entry, @type{key, ...}", "mend or remove it")
            continue
        if kind in ("comment", "preamble"):
            reader.quoted("}")
        elif kind == "string":
            name = reader.take(r"[^\s=]+").lower()
            if not reader.take("="):
                raise reader.fail("@string must have a name, = and a value", "add them")
            strings[name] = reader.value(strings)
            reader.take(r"\}")
        else:
            found.append(entry(reader, strings) | {"ENTRYTYPE": kind})
    return found


def read(text: str) -> list[Paper]:
    """The papers of a BibTeX file; a key used twice or an entry without a title is an error."""
    papers: dict[str, Paper] = {}
    for raw in parse(text):
        where = f"line {raw['at']}: entry {raw['ID']!r}"
        fields = {k: v if k in VERBATIM else unescape(v) for k, v in raw.items()}
        if not fields.get("title"):
            raise DataError(f"{where} must have a title; got none; add it")
        if raw["ID"] in papers:
            raise DataError(f"{where}: a key must be unique; it was used before; rename one")
        papers[raw["ID"]] = paper_of_fields(fields, raw.get("author", ""), where, papers)
    return list(papers.values())


def paper_of_fields(fields: dict[str, str], author: str, where: str, taken: Iterable[str]) -> Paper:
    """The paper of an entry's decoded fields and its raw authors."""
    names = re.split(r"\s+and\s+", author.strip()) if author.strip() else []
    authors = tuple(unescape(straight(name)) for name in names if name != "others")
    venue = next((fields[k] for k in ("journal", "booktitle", "howpublished") if fields.get(k)), "")
    words = fields.get("keywords", "")
    eprint = fields.get("eprint", "")
    year = year_of(fields.get("year", "") or fields.get("date", "")[:4], where)
    return Paper(
        key=fields["ID"] or key_for(authors, year, fields["title"], taken),
        title=fields["title"],
        authors=authors,
        venue=venue,
        year=year,
        link=fields.get("url", ""),
        doi=re.sub(r"^https?://(dx\.)?doi\.org/", "", fields.get("doi", "")),
        arxiv_id=re.sub(r"v\d+$", "", eprint) if re.match(r"\d{4}\.\d{4,5}", eprint) else "",
        keywords=many(words if ";" in words else words.replace(",", ";")),
    )
