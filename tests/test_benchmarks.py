"""What stands beside the package keeps up with it: benchmarks and examples are not run here."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("examples/*.py")])
NAMES = [f"{path.parent.name}/{path.name}" for path in SCRIPTS]


@pytest.mark.parametrize("path", SCRIPTS, ids=NAMES)
def test_a_script_imports_what_the_package_has(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "asclip":
            module = importlib.import_module(str(node.module))
            for one in node.names:
                if not hasattr(module, one.name):  # or a module of its own
                    importlib.import_module(f"{node.module}.{one.name}")


@pytest.mark.parametrize("path", [p for p in SCRIPTS if p.parent.name == "benchmarks"])
def test_make_bench_can_keep_the_figures_of_a_benchmark(path: Path) -> None:
    assert '"--out"' in path.read_text(encoding="utf-8")
