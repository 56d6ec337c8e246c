"""Shared by all tests: one thread a test process, real data beside the project, two ranks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests import toy.py

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; the test is skipped, with the reason on screen, without it."""
    if not SHARED.is_dir():
        pytest.skip("shared/data is not beside the project")
    return SHARED


@pytest.fixture(scope="session")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """Results of every objective on two processes, from one start of the processes."""
    from ranks import run_two_ranks

    return run_two_ranks(tmp_path_factory.mktemp("ranks"))
