"""The survey list's own Markdown: headings of stage and family, three lines a paper."""

from __future__ import annotations

import re
from collections.abc import Iterable

from asclip.errors import DataError
from asclip.literature.entry import Paper, key_for
from asclip.literature.names import straight

STAGES = {
    "pre-training": "Pre-training",
    "application": "CLIP-driven Application",
    "survey": "Survey",
}
HEAD = re.compile(r"^\[\*\*(?P<venue>.+?)\*\*\]\s*(?P<title>.*)", re.DOTALL)
LINK = re.compile(r"\[\[(\w+)\]\((\S+?)\)\]")
YEAR = re.compile(r"\b(19|20)\d\d\b")


def title_of(family: str) -> str:
    """A family as a heading.

    >>> title_of("dense-prediction")
    'Dense Prediction'
    """
    kept = ("multi-scale", "data-efficient", "knowledge-enhanced", "cross-modal")
    return family.capitalize() if family in kept else family.replace("-", " ").title()


def block(paper: Paper) -> str:
    """The three lines of a paper."""
    links = [f"[[paper]({paper.link})]"] if paper.link else []
    links += [f"[[code]({paper.code})]"] if paper.code else []
    head = " ".join(part for part in (paper.venue, str(paper.year or "")) if part)
    return "\n".join(
        [f"[**{head}**] {paper.title} \\", f"_{', '.join(paper.authors)}_ \\", " ".join(links)]
    ).rstrip(" \\\n")


def headings(paper: Paper) -> tuple[str, str]:
    """The headings of stage and family under which a paper stands."""
    stage = STAGES.get(paper.stage, paper.stage or "Unplaced")
    return f"## {stage}", f"### {title_of(paper.family) if paper.family else 'Unplaced'}"


def write(papers: Iterable[Paper]) -> str:
    """Papers under the headings of their stage and family, each once, in the order given."""
    places: dict[str, dict[str, list[str]]] = {}
    for paper in papers:
        stage, family = headings(paper)
        places.setdefault(stage, {}).setdefault(family, []).append(block(paper))
    lines: list[str] = []
    for stage, families in places.items():
        lines.append(stage)
        for family, blocks in families.items():
            lines += [family, *blocks]
    return "\n\n".join(lines) + "\n"


def heading(line: str) -> str:
    """A heading as a name of the taxonomy; "" where it is none of ours."""
    text = line.lstrip("# ").strip()
    back = {name.lower(): stage for stage, name in STAGES.items()}
    known = back.get(text.lower(), text.lower().replace(" ", "-"))
    return "" if known == "unplaced" else known


def authors_of(text: str) -> tuple[str, ...]:
    """Names in any of the list's writings.

    >>> authors_of("_Zhen Lei, Hongbin Liu & Jinqiao Wang_"), authors_of("Baliah, S. ; Khan, H.")
    (('Zhen Lei', 'Hongbin Liu', 'Jinqiao Wang'), ('S. Baliah', 'H. Khan'))
    """
    text = re.sub(r"[∗*\\_]", "", " ".join(text.split()))
    if ";" in text:
        return tuple(straight(name) for name in text.split(";") if name.strip())
    text = re.sub(r",?\s+(and|&)\s+", ", ", text)
    return tuple(name.strip() for name in text.split(",") if name.strip())


def paper_of(text: str, line: int, stage: str, family: str, taken: Iterable[str]) -> Paper:
    """The paper of a block that begins with a venue in bold."""
    found = HEAD.match(text)
    if not found:
        must = "a paper must begin with [**venue year**] and its title"
        raise DataError(f"line {line}: {must}; got {text[:30]!r}; correct it")
    links = dict(LINK.findall(text))
    body = re.split(r"\n?\s*\[\[\w+\]\(", found.group("title"))[0]
    lines = [part.strip() for part in body.strip().split("\\\n")]
    listed = lines[-1] if len(lines) > 1 else ""
    title = " ".join(" ".join(lines[:-1] if len(lines) > 1 else lines).rstrip(" \\").split())
    authors = authors_of(listed)
    year = YEAR.search(found.group("venue"))
    number = int(year.group()) if year else None
    return Paper(
        key=key_for(authors, number, title, taken),
        title=title,
        authors=authors,
        venue=" ".join(YEAR.sub("", found.group("venue")).split()),
        year=number,
        stage=stage,
        family=family,
        link=links.get("paper", ""),
        code=links.get("code", ""),
        listed=True,
    )


def read(text: str) -> list[Paper]:
    """The papers of a list in this form, with stage and family from the headings."""
    stage = family = ""
    papers: dict[str, Paper] = {}
    line = 1
    for part in re.split(r"(\n\s*\n)", text):
        body = part.strip()
        if body.startswith("### "):
            family = heading(body)
        elif body.startswith("## "):
            stage, family = heading(body), ""
        elif body.startswith("[**"):
            at = line + part[: part.index("[**")].count("\n")
            paper = paper_of(body, at, stage, family, papers)
            papers[paper.key] = paper
        line += part.count("\n")
    return list(papers.values())
