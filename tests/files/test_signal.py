from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from asclip.errors import FileError
from asclip.files.signal import read_signal

VALUES = np.arange(24, dtype=np.float32).reshape(2, 12) / 8


def npy(path: Path, values: object) -> Path:
    with path.open("wb") as file:
        np.save(file, values, allow_pickle=True)
    return path


def waveform(
    path: Path, *, unit: str = "uV", padding: int | None = None, **changes: object
) -> Path:
    """A 12-lead ECG object of two channels with gains 2.5 and 5 `unit` a bit, at 500 Hz."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.9.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, generate_uid()
    data.PatientName = "Doe^Jane"
    group = Dataset()
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = 2, 12
    group.SamplingFrequency = "500"
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    channels = []
    for gain, baseline in ((2.5, 0.0), (5.0, 100.0)):
        channel, code = Dataset(), Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, "UCUM", unit
        channel.ChannelSensitivity, channel.ChannelBaseline = gain, baseline
        channel.ChannelSensitivityCorrectionFactor = 1
        channel.ChannelSensitivityUnitsSequence = [code]
        channels.append(channel)
    group.ChannelDefinitionSequence = channels
    stored = np.arange(-12, 12, dtype="<i2").reshape(2, 12)
    group.WaveformData = np.ascontiguousarray(stored.T).tobytes()
    group["WaveformData"].VR = "OW"
    if padding is not None:
        group.WaveformPaddingValue = np.array([padding], "<i2").tobytes()
        group["WaveformPaddingValue"].VR = "OW"
    for name, value in changes.items():
        setattr(group, name, value)
    data.WaveformSequence = [group]
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int16", ">f4"])
def test_arrays_of_any_number_are_read_as_leads_by_samples(tmp_path: Path, dtype: str) -> None:
    whole = (VALUES * 8).astype(dtype)
    found = read_signal(npy(tmp_path / "a", whole))
    assert (found.values.dtype, found.unit) == (np.float32, "")
    assert np.isnan(found.rate)
    np.testing.assert_array_equal(found.values, VALUES * 8)
    np.testing.assert_array_equal(read_signal(npy(tmp_path / "b", whole[1])).values, VALUES[1:] * 8)


def test_unknown_samples_stay_unknown(tmp_path: Path) -> None:
    values = VALUES.copy()
    values[0, 3] = np.nan
    np.testing.assert_array_equal(read_signal(npy(tmp_path / "a.npy", values)).values, values)


@pytest.mark.parametrize(
    "text",
    [
        "I,II\n0,1.5\n0.125,1.625\n,1.75\n",
        "0,1.5\n0.125,1.625\nnan,1.75\n",
        '\ufeff"I";"II"\r\n0;1,5\r\n0,125;1,625\r\n;1,75\r\n',
        "I\tII\n0\t1.5\n0.125\t1.625\n\t1.75\n",
        "0 1.5\n0.125 1.625\nnan 1.75",
    ],
)
def test_tables_have_a_column_a_lead(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    wanted = [[0.0, 0.125, np.nan], [1.5, 1.625, 1.75]]
    np.testing.assert_array_equal(read_signal(tmp_path / "a.csv").values, np.float32(wanted))


def test_one_column_is_one_lead(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mV\n1\n\n3\n")
    np.testing.assert_array_equal(read_signal(tmp_path / "a.csv").values, [[1, np.nan, 3]])


def test_a_dicom_waveform_is_in_millivolts_with_its_rate(tmp_path: Path) -> None:
    found = read_signal(waveform(tmp_path / "a.dcm", padding=-12))
    assert (found.rate, found.unit) == (500.0, "mV")
    wanted = np.stack([np.arange(-12, 0) * 2.5e-3, np.arange(12) * 5e-3 + 0.1])
    wanted[0, 0] = np.nan
    np.testing.assert_allclose(found.values, wanted, rtol=1e-6)
    other = read_signal(waveform(tmp_path / "b.dcm", unit="mm[Hg]"))
    assert other.unit == ""
    np.testing.assert_allclose(other.values[0], np.arange(-12, 0) * 2.5)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "opened",))

    good = npy(tmp_path / "good.npy", VALUES).read_bytes()
    bad: dict[str, tuple[bytes | Path, str]] = {
        "empty": (b"", "empty"),
        "pickle": (npy(tmp_path / "p", np.array([Evil()], object)), "a pickle, which is never"),
        "short": (good[:-5], "cut short"),
        "header": (good[:20], "cut short"),
        "words": (npy(tmp_path / "w", np.array(["a", "b"])), "real numbers"),
        "complex": (npy(tmp_path / "c", np.ones(5, complex)), "real numbers"),
        "cube": (npy(tmp_path / "k", np.ones((2, 2, 5))), r"\[leads, samples\] or \[samples\]"),
        "none": (npy(tmp_path / "n", np.ones((3, 0))), "got"),
        "scalar": (npy(tmp_path / "s", np.float32(3)), "got"),
        "tall": (npy(tmp_path / "t", VALUES.T), "transpose it"),
        "unknown": (npy(tmp_path / "u", np.full((2, 9), np.nan)), "all are NaN"),
        "infinite": (npy(tmp_path / "i", np.array([1.0, np.inf])), "finite"),
        "huge": (npy(tmp_path / "h", np.array([1.0, 1e300])), "finite"),
        "time.csv": (b"time,I\n0,1\n1,2\n", "--signal-rate"),
        "mixed.csv": (b"I,II\n0,1\n1,two\n", "a number or nothing"),
        "ragged.csv": (b"1,2\n1,2,3\n", "as many in each row"),
        "head.csv": (b"I,II\n", "below at most one header"),
        "bytes": (bytes(range(128, 256)), "UTF-8"),
        "damaged": (waveform(tmp_path / "d", NumberOfWaveformSamples=99), "damaged"),
        "nothing": (waveform(tmp_path / "e", NumberOfWaveformChannels=0), "got|damaged"),
    }
    for name, (content, words) in bad.items():
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        with pytest.raises(FileError, match=words) as error:
            read_signal(path)
        assert "Doe" not in str(error.value)
        assert str(tmp_path) not in str(error.value)
    assert not (tmp_path / "opened").exists()
    with pytest.raises(FileError, match="no such file"):
        read_signal(tmp_path / "absent")
    with pytest.raises(FileError, match="got a folder"):
        read_signal(tmp_path)


def test_a_dicom_image_is_no_signal(tmp_path: Path) -> None:
    path = waveform(tmp_path / "a.dcm")
    import pydicom

    data = pydicom.dcmread(path)
    del data.WaveformSequence
    data.save_as(path)
    with pytest.raises(FileError, match="no waveform"):
        read_signal(path)
