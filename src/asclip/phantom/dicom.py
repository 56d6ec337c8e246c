"""Films and CT slices as DICOM files: DX, CR and CT objects, explicit VR little endian.

Attributes follow DICOM PS3.3 A.26 (DX), A.2 (CR) and A.3 (CT), the encoding PS3.5 section 7.1.2
and the file's head PS3.10 section 7.1. All identifiers are synthetic, and the same study always
gives the same bytes. The few value representations in use are encoded here: a general writer
takes longer over a small film than its ray tracing may.
"""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

import numpy as np

from asclip.phantom.ct import Volume
from asclip.phantom.patients import Visit

SOP_CLASS = {
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "CT": "1.2.840.10008.5.1.4.1.1.2",
}
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
ORIENTATION = {"PA": ["L", "F"], "AP": ["L", "F"], "LATERAL": ["P", "F"]}
Value = str | int | bytes | list[str]
Elements = dict[tuple[int, str], Value]
"""Values by (tag, value representation)."""


def uid(*parts: object) -> str:
    """A unique identifier under 2.25 that depends on `parts` alone (PS3.5 B.2)."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"


def put(path: Path, data: bytes) -> None:
    """Write `path` in one step: it is absent, old, or complete."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def write_film(
    path: Path, film: np.ndarray, visit: Visit, *, view: str, pitch: float, burnt: bool = False
) -> None:
    """A film [H, W] uint16 as a DX object (CR for 12-bit units); `pitch` in mm at the detector.

    `burnt` says that the pixels hold a mark.
    """
    device = visit.device
    modality = "DX" if device.bits > 12 else "CR"
    spacing = [f"{pitch:.6f}"] * 2
    values: Elements = _common(visit, modality, view, 0) | {
        (0x00080008, "CS"): ["ORIGINAL", "PRIMARY", ""],
        (0x00081010, "SH"): device.name,
        (0x00180015, "CS"): "CHEST",
        (0x00181164, "DS"): spacing,
        (0x00185101, "CS"): "LL" if view == "LATERAL" else view,
        (0x00200020, "CS"): ORIENTATION[view],
        (0x00280004, "CS"): "MONOCHROME1" if device.inverted else "MONOCHROME2",
        (0x00280030, "DS"): spacing,
        (0x00280301, "CS"): "YES" if burnt else "NO",
        (0x00280A02, "CS"): "GEOMETRY",
        (0x00281050, "DS"): str(2 ** (device.bits - 1)),
        (0x00281051, "DS"): str(2**device.bits),
        (0x20500020, "CS"): "INVERSE" if device.inverted else "IDENTITY",
    }
    if modality == "DX":
        values |= {
            (0x00080068, "CS"): "FOR PRESENTATION",
            (0x00200062, "CS"): "L" if view == "LATERAL" else "U",
            (0x00281040, "CS"): "LOG",
        }
    put(path, encode(values | _pixels(film, bits=device.bits, signed=False)))


def write_ct(folder: Path, volume: Volume, visit: Visit) -> None:
    """A CT as a folder of slices, named by number from feet to head."""
    folder.mkdir(parents=True, exist_ok=True)
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    for k, hu in enumerate(volume.hu):
        corner = to_lps @ [0.0, 0.0, k, 1.0]
        values: Elements = _common(visit, "CT", "CT", k) | {
            (0x00080008, "CS"): ["ORIGINAL", "PRIMARY", "AXIAL"],
            (0x00180050, "DS"): f"{volume.spacing[0]:.4f}",
            (0x00180060, "DS"): "120",
            (0x00180088, "DS"): f"{volume.spacing[0]:.4f}",
            (0x00185100, "CS"): "HFS",
            (0x00200032, "DS"): [f"{v:.4f}" for v in corner[:3]],
            (0x00200037, "DS"): ["1", "0", "0", "0", "1", "0"],
            (0x00200052, "UI"): uid(*visit.seed, "frame"),
            (0x00201041, "DS"): f"{corner[2]:.4f}",
            (0x00280004, "CS"): "MONOCHROME2",
            (0x00280030, "DS"): [f"{volume.spacing[1]:.4f}", f"{volume.spacing[2]:.4f}"],
            (0x00281050, "DS"): ["40", "-600"],
            (0x00281051, "DS"): ["400", "1500"],
            (0x00281052, "DS"): "0",
            (0x00281053, "DS"): "1",
            (0x00281054, "LO"): "HU",
        }
        put(folder / f"{k:04d}.dcm", encode(values | _pixels(hu, bits=16, signed=True)))


def _common(visit: Visit, modality: str, series: str, number: int) -> Elements:
    """What all objects share: patient, study, series, equipment."""
    day = visit.day.strftime("%Y%m%d")
    return {
        (0x00080016, "UI"): SOP_CLASS[modality],
        (0x00080018, "UI"): uid(*visit.seed, series, number),
        (0x00080020, "DA"): day,
        (0x00080023, "DA"): day,
        (0x00080030, "TM"): "120000",
        (0x00080033, "TM"): "120000",
        (0x00080050, "SH"): "",
        (0x00080060, "CS"): modality,
        (0x00080070, "LO"): visit.device.maker,
        (0x00080080, "LO"): f"Phantom hospital {visit.site}",
        (0x00080090, "PN"): "",
        (0x00100010, "PN"): visit.patient,
        (0x00100020, "LO"): visit.patient,
        (0x00100030, "DA"): "",
        (0x00100040, "CS"): visit.person.sex,
        (0x00101010, "AS"): f"{visit.person.age:03d}Y",
        (0x00120062, "CS"): "YES",
        (0x00120063, "LO"): "synthetic",
        (0x0020000D, "UI"): uid(*visit.seed, "study"),
        (0x0020000E, "UI"): uid(*visit.seed, series),
        (0x00200010, "SH"): visit.study,
        (0x00200011, "IS"): "1",
        (0x00200013, "IS"): str(number + 1),
    }


def _pixels(pixels: np.ndarray, *, bits: int, signed: bool) -> Elements:
    """The image pixel module of `pixels` [H, W]."""
    return {
        (0x00280002, "US"): 1,
        (0x00280010, "US"): pixels.shape[0],
        (0x00280011, "US"): pixels.shape[1],
        (0x00280100, "US"): 16,
        (0x00280101, "US"): bits,
        (0x00280102, "US"): bits - 1,
        (0x00280103, "US"): int(signed),
        (0x7FE00010, "OW"): pixels.astype("<i2" if signed else "<u2").tobytes(),
    }


def encode(values: Elements) -> bytes:
    """A whole DICOM file: preamble, file meta information, data set in the order of tags."""
    meta: Elements = {
        (0x00020001, "OB"): b"\0\1",
        (0x00020002, "UI"): values[0x00080016, "UI"],
        (0x00020003, "UI"): values[0x00080018, "UI"],
        (0x00020010, "UI"): EXPLICIT_LITTLE_ENDIAN,
        (0x00020012, "UI"): uid("asclip phantom"),
    }
    head = b"".join(_element(*key, value) for key, value in meta.items())
    length = _element(0x00020000, "UL", struct.pack("<I", len(head)))
    body = b"".join(
        _element(*key, value) for key, value in sorted(values.items(), key=lambda item: item[0])
    )
    return b"\0" * 128 + b"DICM" + length + head + body


def _element(tag: int, vr: str, value: Value) -> bytes:
    """One element; text is padded to even length by a space, identifiers by a zero byte."""
    if isinstance(value, int):
        raw = struct.pack("<H", value)
    elif isinstance(value, bytes):
        raw = value
    else:
        text = value if isinstance(value, str) else "\\".join(value)
        raw = text.encode("ascii")
        if len(raw) % 2:
            raw += b"\0" if vr == "UI" else b" "
    start = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in ("OB", "OW"):
        return start + struct.pack("<HI", 0, len(raw)) + raw
    return start + struct.pack("<H", len(raw)) + raw
