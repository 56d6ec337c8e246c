"""Small drawings as inline SVG, in the page's own colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from asclip.literature.results import Result

ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="15" refY="4" markerWidth="7" '
    'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
)
CHAR = 6.4  # width of a letter of the labels, in units of the drawing


def svg(width: float, height: float, body: str, label: str, kind: str = "plot") -> str:
    """A drawing with its description for those who do not see it; one with links is a group."""
    role = "group" if "<a " in body else "img"
    return (
        f'<svg class="{kind}" role="{role}" aria-label="{escape(label)}" '
        f'viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px" '
        f'xmlns="http://www.w3.org/2000/svg">{body}</svg>'
    )


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Words in a drawing."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def bars(counts: Mapping[str, int], label: str, *, most: int = 12) -> str:
    """Horizontal bars, the rest summed in a last line; every value is written beside its bar."""
    shown = list(counts.items())[:most]
    rest = sum(list(counts.values())[most:])
    if rest:
        shown.append((f"{len(counts) - most} more", rest))
    wide = max((len(name) for name, _ in shown), default=1) * CHAR + 8
    top = max((value for _, value in shown), default=1)
    body = []
    for row, (name, value) in enumerate(shown):
        y, length = row * 21 + 4, 200 * value / top
        body.append(text(wide - 8, y + 12, name, "", "end"))
        body.append(f'<rect x="{wide:g}" y="{y}" width="{length:.1f}" height="15" class="bar"/>')
        body.append(text(wide + length + 6, y + 12, str(value), "muted"))
    said = f"{label}: " + ", ".join(f"{name} {value}" for name, value in shown)
    return svg(wide + 250, len(shown) * 21 + 8, "".join(body), said)


def columns(counts: Mapping[str, int], label: str) -> str:
    """Vertical bars, one a year."""
    top = max(counts.values(), default=1)
    body = []
    for place, (name, value) in enumerate(counts.items()):
        x, height = place * 44 + 6, 130 * value / top
        body.append(
            f'<rect x="{x}" y="{150 - height:.1f}" width="32" height="{height:.1f}" class="bar"/>'
        )
        body.append(text(x + 16, 145 - height, str(value), "muted", "middle"))
        body.append(text(x + 16, 167, name, "", "middle"))
    said = f"{label}: " + ", ".join(f"{name} {value}" for name, value in counts.items())
    return svg(len(counts) * 44 + 12, 174, "".join(body), said)


def intervals(results: Sequence[Result], label: str) -> str:
    """Differences with their intervals around zero; "" where there is nothing to draw."""
    rows = [row for row in results if row.difference == row.difference]
    if not rows:
        return ""
    edge = max(0.1, *(abs(v) for row in rows for v in (row.low, row.high) if v == v))
    names = [f"{row.challenge.replace('_', ' ')}" for row in rows]
    wide, half = max(map(len, names)) * CHAR + 16, 190.0

    def x(value: float) -> float:
        return round(wide + half + value / edge * half, 1)

    height = len(rows) * 26 + 30
    body = [f'<path d="M{x(0)} 0V{height - 24}" class="zero"/>']
    for place, row in enumerate(rows):
        y = place * 26 + 14
        body.append(text(wide - 12, y + 4, names[place], "", "end"))
        if row.low == row.low:
            body.append(f'<path d="M{x(row.low)} {y}H{x(row.high)}" class="span {row.verdict}"/>')
        body.append(f'<circle cx="{x(row.difference)}" cy="{y}" r="4" class="{row.verdict}"/>')
    for value in (-edge, 0.0, edge):
        body.append(text(x(value), height - 6, signed(value), "muted", "middle"))
    said = f"{label}: " + ", ".join(
        f"{name} {signed(row.difference)} [{signed(row.low)}, {signed(row.high)}]"
        for name, row in zip(names, rows, strict=True)
    )
    return svg(wide + 2 * half + 30, height, "".join(body), said)


def signed(value: float) -> str:
    """A difference.

    >>> signed(-0.25), signed(0.0), signed(float("nan"))
    ('−0.250', '0', 'not known')
    """
    if value != value:
        return "not known"
    return f"{value:+.3f}".replace("-", "−") if value else "0"


def at(x: float, y: float, size: tuple[float, float]) -> tuple[float, float]:
    """Where a place in [0, 1] lies in a drawing of that size, with a margin for names.

    >>> at(0, 1, (900, 640))
    (75, 608)
    """
    wide, high = size
    return round(75 + x * (wide - 150), 1), round(24 + y * (high - 56), 1)


def drawn(
    nodes: Sequence[Mapping[str, Any]],
    edges: Sequence[tuple[int, int, str]],
    label: str,
    *,
    size: tuple[float, float] = (900, 640),
    to: str = "",
) -> str:
    """A graph: nodes with key, title, label, role, x and y in [0, 1]; edges (from, to, kind).

    `to` is the address of the folder of the papers' pages, to which the nodes lead.
    """
    wide, high = size

    body = [ARROW]
    for one, other, kind in edges:
        (a, b), (c, d) = (at(nodes[n]["x"], nodes[n]["y"], size) for n in (one, other))
        body.append(
            f'<path class="edge {kind}" data-a="{nodes[one]["key"]}" '
            f'data-b="{nodes[other]["key"]}" d="M{a} {b}L{c} {d}"/>'
        )
    for node in sorted(nodes, key=lambda node: "quiet" not in node["role"]):  # names on top
        x, y = at(node["x"], node["y"], size)
        words = text(x, y + 17, node["label"], "", "middle")
        body.append(
            f'<a href="{to}{node["key"]}.html" data-key="{node["key"]}" class="node {node["role"]}"'
            f' tabindex="-1"><title>{escape(node["title"])}</title>'
            f'<circle cx="{x}" cy="{y}" r="6"/>{words}</a>'
        )
    return svg(wide, high, "".join(body), label, "graph")
