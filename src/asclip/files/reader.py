"""One door for every file: look at the first bytes, then let the right module read it.

The extension is not asked: a PNG named .dcm is read as a PNG. Read are DICOM (a file, or a folder
with one series), NIfTI, NRRD, PNG, JPEG, TIFF, BMP, GIF, WebP and JPEG 2000.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from asclip.errors import FileError
from asclip.files.wavelet import Coarser
from asclip.types import Image

RASTER = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"BM",
    b"GIF8",
    b"\0\0\0\x0cjP  ",
    b"\xff\x4f\xff\x51",
)
REFUSED = (
    (b"PK\x03\x04", "a ZIP archive; unpack it first"),
    (b"%PDF", "a PDF document, not an image"),
    (b"\x89HDF", "an HDF5 file; export it as NIfTI or DICOM"),
    (b"Salted__", "an encrypted file (OpenSSL); decrypt it first"),
    (b"-----BEGIN PGP", "an encrypted file (PGP); decrypt it first"),
    (b"ObjectType", "a MetaImage file; convert it to NIfTI or NRRD"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it first"),
    (b"SIMPLE  =", "a FITS file; export it as NIfTI or PNG"),
)
# Object identifiers of CMS content, 1.2.840.113549.1.7.x: DICOM's secure media (PS3.15 annex D).
CMS = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07"
NIFTI_1, NIFTI_2 = (b"n+1\0", b"ni1\0"), (b"n+2\0", b"ni2\0")
HEAD = 1024


def read(path: str | Path, *, index: int | None = None, coarser: Coarser | None = None) -> Image:
    """The image or volume at `path`; see `Image` for shapes, units and axes.

    `index` chooses, counted from 0: a frame of a multi-frame DICOM file (default: the volume, or
    the middle frame where frames have no place in the patient), a series of a folder, a volume of
    a 4-D NIfTI file (default: the first), a page of a TIFF (default: the first).
    `coarser` (`Preprocessing.coarser`) lets a JPEG 2000 film be decoded at a lower resolution.

    Raises `FileError` with the reason: missing, empty, truncated, encrypted, no pixels, not an
    image object, several series, missing slices, unknown format.
    """
    path = Path(path)
    if path.is_dir():
        from asclip.files import dicom

        return dicom.read_series(path, index=index)
    kind = sniff(path)
    if kind == "dicom":
        from asclip.files import dicom

        return dicom.read(path, index=index, coarser=coarser)
    if kind in ("nifti", "nrrd"):
        from asclip.files import volume

        if kind == "nifti":
            return volume.read_nifti(path, index=index)
        _only_first(index)
        return volume.read_nrrd(path)
    from asclip.files import raster

    return raster.read(path, index=index)


def _only_first(index: int | None) -> None:
    if index not in (None, 0):
        raise FileError(f"the file has one volume; index must be 0, not {index}")


def sniff(path: str | Path) -> str:
    """What a file is by its content: "dicom", "nifti", "nrrd" or "raster".

    Raises `FileError` for an empty file and for anything else.
    """
    head = _head(Path(path))
    if not head:
        raise FileError("the file is empty (0 bytes)")
    if head[128:132] == b"DICM" or _bare_dicom(head):
        return "dicom"
    if head.startswith(b"NRRD000"):
        return "nrrd"
    if _nifti(_unzipped(head)):
        return "nifti"
    if head.startswith(RASTER) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "raster"
    for start, reason in REFUSED:
        if head.startswith(start):
            raise FileError(reason)
    if head[:1] == b"\x30" and CMS in head[:64]:
        raise FileError("an encrypted or signed file (CMS envelope); decrypt it first")
    if not any(head):
        raise FileError("the file begins with zeros only; it was probably not copied completely")
    raise FileError(
        "an unknown kind of file; DICOM, NIfTI, NRRD, PNG, JPEG, TIFF, BMP, GIF and WebP are read"
    )


def is_dicom(path: str | Path) -> bool:
    """True where the content is DICOM, with or without the 128-byte preamble."""
    head = _head(Path(path))
    return head[128:132] == b"DICM" or _bare_dicom(head)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except FileNotFoundError:
        raise FileError("no such file") from None
    except OSError as error:
        raise FileError(f"the file cannot be opened ({type(error).__name__})") from None


def _bare_dicom(head: bytes) -> bool:
    """A data set without preamble begins with an element of group 2 or 8, little endian."""
    if len(head) < 12 or head[:2] not in (b"\x02\x00", b"\x08\x00") or head[3] != 0:
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    implicit = int.from_bytes(head[4:8], "little") < 256
    return head[2] <= 0x18 and (explicit or implicit)


def _unzipped(head: bytes) -> bytes:
    """The first bytes inside a gzip stream, or `head` itself."""
    if head[:2] != b"\x1f\x8b":
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD)
    except zlib.error:
        return b""


def _nifti(head: bytes) -> bool:
    return head[344:348] in NIFTI_1 or head[4:8] in NIFTI_2
