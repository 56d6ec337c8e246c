from __future__ import annotations

import sys

from asclip.data import progress


def test_a_log_gets_lines_and_short_work_none(capsys, monkeypatch):
    with progress.track(10, "decoding") as advance:
        advance(10)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0.0)
    with progress.track(10, "decoding") as advance:
        advance(4)
    assert capsys.readouterr().err.startswith("decoding: 4 of 10, ")


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.track(3, "decoding") as advance:
        advance(2)
        advance(1)
    assert "3/3" in capsys.readouterr().err
