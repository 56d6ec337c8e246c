"""A contact sheet: every finding beside the same person without it, with its box."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from asclip.phantom import xray
from asclip.phantom.body import Body
from asclip.phantom.ct import scan
from asclip.phantom.findings import NAMES, Finding, draw
from asclip.phantom.layout import Person, Pose
from asclip.phantom.structures import ill
from asclip.phantom.truth import regions

GRADES = (0.15, 0.5, 0.95)


def contact_sheet(path: str | Path, *, size: int = 256, seed: int = 0) -> Path:
    """A PNG with a row per finding (none, mild, moderate, severe; lateral) and one of CT slices."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns, rows = 5, len(NAMES) + 1
    figure = Figure(figsize=(3 * columns, 3.2 * rows), layout="tight")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns)
    for row, name in enumerate(NAMES):
        rng = np.random.default_rng([seed, row])
        sex = "FM"[row % 2]
        person = Person(30 + 3 * row, sex, 0.95 if sex == "F" else 1.02, 10.0 + row, seed + row)
        finding = draw(name, rng)
        _film(axes[row, 0], person, [], "PA", size)
        for column, grade in enumerate(GRADES, start=1):
            _film(axes[row, column], person, [finding.graded(grade, "")], "PA", size)
        _film(axes[row, 4], person, [finding.graded(0.95, "")], "LATERAL", size)
    _slices(axes[-1], seed)
    figure.savefig(path, dpi=70)
    return Path(path)


def _film(axis: Any, person: Person, findings: list[Finding], view: str, size: int) -> None:
    """Draw one film with its boxes and a title."""
    from matplotlib.patches import Rectangle

    device = xray.Device()
    body = ill(person, Pose(arms_up=view == "LATERAL"), findings)
    beam = xray.aim(view, size, body=body, device=device)
    picture = xray.film(body, beam, device, np.random.default_rng(1))
    axis.imshow(picture, cmap="gray", vmin=0, vmax=2**device.bits - 1)
    axis.axis("off")
    for region in regions(body, beam, findings):
        x, y, right, low = region.box
        shape = Rectangle((x - 0.5, y - 0.5), right - x, low - y, fill=False, edgecolor="yellow")
        axis.add_patch(shape)
    words = [f"{f.name} {f.side} {f.zone} {f.severity}" for f in findings]
    axis.set_title(" ".join(words[0].split()) if words else f"{person.sex} {person.age}", size=8)


def _slices(axes: Any, seed: int) -> None:
    """CT of one person with a mass and an effusion: axial, coronal and sagittal."""
    findings = [
        draw("mass", np.random.default_rng(seed), side="right", grade=0.4),
        draw("pleural effusion", np.random.default_rng(seed), side="left", grade=0.4),
    ]
    body: Body = ill(Person(60, "M", seed=seed), Pose(arms_up=True), findings)
    shape, spacing = (150, 190, 190), (2.0, 2.0, 2.0)
    volume = scan(body, findings, shape=shape, spacing=spacing, rng=np.random.default_rng(seed))
    hu = volume.hu
    middle = int(np.argwhere(volume.masks[0])[:, 0].mean())
    cuts = (hu[middle], hu[40], hu[100], hu[::-1, 95], hu[::-1, :, 105])
    names = ("axial, mass", "axial, base", "axial, arch", "coronal", "sagittal")
    for axis, cut, name in zip(axes, cuts, names, strict=True):
        axis.imshow(cut, cmap="gray", vmin=-1000, vmax=400)
        axis.axis("off")
        axis.set_title(f"CT {name}", size=8)


__all__ = ["contact_sheet"]
