"""Which column of a table plays which role.

Roles: `image` (one or more columns), `text`, `text:NAME`, `patient`, `study`, `view`, `split`,
`label:NAME`, `label=COL,COL`, `labels` (one cell with several names), `meta=COL,COL`, `meta:NAME`,
`signal` (a file of a recording over time, one a study).
Columns named `text:NAME`, `label:NAME` or `meta:NAME` are understood without a map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from asclip.errors import DataError, nearest

SINGLE = ("patient", "study", "view", "split", "labels", "signal")
SEVERAL = ("image", "text", "label", "meta")
PREFIXES = ("text:", "label:", "meta:")
REQUIRED = ("image", "patient")


@dataclass(slots=True)
class Columns:
    """Role -> columns. `texts` maps a text's name to the columns that are joined into it."""

    image: tuple[str, ...] = ()
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    patient: str = ""
    study: str | None = None
    view: str | None = None
    split: str | None = None
    labels: str | None = None
    signal: str | None = None
    label: dict[str, str] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)

    def used(self) -> tuple[str, ...]:
        """Every column that is read, each once."""
        singles = [self.patient, *(getattr(self, role) for role in SINGLE)]
        texts = [name for columns in self.texts.values() for name in columns]
        found = [*self.image, *texts, *singles, *self.label.values(), *self.meta.values()]
        return tuple(dict.fromkeys(name for name in found if name))

    def to_json(self) -> dict[str, str]:
        """Role -> column(s), as it would be given on the command line."""
        result = {"image": ",".join(self.image)}
        for name, columns in self.texts.items():
            result["text" if name == "text" else f"text:{name}"] = ",".join(columns)
        for role in SINGLE:
            if getattr(self, role):
                result[role] = getattr(self, role)
        result.update({f"label:{name}": column for name, column in self.label.items()})
        result.update({f"meta:{name}": column for name, column in self.meta.items()})
        return result


def resolve(mapping: Mapping[str, str], present: Sequence[str], table: str) -> Columns:
    """The columns of `table` that play each role, from the map and the columns' own names.

    >>> resolve({"text": "findings,impression"},
    ...         ["image", "findings", "impression", "patient", "label:mass"], "t.csv").texts
    {'text': ('findings', 'impression')}

    Raises:
        DataError: an unknown role, a column that is not there, or no column for a needed role.
    """
    result = Columns()
    for role, columns in _defaults(mapping, present, table).items():
        names = _split(role, columns, present, table)
        kind, _, name = role.partition(":")
        if kind == "image":
            result.image = names
        elif kind == "text":
            result.texts[name or "text"] = names
        elif kind in ("label", "meta"):
            target = result.label if kind == "label" else result.meta
            target.update({name: names[0]} if name else {column: column for column in names})
        else:
            setattr(result, kind, names[0])
    if "text" not in result.texts and not (result.texts or result.label or result.labels):
        raise missing("text", "text", present, table)
    result.texts = dict(sorted(result.texts.items(), key=lambda item: item[0] != "text"))
    return result


def _defaults(mapping: Mapping[str, str], present: Sequence[str], table: str) -> dict[str, str]:
    roles = dict(mapping)
    for role in roles:
        kind, sign, name = role.partition(":")
        if kind not in SINGLE + SEVERAL or (sign and (f"{kind}:" not in PREFIXES or not name)):
            known = [*SINGLE, *SEVERAL, "text:NAME", "label:NAME", "meta:NAME"]
            raise DataError(f"--map knows no role {role!r}; {nearest(role, known)}")
    taken = {column for column in roles.values()}
    for column in present:
        if column in ("image", "text", "patient", "study", "view", "split"):
            roles.setdefault(column, column)
        elif column.startswith(PREFIXES) and column.split(":", 1)[1] and column not in taken:
            roles.setdefault(column, column)
    for role in REQUIRED:
        if role not in roles:
            raise missing(role, role, present, table)
    return roles


def _split(role: str, columns: str, present: Sequence[str], table: str) -> tuple[str, ...]:
    if columns in present:
        return (columns,)
    several = role.partition(":")[0] in ("image", "text") or role in ("label", "meta")
    names = [part.strip() for part in columns.split(",")] if several else [columns]
    for name in names:
        if name not in present:
            raise missing(role, name, present, table)
    return tuple(dict.fromkeys(names))


def missing(role: str, column: str, present: Sequence[str], table: str) -> DataError:
    """The error for a column that is not there: what is present, what is near, what to pass."""
    from difflib import get_close_matches

    shown = ", ".join(present[:40]) + (
        f", ... ({len(present)} in all)" if len(present) > 40 else ""
    )
    close = get_close_matches(column, list(present), n=1) or ["COLUMN"]
    hint = nearest(column, list(present)) + " " if close != ["COLUMN"] else ""
    extra = ""
    if role == "patient" and close == ["COLUMN"]:
        extra = "; without patients no split is honest (if each image is another patient: "
        extra += "--map patient=IMAGE_COLUMN)"
    return DataError(
        f"{table} has no column {column!r} for the role {role!r}; its columns are: {shown}. "
        f"{hint}Pass --map {role}={close[0]}{extra}"
    )
