"""DICOM files -> cached array: `asclip ingest` against a plain pydicom + Pillow loop.

    python benchmarks/ingest.py --files 400 --out ingest.json

The loop is what one writes by hand: `dcmread(path).pixel_array`, rescale, the file's window, 8
bits, Pillow resize into one array. Both read the same generated 16-bit films of 512 to 1024 px, a
third each uncompressed, RLE and JPEG 2000 lossless, to the same size, window and filter; the
pixels are compared. Ingest also hashes each file and each item, journals, finds copies and writes
tables. Each figure is the better of the rounds, taken in turn, files in the page cache.
`cpu_ratio` is the loop's processor time over ingest's, all processes together: what is left of
the ratio on a machine that is busy with other things.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from openjpeg import encode
from PIL import Image as Pillow
from pydicom import dcmread
from pydicom.dataset import Dataset as Header
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    generate_uid,
)

from asclip.data.ingest import ingest
from asclip.data.pool import count
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing

SYNTAXES = {
    "uncompressed": ExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg2000": JPEG2000Lossless,
}
SIDES = (512, 640, 768, 896, 1024)


def film(side: int, rng: np.random.Generator) -> np.ndarray:
    """A smooth body with noise, uint16 of 12 bits, [side, side]."""
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    centre = rng.uniform(-0.3, 0.3, (12, 2))
    width = rng.uniform(0.05, 0.5, 12)
    body = sum(
        np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / w)
        for (y, x), w in zip(centre, width, strict=True)
    )
    pixels = 300 * np.asarray(body) + rng.normal(0, 12, (side, side)) + 200
    return pixels.clip(0, 4095).astype(np.uint16)


def write_film(path: Path, pixels: np.ndarray, syntax: str) -> None:
    """Write one computed-radiography object."""
    header = Header()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID = ComputedRadiographyImageStorage
    header.SOPInstanceUID = generate_uid()
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.Modality, header.ViewPosition, header.PatientID = "CR", "PA", "bench"
    header.Rows, header.Columns = pixels.shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
    header.PixelRepresentation = 0
    header.PixelSpacing = [0.2, 0.2]
    header.RescaleSlope, header.RescaleIntercept = 1, 0
    header.WindowCenter, header.WindowWidth = 1500, 3000
    header.PixelData = pixels.tobytes()
    header["PixelData"].VR = "OW"
    if syntax == RLELossless:
        header.compress(syntax, pixels)
    elif syntax == JPEG2000Lossless:
        # Straight from OpenJPEG: pydicom's own encoder wants one more package.
        header.PixelData = encapsulate([encode(pixels, bits_stored=12)])
        header["PixelData"].is_undefined_length = True
        header.file_meta.TransferSyntaxUID = syntax
    header.save_as(path, enforce_file_format=True)


def generate(folder: Path, num_files: int, seed: int) -> dict[str, Path]:
    """Films and one table per syntax, and "mix" with all of them."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[str]] = {name: [] for name in (*SYNTAXES, "mix")}
    for number in range(num_files):
        name = tuple(SYNTAXES)[number % len(SYNTAXES)]
        path = folder / f"{number:05d}.dcm"
        write_film(path, film(SIDES[number % len(SIDES)], rng), SYNTAXES[name])
        for key in (name, "mix"):
            rows[key].append(f"{path.name},film {number},p{number}")
    tables = {}
    for name, found in rows.items():
        tables[name] = folder / f"{name}.csv"
        tables[name].write_text("\n".join(["image,text,patient", *found]) + "\n")
    return tables


def plain_loop(paths: list[Path], size: tuple[int, int]) -> np.ndarray:
    """What one writes by hand; uint8 [n, H, W]."""
    result = np.empty((len(paths), *size), np.uint8)
    for number, path in enumerate(paths):
        header = dcmread(path)
        pixels = header.pixel_array.astype(np.float32)
        pixels = pixels * float(header.RescaleSlope) + float(header.RescaleIntercept)
        low = float(header.WindowCenter) - 0.5 - (float(header.WindowWidth) - 1) / 2
        grey = ((pixels - low) / (float(header.WindowWidth) - 1)).clip(0, 1) * 255
        picture = Pillow.fromarray((grey + 0.5).astype(np.uint8))
        result[number] = np.asarray(picture.resize(size[::-1], Pillow.Resampling.BILINEAR))
    return result


def processor_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def compare(table: Path, folder: Path, size: int, rounds: int) -> dict[str, float]:
    """Files per second of both, and how far their pixels are apart (grey levels of 255)."""
    names = [line.split(",")[0] for line in table.read_text().splitlines()[1:]]
    paths = [table.parent / name for name in names]
    plain = ours = plain_cpu = ours_cpu = float("inf")
    apart = 0.0
    for number in range(rounds):
        begun, begun_cpu = time.perf_counter(), processor_seconds()
        expected = plain_loop(paths, (size, size))
        plain = min(plain, time.perf_counter() - begun)
        plain_cpu = min(plain_cpu, processor_seconds() - begun_cpu)
        begun, begun_cpu = time.perf_counter(), processor_seconds()
        out = folder / f"{table.stem}-{number}"
        data = ingest(Table(table), out, Preprocessing(size=(size, size)))
        ours = min(ours, time.perf_counter() - begun)
        ours_cpu = min(ours_cpu, processor_seconds() - begun_cpu)
        apart = max(apart, float(np.abs(expected.astype(int) - data.pixels).mean()))
    return {
        "files": len(paths),
        "plain_per_second": round(len(paths) / plain, 1),
        "asclip_per_second": round(len(paths) / ours, 1),
        "ratio": round(plain / ours, 2),
        "cpu_ratio": round(plain_cpu / ours_cpu, 2),
        "mean_difference_grey_levels": round(apart, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = generate(folder, options.files, options.seed)
        result = {
            "benchmark": "ingest",
            "processes": count(None),
            "machine_processors": os.cpu_count(),
            "size": options.size,
            "results": {
                kind: compare(table, folder, options.size, options.rounds)
                for kind, table in sorted(tables.items(), key=lambda item: item[0] != "mix")
            },
        }
        result["ratio"] = result["results"]["mix"]["ratio"]
    text = json.dumps(result, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
