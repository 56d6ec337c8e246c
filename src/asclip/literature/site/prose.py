"""A docstring's words as HTML: code in backticks, numbers of papers and names of files as links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

MARKS = re.compile(
    r"`(?P<code>[^`]+)`|arXiv:(?P<arxiv>\d{4}\.\d{4,5})|doi:(?P<doi>10\.\d{4,9}/[\w./()-]*\w)"
    r"|(?<![\w/])(?P<file>(?:\w+/)*\w+\.py)\b"
)


def html(text: str, pages: Mapping[str, str] | None = None) -> str:
    """The words of a text; `pages` are the addresses of files, such as {"clip.py": "clip.html"}.

    >>> html("as in clip.py, `a=1` < 2", {"clip.py": "clip.html"})
    'as in <a href="clip.html">clip.py</a>, <code>a=1</code> &lt; 2'
    """
    parts, place = [], 0
    for found in MARKS.finditer(text):
        parts.append(escape(text[place : found.start()], quote=False))
        parts.append(mark(found, pages or {}))
        place = found.end()
    return "".join([*parts, escape(text[place:], quote=False)])


def mark(found: re.Match[str], pages: Mapping[str, str]) -> str:
    """One marked piece."""
    said = escape(found.group(), quote=False)
    if found["code"]:
        return f"<code>{escape(found['code'], quote=False)}</code>"
    if found["arxiv"]:
        return f'<a href="https://arxiv.org/abs/{found["arxiv"]}">{said}</a>'
    if found["doi"]:
        return f'<a href="https://doi.org/{escape(found["doi"])}">{said}</a>'
    page = pages.get(found["file"].rpartition("/")[2])
    return f'<a href="{escape(page)}">{said}</a>' if page else f"<code>{said}</code>"
