"""A film of a body: cone beam, Beer-Lambert, scatter, quantum noise, detector, display curve.

    P = exp(-sum_i mu_i l_i)                primary photons that reach a pixel, per photon sent
    I = N ((1 - f) P + f (K * P)) + noise   f the scatter fraction, K a wide Gaussian, Poisson noise
    d = -ln(I / N)                          what a logarithmic detector stores

`d` is then edge-enhanced and sent through an S curve, as a digital unit's processing does; dense is
bright (MONOCHROME2) unless the device stores the inverse (MONOCHROME1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from asclip.phantom.body import Body
from asclip.phantom.layout import TISSUE_HU
from asclip.phantom.rays import LEVELS, Beam, added, visible
from asclip.phantom.shapes import turn
from asclip.phantom.solids import WATER

VIEWS = ("PA", "AP", "LATERAL")


@dataclass(frozen=True, slots=True)
class Device:
    """An X-ray unit: its exposure, scatter, resolution, processing and storage."""

    name: str = "Unit A"
    maker: str = "Asclip phantom"
    photons: float = 4e5
    scatter: float = 0.07
    blur: float = 0.9
    edge: float = 0.5
    evening: float = 0.6
    gamma: float = 1.0
    bits: int = 12
    inverted: bool = False
    distance: float = 1800.0
    field: float = 368.0


def aim(view: str, size: int, *, body: Body, device: Device) -> Beam:
    """The beam of `view` onto a film of `size` x `size` pixels.

    PA: source behind the patient; AP: source in front, nearer; LATERAL: left side at the film,
    front of the patient at the image's left. In PA and AP alike the patient's right is at the
    image's left, as films are hung.
    """
    far = device.distance if view != "AP" else min(device.distance, 1150.0)
    toward = {"PA": (0.0, 1.0, 0.0), "AP": (0.0, -1.0, 0.0), "LATERAL": (-1.0, 0.0, 0.0)}
    right = {"PA": (-1.0, 0.0, 0.0), "AP": (-1.0, 0.0, 0.0), "LATERAL": (0.0, -1.0, 0.0)}
    spin = turn(z=body.layout.pose.rotation)  # turning the beam turns the patient the other way
    forward, across = spin @ np.array(toward[view]), spin @ np.array(right[view])
    s = body.layout.size
    centre = np.array([0.0, 0.0, -40.0 * s])
    gap = 170.0 * s if view != "LATERAL" else 230.0 * s
    source = centre - forward * (far - gap)
    pitch = device.field * s * far / (far - gap) / size
    down = np.array([0.0, 0.0, -1.0])
    half = (size - 1) / 2
    corner = centre + forward * gap - (across + down) * half * pitch
    return Beam(source, corner, across * pitch, down * pitch, (size, size), pitch)


def attenuation(body: Body, beam: Beam) -> np.ndarray:
    """Sum of mu x length [H, W] along each ray: 0 where only air is met."""
    lengths = visible(body.paint, beam)
    weight = np.zeros(LEVELS, np.float32)
    for level, hu in TISSUE_HU.items():
        weight[level] = (hu + 1000.0) / 1000.0
    water = np.tensordot(weight, lengths, 1) + added(body.details, beam) / 1000.0
    return WATER * np.maximum(water, 0.0)


def expose(depth: np.ndarray, device: Device, pitch: float, rng: np.random.Generator) -> np.ndarray:
    """Detected -ln(I / N) [H, W] for line integrals `depth`: unsharpness, scatter and noise."""
    primary = blur(np.exp(-depth), device.blur / pitch)
    stray = blur(primary, 45.0 / pitch)
    reached = (1 - device.scatter) * primary + device.scatter * stray
    photons = device.photons * pitch**2 / 10.0
    noise = rng.standard_normal(depth.shape, np.float32) * np.sqrt(reached / photons)
    return -np.log(np.maximum(reached + noise, 1e-6))


def develop(detected: np.ndarray, device: Device, pitch: float) -> np.ndarray:
    """Stored values [H, W] uint16 of `device.bits` bits: evening, edges, S curve, polarity.

    `device.evening` is the part of the coarse differences (between lung and abdomen) that is taken
    out, so that both show detail; `device.edge` the part of the fine ones that is added.
    """
    coarse = blur(np.minimum(detected, 5.5), 45.0 / pitch)
    sharp = (
        detected - device.evening * coarse + device.edge * (detected - blur(detected, 9.0 / pitch))
    )
    inside = sharp[detected > 0.7]
    if inside.size < 16:
        inside = sharp.ravel()
    low, high = np.percentile(inside, [3.0, 95.0])
    grey = (sharp - low) / max(high - low, 1e-6)
    steep, middle = 2.6, 0.35
    curve = 1.0 / (1.0 + np.exp(-steep * (grey - middle)))
    ends = 1.0 / (1.0 + np.exp(-steep * (np.array([-0.4, 1.35]) - middle)))
    shown = np.clip((curve - ends[0]) / (ends[1] - ends[0]), 0, 1) ** device.gamma
    if device.inverted:
        shown = 1.0 - shown
    return np.rint(shown * (2**device.bits - 1)).astype(np.uint16)


def film(body: Body, beam: Beam, device: Device, rng: np.random.Generator) -> np.ndarray:
    """A film [H, W] uint16 of `body`, values as stored by `device`."""
    detected = expose(attenuation(body, beam), device, beam.pitch, rng)
    return develop(detected, device, beam.pitch)


def blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur with `sigma` in pixels; the edge is continued. As two matrix products."""
    if sigma < 0.2:
        return picture
    rows = _smoothing(picture.shape[0], round(float(sigma), 3))
    columns = _smoothing(picture.shape[1], round(float(sigma), 3))
    return rows @ picture @ columns.T


@lru_cache(maxsize=64)
def _smoothing(size: int, sigma: float) -> np.ndarray:
    reach = max(int(np.ceil(3 * sigma)), 1)
    at = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (at / sigma) ** 2)
    kernel /= kernel.sum()
    matrix = np.zeros((size, size), np.float32)
    source = np.clip(np.arange(size)[:, None] + at, 0, size - 1)
    np.add.at(matrix, (np.arange(size)[:, None], source), kernel)
    return matrix
