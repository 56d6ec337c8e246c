"""What this machine offers: packages, extras, DICOM decoders, cores, memory, disk and speed."""

from __future__ import annotations

import math
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

GIB = 2**30
GROUPS = ("python", "packages", "extras", "decoders", "machine", "speed")
# The transfer syntaxes of DICOM PS3.5 section 10 that hospital archives use, by UID.
TRANSFER_SYNTAXES = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.51": "JPEG Extended",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless P14",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless SV1",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.5": "RLE Lossless",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor: `ok` None means a matter of choice, `remedy` says what to run."""

    group: str
    name: str
    value: str
    ok: bool | None = True
    remedy: str = ""


def examine(*, speed: bool = True) -> list[Finding]:
    """Every finding, in the order of `GROUPS`; a few seconds with `speed`, about one without."""
    parts: list[Callable[[], Iterator[Finding]]] = [_python, _packages, _decoders, _machine]
    if speed:
        parts.append(_speed)
    found = [finding for part in parts for finding in part()]
    return sorted(found, key=lambda finding: GROUPS.index(finding.group))


def healthy(findings: list[Finding]) -> bool:
    """True when nothing that Asclip needs is missing."""
    return all(finding.ok is not False for finding in findings)


def to_json(findings: list[Finding]) -> dict[str, object]:
    """The findings as plain values: {"healthy": bool, "findings": [...]}."""
    return {"healthy": healthy(findings), "findings": [asdict(finding) for finding in findings]}


def table(findings: list[Finding]) -> Table:
    """The findings as a table for a terminal."""
    from rich.table import Table
    from rich.text import Text

    marks = {True: Text("ok", "green"), False: Text("MISSING", "bold red"), None: Text("-", "dim")}
    result = Table(box=None, pad_edge=False)
    for head in ("", "what", "found", "to do"):
        result.add_column(head, overflow="fold")
    group = ""
    for finding in findings:
        if finding.group != group:
            group = finding.group
            result.add_row("", Text(group, "bold"), "", "")
        # Text, not str: '[timm]' in a line would be read as markup.
        cells = (Text("  " + finding.name), Text(finding.value), Text(finding.remedy))
        result.add_row(marks[finding.ok], *cells)
    return result


def _python() -> Iterator[Finding]:
    enough = sys.version_info >= (3, 11)
    system = f"{platform.system()} {platform.machine()}"
    remedy = "" if enough else "Asclip needs Python 3.11 or newer"
    yield Finding("python", "Python", f"{platform.python_version()} on {system}", enough, remedy)


def _packages() -> Iterator[Finding]:
    try:
        required = metadata.requires("asclip") or []
        own = metadata.version("asclip")
    except metadata.PackageNotFoundError:
        remedy = "in the project's folder: pip install -e ."
        yield Finding("packages", "asclip", "not installed", False, remedy)
        return
    yield Finding("packages", "asclip", own)
    extras: dict[str, list[str]] = {}
    for line in required:
        specifier, _, marker = line.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
        if extra:
            extras.setdefault(extra.group(1), []).append(specifier.strip())
        else:
            yield _package(specifier.strip())
    for extra_name, specifiers in sorted(extras.items()):
        found = [_package(specifier) for specifier in specifiers]
        complete = all(one.ok for one in found)
        value = ", ".join(f"{one.name} {one.value}" for one in found)
        remedy = "" if complete else f"pip install 'asclip[{extra_name}]'"
        yield Finding("extras", extra_name, value, True if complete else None, remedy)


def _package(specifier: str) -> Finding:
    name = re.split(r"[\s<>=!~\[(]", specifier, maxsplit=1)[0]
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding("packages", name, "not installed", False, f"pip install '{specifier}'")
    least = re.search(r">=\s*([\d.]+)", specifier)
    if least and _numbers(version) < _numbers(least.group(1)):
        value = f"{version}, older than {least.group(1)}"
        return Finding("packages", name, value, False, f"pip install -U '{specifier}'")
    return Finding("packages", name, version)


def _numbers(version: str) -> tuple[int, ...]:
    """Leading numbers of a version, padded: enough for the plain >= bounds of this package."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    parts = [int(part) for part in found.group().split(".")] if found else [0]
    return tuple(parts + [0] * (4 - len(parts)))


def _decoders() -> Iterator[Finding]:
    try:
        from pydicom.pixels.decoders.base import get_decoder
    except ImportError:
        yield Finding("decoders", "pydicom", "not installed", False, "pip install pydicom")
        return
    for uid, name in TRANSFER_SYNTAXES.items():
        decoder = get_decoder(uid)
        if decoder.is_available:
            plugins = ", ".join(decoder.available_plugins) or "pydicom itself"
            yield Finding("decoders", name, plugins)
        else:
            needs = "; ".join(decoder.missing_dependencies)
            remedy = "pip install --force-reinstall asclip"
            yield Finding("decoders", name, f"none ({needs})", False, remedy)


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("machine", "cores", f"{cores}", True)
    total, free = _memory()
    if math.isnan(total):
        yield Finding("machine", "memory", "unknown", None)
    else:
        remedy = "" if total >= 4 else "4 GiB or more are needed to train"
        value = f"{free:.1f} GiB free of {total:.1f} GiB"
        yield Finding("machine", "memory", value, total >= 4, remedy)
    disk = shutil.disk_usage(Path.cwd())
    roomy = disk.free >= 2 * GIB
    remedy = "" if roomy else "2 GiB or more are needed for data and runs"
    value = f"{disk.free / GIB:.1f} GiB free of {disk.total / GIB:.1f} GiB here"
    yield Finding("machine", "disk", value, roomy, remedy)


def _memory() -> tuple[float, float]:
    """(total, free) in GiB, within the limit of a container; NaN where the system is silent."""
    total = free = float("nan")
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        total, free = (float(lines[k].split()[0]) / 2**20 for k in ("MemTotal", "MemAvailable"))
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = float(Path("/sys/fs/cgroup/memory.current").read_text()) / GIB
        if limit != "max" and float(limit) / GIB < total:
            total = float(limit) / GIB
            free = min(free, total - used)
    except (OSError, ValueError, KeyError):
        pass  # not Linux, or no control group: what was read until here is still true
    return total, free


def _speed() -> Iterator[Finding]:
    try:
        import torch
    except ImportError:
        yield Finding("speed", "torch", "not installed", False, "pip install 'asclip'")
        return
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        value = f"{properties.name}, {properties.total_memory / GIB:.0f} GiB"
        yield Finding("speed", "GPU", value)
    else:
        yield Finding("speed", "GPU", "none; training runs on the CPU", None)
    from asclip import speed

    device = "cuda" if torch.cuda.is_available() else "cpu"
    yield Finding("speed", "bfloat16 instructions", speed.bfloat16(device), None)
    rates = {kind: speed.matrix_product(device, kind) for kind in ("float32", "bfloat16")}
    for kind, rate in rates.items():
        yield Finding("speed", f"matrix product {kind}", f"{rate:,.0f} GFLOP/s")
    ratio = rates["bfloat16"] / rates["float32"]
    yield Finding("speed", "bfloat16 over float32", f"{ratio:.1f} times", None)
    yield Finding(
        "speed", "training of the tiny tower", f"{speed.images(device):,.0f} images/s at 128 px"
    )
