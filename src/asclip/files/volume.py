"""NIfTI and NRRD -> `Image` with an affine to RAS+ mm. Needs nibabel, pynrrd.

Pixels keep the file's own index order [I, J, K]; NIfTI values are scaled by scl_slope and
scl_inter (float32), NRRD values are as stored. Neither format names a modality.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from asclip.errors import FileError
from asclip.files.geometry import LPS_TO_RAS, voxel_spacing
from asclip.types import Image

MILLIMETRES = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}
NRRD_UNITS = {"": 1.0, "mm": 1.0, "millimeter": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001}


def read_nifti(path: str | Path, *, index: int | None = None) -> Image:
    """A NIfTI-1 or NIfTI-2 file (.nii, .nii.gz, or the .hdr of a pair); name does not matter.

    Of a file with a fourth axis (time, direction) `index` chooses a volume, by default the first.
    `windows` holds cal_min and cal_max where they are set.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    path = Path(path)
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            content = gzip.decompress(raw.read()) if zipped else raw.read()
        kind: Any = nibabel.Nifti2Image if content[:4] in _HEADER_2 else nibabel.Nifti1Image
        if content[344:348] == b"ni1\0":
            kind = nibabel.Nifti1Pair
        image = kind.load(path) if kind is nibabel.Nifti1Pair else kind.from_bytes(content)
        data = _chosen(image.dataobj, index)
        affine = np.array(image.affine, float)
        unit = MILLIMETRES.get(str(image.header.get_xyzt_units()[0]), 1.0)
        window = float(image.header["cal_min"]), float(image.header["cal_max"])
    except (OSError, EOFError, ValueError, zlib.error, KeyError, ImageFileError) as error:
        raise FileError(
            f"a NIfTI file that is damaged or truncated ({type(error).__name__}); copy it again"
        ) from None
    affine[:3] *= unit
    windows = (window,) if window[0] < window[1] else ()
    return Image(data, "", voxel_spacing(affine), affine, windows)


_HEADER_2 = ((540).to_bytes(4, "little"), (540).to_bytes(4, "big"))


def _chosen(proxy: Any, index: int | None) -> np.ndarray:
    """One volume [I, J, K] as float32 of a NIfTI array of three or four axes."""
    shape = tuple(proxy.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) not in (2, 3, 4) or 0 in shape:
        raise FileError(f"a volume must have three axes; this file has the shape {proxy.shape}")
    count = shape[3] if len(shape) == 4 else 1
    place = 0 if index is None else index
    if not 0 <= place < count:
        raise FileError(
            f"the file has {count} volumes; index must be 0 to {count - 1}, not {place}"
        )
    spare = len(proxy.shape) - 4
    data = proxy[(..., place, *([0] * spare))] if len(proxy.shape) > 3 else proxy[...]
    data = np.asarray(data)
    if data.dtype.names is not None or data.dtype.kind not in "iufb":
        raise FileError("a volume must be grey; this file holds colour or complex numbers")
    data = data.astype(np.float32, copy=False)
    return data[..., None] if data.ndim == 2 else data


def read_nrrd(path: str | Path) -> Image:
    """An NRRD file with three spatial axes; raw, text, gzip and bzip2 encodings, attached data.

    Space "left-posterior-superior", "right-anterior-superior" or "left-anterior-superior" is
    turned into RAS+. Values keep their dtype.
    """
    import nrrd

    try:
        with Path(path).open("rb") as file:
            header = nrrd.read_header(file)
            _refuse_detached(header)
            data = nrrd.read_data(header, file, index_order="F")
    except (OSError, EOFError, ValueError, KeyError, zlib.error, nrrd.NRRDError) as error:
        raise FileError(
            f"an NRRD file that is damaged or truncated ({type(error).__name__}); copy it again"
        ) from None
    directions = header.get("space directions")
    signs = _nrrd_signs(str(header.get("space", "")))
    if data.ndim != 3 or directions is None or np.shape(directions) != (3, 3):
        raise FileError(
            f"an NRRD volume must have three axes with 'space directions'; this has the shape "
            f"{data.shape}"
        )
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(directions, float).T
    affine[:3, 3] = np.asarray(header.get("space origin", (0, 0, 0)), float)
    affine[:3] *= signs[:, None]
    units = header.get("space units") or [""]
    affine[:3] *= NRRD_UNITS.get(str(units[0]).strip('"'), 1.0)
    return Image(data, "", voxel_spacing(affine), affine)


def _refuse_detached(header: Any) -> None:
    if any(name in header for name in ("data file", "datafile")):
        # A header may name any path on the machine; only data inside the file is read.
        raise FileError("an NRRD header with its data in another file; join them into one .nrrd")


def _nrrd_signs(space: str) -> np.ndarray:
    """Signs that turn the named space into RAS+; time axes and scanner spaces are refused."""
    known = {
        "left-posterior-superior": LPS_TO_RAS,
        "lps": LPS_TO_RAS,
        "right-anterior-superior": np.ones(3),
        "ras": np.ones(3),
        "left-anterior-superior": np.array([-1.0, 1.0, 1.0]),
        "las": np.array([-1.0, 1.0, 1.0]),
    }
    if space.lower() not in known:
        raise FileError(
            f"an NRRD volume must name its space, one of {sorted(known)}; got {space[:40]!r}"
        )
    return known[space.lower()]
