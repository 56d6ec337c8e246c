"""Files of a signal over time (an ECG, a pressure curve) -> `Signal` [L, T] with Hz and unit.

Read are .npy ([L, T] or [T], numbers), delimited text (a column a lead, a row a sample, a header
or none) and DICOM waveforms (PS3.3 C.10.9). A file's content decides, not its name. Every refusal
is a `FileError` that says the reason and quotes nothing of the file.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from asclip.errors import FileError
from asclip.files.dicom_header import reading
from asclip.files.reader import is_dicom
from asclip.types import Signal

NPY = b"\x93NUMPY"
DELIMITERS = ("\t", ";", ",", " ")
TIMES = ("t", "time", "seconds", "s", "ms", "sample", "samples", "index")
MILLIVOLTS = {"V": 1e3, "mV": 1.0, "uV": 1e-3, "nV": 1e-6}  # codes of UCUM, PS3.16 CID 3082
BIGGEST = 1 << 30  # bytes of a text file: a year of one lead at 1 Hz is a third of it


def read_signal(path: str | Path) -> Signal:
    """The signal at `path`; of a DICOM file with several groups of channels the first one.

    NaN, an empty cell of a table and a DICOM padding value are samples that are not known. Only
    DICOM says Hz and unit: its channels become mV where all of them are volts.

    Raises:
        FileError: missing, empty, damaged, another shape, no number at all, infinite values, a
            pickle (it is never opened).
    """
    path = Path(path)
    if path.is_dir():
        raise FileError("a signal must be one file, got a folder")
    try:
        with path.open("rb") as file:
            head = file.read(len(NPY))
    except FileNotFoundError:
        raise FileError("no such file") from None
    except OSError as error:
        raise FileError(f"the file cannot be opened ({type(error).__name__})") from None
    if not head:
        raise FileError("the file is empty (0 bytes)")
    if is_dicom(path):
        return _dicom(path)
    return Signal(_checked(_npy(path) if head == NPY else _text(path)))


def _npy(path: Path) -> np.ndarray:
    try:
        # Mapped, so that a header that promises more than there is asks for no memory.
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError, TypeError):
        raise FileError(
            "the .npy file must hold an array of numbers; it is damaged, cut short or a pickle, "
            "which is never opened; save it again with numpy.save(path, array)"
        ) from None
    if found.dtype.kind not in "iuf":
        raise FileError(f"the array must hold real numbers, got {found.dtype}")
    return np.asarray(found)


def _text(path: Path) -> np.ndarray:
    """[L, T] of a table with a column a lead."""
    import pandas as pd

    if path.stat().st_size > BIGGEST:
        raise FileError("a signal as text must be below 1 GiB; save it as .npy")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError("must be .npy, a table of numbers in UTF-8, or DICOM; it is none") from None
    lines = text.split("\n", 2)
    first = lines[0].strip()
    sign = next((one for one in DELIMITERS if one in first), ",")
    comma = sign not in (",", " ") and "," in "".join(lines[1:2])
    names = [cell.strip().strip('"').lower() for cell in first.split(sign)]
    header = not all(_is_number(name, comma) for name in names)
    if header and names[0] in TIMES:
        raise FileError(
            f"each column must be a lead, the first is {names[0]!r}; leave it out of the file and "
            "say the Hz with --signal-rate"
        )
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=r"\s+" if sign == " " else sign,
            decimal="," if comma else ".",
            header=None,
            skiprows=int(header),
            dtype=np.float64,
            skip_blank_lines=len(names) > 1,  # of one lead, an empty line is an unknown sample
        )
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError):
        raise FileError(
            "must be .npy, DICOM, or a table with a number or nothing in each cell, as many in "
            "each row, below at most one header; it is none of them"
        ) from None
    if frame.shape[1] != len(names):
        raise FileError(f"each row must have {len(names)} cells as the first, got {frame.shape[1]}")
    return frame.to_numpy().T


def _is_number(word: str, comma: bool) -> bool:
    try:
        float(word.replace(",", ".") if comma else word or "nan")
    except ValueError:
        return False
    return True


def _dicom(path: Path) -> Signal:
    from pydicom import dcmread

    with reading():
        groups = dcmread(path, force=True).get("WaveformSequence")
        if not groups:
            raise FileError("the DICOM file holds no waveform; map it to image if it is one")
        values, rate, unit = _channels(groups[0])
    return Signal(_checked(values), rate if rate > 0 else float("nan"), unit)


def _channels(group: Any) -> tuple[np.ndarray, float, str]:
    """Values [L, T], Hz and unit of a multiplex group."""
    from pydicom.waveforms.numpy_handler import WAVEFORM_DTYPES

    leads, samples = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    stored_as = group.WaveformBitsAllocated, group.WaveformSampleInterpretation
    kind = np.dtype(WAVEFORM_DTYPES[stored_as])
    stored = np.frombuffer(group.WaveformData, kind, leads * samples).reshape(samples, leads).T
    values = stored.astype(np.float64)
    units = [_unit(channel) for channel in group.ChannelDefinitionSequence]
    volts = len(units) == leads and all(unit in MILLIVOLTS for unit in units)
    for lead, channel in enumerate(group.ChannelDefinitionSequence):
        gain = float(channel.get("ChannelSensitivity", 1.0))
        gain *= float(channel.get("ChannelSensitivityCorrectionFactor", 1.0))
        values[lead] = values[lead] * gain + float(channel.get("ChannelBaseline", 0.0))
        if volts:
            values[lead] *= MILLIVOLTS[units[lead]]
    padding = group.get("WaveformPaddingValue")
    if padding is not None:
        values[stored == np.frombuffer(padding[: kind.itemsize], kind)] = np.nan
    return values, float(group.get("SamplingFrequency", np.nan)), "mV" if volts else ""


def _unit(channel: Any) -> str:
    codes = channel.get("ChannelSensitivityUnitsSequence")
    return str(codes[0].CodeValue) if codes else ""


def _checked(values: np.ndarray) -> np.ndarray:
    """[L, T] float32 with at least one number.

    Raises:
        FileError: what must hold and what was got.
    """
    if values.ndim not in (1, 2) or not values.size:
        raise FileError(f"a signal must be [leads, samples] or [samples], got {values.shape}")
    values = np.atleast_2d(values)
    if values.shape[0] > values.shape[1]:
        raise FileError(
            f"a signal must be [leads, samples], got {values.shape}: more leads than samples; "
            "transpose it"
        )
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    if np.isinf(values).any():
        raise FileError("a signal must be finite; it has infinite values, put NaN in their place")
    if np.isnan(values).all():
        raise FileError("no sample of the signal is a number (all are NaN)")
    return values
