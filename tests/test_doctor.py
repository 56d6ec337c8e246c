from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

import pytest

from asclip import cli, doctor


@pytest.fixture(scope="module")
def findings() -> list[doctor.Finding]:
    return doctor.examine(speed=False)


def named(findings: list[doctor.Finding], name: str) -> doctor.Finding:
    (found,) = [one for one in findings if one.name == name]
    return found


def test_all_that_the_tests_need_is_found(findings: list[doctor.Finding]) -> None:
    assert doctor.healthy(findings)
    assert named(findings, "torch").value == metadata.version("torch")
    assert {one.group for one in findings} == set(doctor.GROUPS) - {"speed"}


def test_every_transfer_syntax_has_a_line(findings: list[doctor.Finding]) -> None:
    assert all(named(findings, name).ok for name in doctor.TRANSFER_SYNTAXES.values())


def test_names_of_transfer_syntaxes_are_those_of_pydicom() -> None:
    from pydicom.uid import UID

    for uid, name in doctor.TRANSFER_SYNTAXES.items():
        words = set(name.lower().replace("-", " ").split()) - {"p14", "sv1", "lossless"}
        assert words <= set(UID(uid).name.lower().replace("-", " ").replace("(", " ").split()), name


def test_a_missing_extra_has_its_install_line_and_is_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = ["numpy>=2.0", 'no-such-package>=1.0; extra == "nothing"']
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    found = doctor.examine(speed=False)
    extra = named(found, "nothing")
    assert extra.ok is None
    assert extra.remedy == "pip install 'asclip[nothing]'"
    assert doctor.healthy(found)


@pytest.mark.parametrize(
    ("line", "value"),
    [("no-such-package>=1", "not installed"), ("numpy>=99.0", "older than 99.0")],
)
def test_a_missing_or_old_package_is_a_fault(
    line: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: [line])
    found = named(doctor.examine(speed=False), line.split(">")[0])
    assert found.ok is False
    assert value in found.value
    assert f"'{line}'" in found.remedy
    assert cli.main(["doctor", "--no-speed"]) == 1
    out, err = capsys.readouterr()
    assert "MISSING" in out
    assert "MISSING" in err


def test_json_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json", "--no-speed"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["healthy"] is True
    assert {"group", "name", "value", "ok", "remedy"} == set(found["findings"][0])


def test_the_table_shows_the_extras_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    line = doctor.Finding("extras", "timm", "not installed", None, "pip install 'asclip[timm]'")
    Console(width=120).print(doctor.table([line]))
    assert "asclip[timm]" in capsys.readouterr().out


def test_versions_compare_as_numbers() -> None:
    assert doctor._numbers("2.13.0+cpu") > doctor._numbers("2.6")
    assert doctor._numbers("3.0") == doctor._numbers("3.0.0")


def test_importing_the_doctor_imports_nothing_heavy() -> None:
    code = "import sys, asclip.doctor; sys.exit('torch' in sys.modules or 'rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
def test_speed_is_positive() -> None:
    pytest.importorskip("asclip.towers.image")
    found = [one for one in doctor.examine() if one.group == "speed"]
    assert named(found, "matrix product float32").value.endswith("GFLOP/s")
    assert named(found, "training of the tiny tower").value.endswith("at 128 px")
