"""Papers as the files of reference managers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from asclip.errors import DataError, nearest
from asclip.literature import awesome, bibtex, structured, tagged
from asclip.literature.entry import Paper

FORMATS: dict[str, Callable[[Iterable[Paper]], str]] = {
    "bibtex": bibtex.write,
    "ris": tagged.write_ris,
    "enw": tagged.write_enw,
    "endnote-xml": structured.write_xml,
    "csl-json": structured.write_csl,
    "markdown": awesome.write,
}


def cite(papers: Iterable[Paper], form: str = "bibtex") -> str:
    """The text of a file with these papers; `form` is one of `FORMATS`.

    Authors are "Family, Given"; the venue is written as in the catalogue; the code link is in
    Markdown alone. Fields that are not known are left out.
    """
    if form not in FORMATS:
        raise DataError(f"no format is called {form!r}; {nearest(form, list(FORMATS))}")
    return FORMATS[form](papers)
