"""Plots as inline SVG in one restrained style; their colours follow the page, light or dark."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Drawn colour -> the page's own; each is a colour that no picture of ours uses otherwise.
INK, MUTED, GRID, PAPER = "#1c2331", "#5a6472", "#dde2e8", "#fefefd"
ACCENT, BOUND, THIRD, FOURTH = "#1f5a9f", "#b35a00", "#2b7a62", "#7a4a8f"
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    PAPER: "--paper",
    ACCENT: "--accent",
    BOUND: "--bound",
    THIRD: "--third",
    FOURTH: "--fourth",
}
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "asclip",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    "path.simplify": True,
}


@dataclass(frozen=True, slots=True)
class Plot:
    """An SVG with its description for those who do not see it."""

    svg: str
    caption: str


def draw(name: str, size: tuple[float, float], paint: Callable[[Axes], None], *, alt: str) -> str:
    """The SVG of what `paint` draws on one pair of axes, `size` in inches.

    The same content gives the same bytes; `name` must be unique in a page, since ids begin with it.
    """
    import io

    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(STYLE):  # pyright: ignore[reportArgumentType]
        figure = Figure(figsize=size, layout="constrained")
        figure.get_layout_engine().set(w_pad=0.02, h_pad=0.03)  # pyright: ignore
        FigureCanvasSVG(figure)
        paint(figure.subplots())
        buffer = io.StringIO()
        figure.savefig(
            buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    return _inline(buffer.getvalue(), name, alt)


def _inline(svg: str, name: str, alt: str) -> str:
    svg = svg[svg.index("<svg") :]
    # A style element inside the page would reach all of it; card.css says the same for plots.
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    used = set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg))

    def rename(found: re.Match[str]) -> str:
        return f' id="{name}-{found.group(1)}"' if found.group(1) in used else ""

    svg = re.sub(r' id="([^"]+)"', rename, svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    # The page's own font is narrower than the one measured with, so labels keep their room.
    svg = re.sub(r" font-family: [^;\"]+;?", "", svg)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', "", svg)
    svg = re.sub(r"(\d\.\d\d)\d+", r"\1", svg)  # hundredths of a point are plenty
    width = re.search(r'viewBox="0 0 ([\d.]+) ', svg)
    points = float(width.group(1)) if width else 300.0
    head = (
        f'<svg class="plot" role="img" aria-label="{escape(alt)}" '
        f'style="max-width:{points * 4 / 3:.0f}px"'
    )
    box = re.search(r'viewBox="[^"]+"', svg)
    inner = svg[svg.index(">") + 1 :]
    svg = f'{head} {box.group() if box else ""} xmlns="http://www.w3.org/2000/svg">{inner}'
    return re.sub(r"\n\s*", "\n", re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)).strip()
