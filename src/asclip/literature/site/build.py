"""The site as a folder of files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from asclip import __version__
from asclip.errors import DataError
from asclip.literature import catalogue as tables
from asclip.literature import results as resulting
from asclip.literature.catalogue import Catalogue
from asclip.literature.cite import cite
from asclip.literature.code import docstring
from asclip.literature.related import related
from asclip.literature.site import atlas, exports, formula, graph, prose, view
from asclip.literature.site.library import Library

MARK = "site.json"  # says that a folder is ours, and what is in it
RELATED = 5
OWN = ("site.js", "network.js")


def build(
    folder: str | Path,
    methods: Sequence[atlas.Method] = (),
    *,
    settings: Sequence[atlas.Parameter] = (),
    compare: Path | None = None,
    library: Library | None = None,
    catalogue: Catalogue | None = None,
) -> list[Path]:
    """Write the site into a folder, new or an earlier site; the paths of its files.

    `methods` are the recipes and adapters of the atlas, `settings` what all recipes have in common;
    `compare` is a compare.json, without which the packaged results are shown; `library` draws the
    network, without one it is a still drawing.

    Raises:
        DataError: the folder holds something else, or `compare` is no such file.
    """
    known = catalogue or tables.load()
    results = resulting.load(compare)
    entries = atlas.completed(methods, known)
    out = Site(Path(folder))
    near = {paper.key: related(paper, known, number=RELATED) for paper in known.papers}
    network = graph.graph(known, {key: [o["key"] for o in some] for key, some in near.items()})
    out.page("index.html", "", view.index(known, entries))
    for one in known.papers:
        out.page(f"papers/{one.key}.html", "../", view.paper(one, known, entries, results, near))
    for one in entries:
        out.page(f"atlas/{one.slug}.html", "../", view.method(one, entries, known, results))
    legend = docstring("asclip.types").partition("docstring:\n\n")[2].partition("\n\nUnknown")[0]
    shown = view.atlas_index(entries, known, results, legend, settings)
    out.page("atlas/index.html", "../", shown)
    said = library.about if library else ""
    out.page("network.html", "", view.network(network, known, said))
    out.page("about.html", "", {"about": known.about, "library": said, "number": len(known.papers)})
    scripts(out, known, network)
    for form in exports.FORMS:
        out.text(f"export/asclip-literature.{form.ending}", cite(known.papers, form.name))
    looks(out, library)
    return out.done()


def scripts(out: Site, known: Catalogue, network: graph.Graph) -> None:
    """The data of the pages' scripts."""
    out.script("data/papers.js", "PAPERS", view.rows(known))
    out.script("data/cite.js", "CITE", exports.pieces(known.papers))
    out.script(
        "data/network.js",
        "NETWORK",
        {"nodes": network.nodes, "edges": network.edges, "message": network.message},
    )


def looks(out: Site, library: Library | None) -> None:
    """Style and scripts, and the graph library with its licence."""
    own = files("asclip.literature.site").joinpath("templates")
    out.text("site.css", palette() + own.joinpath("site.css").read_text(encoding="utf-8"))
    for name in OWN:
        out.text(name, own.joinpath(name).read_text(encoding="utf-8"))
    if library:
        out.file("vendor/cytoscape.min.js", library.script)
        out.file("vendor/cytoscape.LICENSE.txt", library.licence)


def palette() -> str:
    """The colours and typefaces of the report card, light and dark."""
    style = files("asclip").joinpath("card", "card.css").read_text(encoding="utf-8")
    return style[: style.index("* {")]


class Site:
    """A folder that is being written; what an earlier site left and this one lacks is removed."""

    def __init__(self, folder: Path) -> None:
        from jinja2 import Environment, PackageLoader, StrictUndefined

        self.folder, self.paths = folder, list[Path]()
        self.before = earlier(folder)
        self.environment = Environment(
            loader=PackageLoader("asclip.literature.site", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters |= {"typeset": formula.typeset, "prose": prose.html}
        self.environment.globals["version"] = __version__

    def page(self, name: str, root: str, values: dict[str, Any]) -> None:
        """One page; `root` leads from it to the folder."""
        kind = {"papers": "paper.html", "atlas": "method.html"}.get(name.split("/")[0], name)
        kind = "atlas.html" if name == "atlas/index.html" else kind
        self.text(name, self.environment.get_template(kind).render(values, root=root, here=name))

    def script(self, name: str, variable: str, value: Any) -> None:
        """Data as a script, since a page from disk may not read other files."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        self.text(name, f"window.{variable} = {text};\n")

    def text(self, name: str, text: str) -> None:
        """A file of text."""
        self.file(name, text.encode("utf-8"))

    def file(self, name: str, data: bytes) -> None:
        """A file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.paths.append(path)

    def done(self) -> list[Path]:
        """The paths, after the mark is written and what is stale is removed."""
        names = [path.relative_to(self.folder).as_posix() for path in self.paths]
        for name in set(self.before) - set(names):
            (self.folder / name).unlink(missing_ok=True)
        self.text(MARK, json.dumps({"asclip": __version__, "files": names}, indent=1) + "\n")
        return self.paths


def earlier(folder: Path) -> list[str]:
    """The files of an earlier site in a folder; anything else in it is a `DataError`."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"the site must go into a folder; {folder.name} is a file; choose another")
    if not folder.exists() or not any(folder.iterdir()):
        return []
    must = f"{folder.name} must be empty or an earlier site (with {MARK})"
    try:
        names = json.loads((folder / MARK).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{must}; it holds something else; choose another folder") from None
    inside = folder.resolve()
    return [name for name in names if (inside / name).resolve().is_relative_to(inside)]
