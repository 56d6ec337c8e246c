"""A 12-lead ECG [12, 2500] in mV at 250 Hz that goes with the person and the findings.

A beat is a sum of Gaussians, P Q R S T, as in McSharry et al. 2003 (doi 10.1109/TBME.2003.808805),
here of a dipole in space: each wave has a direction (to the patient's left, down, forward), so that
Einthoven's II = I + III holds and the axis can be turned. Rate, axis and voltage are the person's
own and change with what was found:

    pleural effusion    low voltage              cardiomegaly   left axis, high voltage
    pulmonary oedema    fast, 20-40 more a minute               consolidation   10-25 more

This is no model of an illness: it has what a tower can learn and a person can see, no more.
"""

from __future__ import annotations

import numpy as np

from asclip.phantom.patients import Visit

RATE, SECONDS = 250, 10.0
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
# Wave: mV, seconds after R at 60 a minute, width in s, degrees in the frontal plane off the axis of
# QRS (positive is clockwise), share of it that points forward. P comes from elsewhere: see ATRIA.
WAVES = {
    "P": (0.14, -0.17, 0.022, 0.0, 0.1),
    "Q": (0.13, -0.030, 0.009, 150.0, 0.55),
    "R": (1.05, 0.0, 0.011, 0.0, -0.15),
    "S": (0.30, 0.030, 0.011, 170.0, -0.75),
    "T": (0.28, 0.29, 0.048, -8.0, 0.35),
}
ATRIA = 55.0  # axis of P in degrees, whatever the ventricles do
CHEST = {"V1": 115.0, "V2": 95.0, "V3": 75.0, "V4": 55.0, "V5": 25.0, "V6": 0.0}
NEAR = 1.4  # chest electrodes lie nearer to the heart


def record(visit: Visit, rng: np.random.Generator) -> np.ndarray:
    """The ECG of a visit, float32 [12, 2500] in mV; `rng` draws beats and noise."""
    rate, axis, voltage = traits(visit)
    time = np.arange(round(RATE * SECONDS)) / RATE
    dipole = np.zeros((3, len(time)))
    beat = -rng.uniform(0.0, 60.0 / rate)
    breath = rng.uniform(0.0, 2 * np.pi)
    while beat < SECONDS + 1.0:
        interval = 60.0 / rate * (1 + 0.03 * np.sin(2 * np.pi * 0.25 * beat + breath))
        interval *= 1 + rng.normal(0.0, 0.008)
        for wave, (mv, after, width, turn, forward) in WAVES.items():
            # A fast heart shortens what lies between the waves, by the root as in Bazett's rule.
            centre = beat + after * np.sqrt(interval)
            angle = np.deg2rad((ATRIA if wave == "P" else axis) + turn)
            flat = np.sqrt(1 - forward**2)
            way = np.array([flat * np.cos(angle), flat * np.sin(angle), forward])
            bell = np.exp(-0.5 * ((time - centre) / width) ** 2)
            dipole += mv * voltage * way[:, None] * bell
        beat += interval
    found = _directions() @ dipole
    drift = rng.uniform(0.1, 0.35), rng.uniform(0, 2 * np.pi, len(LEADS))
    found += 0.05 * np.sin(2 * np.pi * drift[0] * time + drift[1][:, None])
    return (found + rng.normal(0.0, 0.012, found.shape)).astype(np.float32)


def traits(visit: Visit) -> tuple[float, float, float]:
    """Beats a minute, QRS axis in degrees (0 to the left, 90 down) and voltage of a visit."""
    own = np.random.default_rng([visit.person.seed, 7])  # of the person: the same at each visit
    rate, axis = own.normal(72.0, 8.0), own.normal(50.0, 14.0) - 0.3 * (visit.person.age - 50)
    voltage = own.normal(1.0, 0.1) * (1 - 0.006 * (visit.person.fat - 16))
    grade = {finding.name: finding.grade for finding in visit.findings}
    if "pleural effusion" in grade:
        voltage *= 0.65 - 0.2 * grade["pleural effusion"]
    if "cardiomegaly" in grade:
        axis -= 50 + 25 * grade["cardiomegaly"]
        voltage *= 1.5 + 0.4 * grade["cardiomegaly"]
    if "pulmonary oedema" in grade:
        rate += 20 + 20 * grade["pulmonary oedema"]
    if "consolidation" in grade:
        rate += 10 + 15 * grade["consolidation"]
    return float(np.clip(rate, 45, 160)), float(axis), float(np.clip(voltage, 0.25, 2.5))


def _directions() -> np.ndarray:
    """[12, 3] what each lead sees of a dipole (left, down, forward)."""
    one, three = np.array([1.0, 0.0, 0.0]), np.array([-0.5, np.sqrt(0.75), 0.0])
    two = one + three
    limbs = [one, two, three, -(one + two) / 2, (one - three) / 2, (two + three) / 2]
    angles = np.deg2rad(list(CHEST.values()))
    chest = NEAR * np.stack([np.cos(angles), 0.25 * np.ones(6), np.sin(angles)], 1)
    return np.concatenate([np.stack(limbs), chest])
