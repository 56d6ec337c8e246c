from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from asclip import arguments, cli, terminal
from asclip.errors import AsclipError, DataError, FileError, LeakageError, MissingExtra, ModelError
from asclip.types import Score

COMMANDS = (
    "demo",
    "phantom",
    "ingest",
    "pretrain",
    "evaluate",
    "diff",
    "compare",
    "adapt",
    "predict",
    "prompts",
    "doctor",
)
NAN = float("nan")
SCORES = [
    Score("d", "test", "zero_shot", "auroc", "effusion", 0.8, 0.7, 0.9, n=40, chance=0.5),
    Score("d", "test", "zero_shot", "auroc", "hernia", NAN, n=40, why_nan="no positive study"),
]
ABOUT = {"studies": 2, "images": 2, "patients": 2, "splits": {"train": {"studies": 2}}}
INGESTED = SimpleNamespace(describe=lambda: ABOUT | {"notes": ["1 file was left out"]})
# recipe -> parameter -> (type, default), as `recipes.parameters` gives them
PARAMETERS = {"batch": (int, 128), "lr": (float, 1e-3), "local": (bool, True), "texts": (str, "r")}
BLOCKS = {"BASIC": ("vision",), "FULL": ("vision", "text", "trust")}
Calls = list[tuple[tuple[Any, ...], dict[str, Any]]]
Stand = Callable[..., Calls]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Stand:
    """Puts a function in place of a module's own and gives the list of its calls."""

    def put(module: str, name: str, result: Any = None, **more: Any) -> Calls:
        calls: Calls = []

        def function(*args: Any, **options: Any) -> Any:
            calls.append((args, options))
            if isinstance(result, BaseException):
                raise result
            return result

        fake = ModuleType(module)
        vars(fake).update({name: function, **more})
        monkeypatch.setitem(sys.modules, module, fake)
        return calls

    return put


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_an_example_on_one_line(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, "--help"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    (example,) = [line for line in lines if line.startswith("example:")]
    assert example.startswith(f"example: asclip {command}")


def test_example_of_each_command_is_accepted(stand_in: Stand) -> None:
    """Each example line parses: what it would call is a stand-in."""
    stand_in("asclip.recipes.demo", "demo", Path("card.html"))
    stand_in("asclip.phantom.hospital", "write")
    stand_in("asclip.data.ingest", "ingest", INGESTED)
    stand_in("asclip.data.sources.table", "Table")
    stand_in("asclip.recipes", "pretrain", Path("r"), RECIPES={"clip": None}, **_parameters())
    stand_in("asclip.recipes.suite", "suite", [], **BLOCKS)
    stand_in("asclip.recipes.prediction", "predict", [])
    nothing = SimpleNamespace(first="a", second="b", rows=(), notes=(), summary="0 of 0")
    stand_in("asclip.recipes.difference", "difference", nothing)
    stand_in("asclip.card", "write_difference", Path("diff.html"))
    stand_in("asclip.phantom.challenges", "write", NAMES=("normals",))
    stand_in("asclip.recipes.compare", "compare", {"table": []})
    stand_in("asclip.recipes.equal", "settings", LEFT_OUT={})
    stand_in("asclip.recipes.adaptation", "adapt", [], records=list, table=list, last=list)
    judged = SimpleNamespace(scores=[], subgroups=[], warnings=[], facts={})
    stand_in("asclip.recipes.trust", "trust", judged)
    for command in cli.app.registered_commands:
        words = str(command.epilog).removeprefix(cli.EXAMPLE).partition(" >")[0].split()[1:]
        assert cli.main(words) == 0, words


def _parameters() -> dict[str, Any]:
    return {
        "parameters": lambda name: PARAMETERS | {"steps": (int, 0)},
        "about": lambda: {"lr": "the peak"},
    }


def test_compare_passes_its_options_on(stand_in: Stand) -> None:
    stand_in("asclip.recipes", "pretrain", RECIPES={"clip": None, "sat": None, "locked": None})
    calls = stand_in("asclip.recipes.compare", "compare", {"table": []})
    stand_in("asclip.recipes.equal", "settings", LEFT_OUT={"locked": "no"})
    words = ["--challenges", "normals, unpaired", "--seeds", "3,1", "--steps", "7", "--out", "o"]
    assert cli.main(["compare", *words]) == 0
    ((place, methods, names), options) = calls[0]
    assert (place, methods, names) == (Path("o"), ["clip", "sat"], ["normals", "unpaired"])
    assert options["seeds"] == (3, 1)
    assert options["equal"] == {"steps": 7, "image_tower": "micro", "text_tower": "words"}
    assert (options["by"], options["jobs"]) == ("compute", 1)
    assert cli.main(["compare", "--seeds", "one"]) == 2


def test_help_imports_nothing_heavy_and_is_fast() -> None:
    code = (
        "import sys, asclip.cli as c; c.main(['--help']); heavy = {'torch', 'transformers', "
        "'pandas', 'numpy', 'pydicom', 'matplotlib', 'sklearn', 'jinja2'} & set(sys.modules); "
        "sys.exit(' '.join(sorted(heavy)) or 0)"
    )
    found = []
    for _ in range(2):  # the better of two: the first may fill the cache of compiled files
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        found.append(time.perf_counter() - start)
        assert done.returncode == 0, done.stderr
    assert min(found) < 1.0


def test_every_command_keeps_freed_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bool] = []
    monkeypatch.setattr(cli, "keep_freed_memory", lambda: kept.append(True))
    assert cli.main(["--version"]) == 0
    assert kept == [True]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from asclip import __version__

    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"asclip {__version__}\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AsclipError("a rule is broken"), 2),
        (FileError("x.dcm is empty"), 3),
        (DataError("no column image"), 4),
        (LeakageError("a patient in two splits"), 4),
        (ModelError("weights of another architecture"), 5),
        (MissingExtra("timm", "timm backbones"), 7),
        (KeyboardInterrupt(), 130),
        (FileNotFoundError(2, "No such file or directory", "/home/user/x.csv"), 3),
        (OSError(28, "No space left on device"), 6),
    ],
)
def test_errors_are_messages_with_exit_codes(
    error: BaseException, code: int, stand_in: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in("asclip.recipes.suite", "suite", error, **BLOCKS)
    assert cli.main(["evaluate", "runs/clip"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert "/home/user" not in err
    assert len(err.strip().splitlines()) == 1
    if code == 130:
        assert "run the same command again to continue" in err
    elif isinstance(error, AsclipError):
        assert err == f"asclip: {error}\n"


@pytest.mark.parametrize("words", [["ingest", "t.csv"], ["predict"], ["nothing"], ["--nothing"]])
def test_wrong_use_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_map_takes_several_words_and_repeated_options(
    stand_in: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    made = stand_in("asclip.data.sources.table", "Table")
    ingested = stand_in("asclip.data.ingest", "ingest", INGESTED)
    words = "ingest t.csv --map image=path text=report --map patient=id --out d --size 64x48"
    assert cli.main([*words.split(), "--window", "-160:240", "--map", "label:a b=A=B"]) == 0
    columns = {"image": "path", "text": "report", "patient": "id", "label:a b": "A=B"}
    assert made[0][1]["mapping"] == columns
    preprocessing = ingested[0][0][2]
    assert (preprocessing.size, preprocessing.window) == ((64, 48), (-160.0, 240.0))
    assert ingested[0][1]["on_leak"] == "move"
    assert ingested[0][1]["fractions"] == (0.7, 0.1, 0.2)
    assert cli.main([*words.split(), "--fractions", "0.5,0.2,0.3"]) == 0
    assert ingested[1][1]["fractions"] == (0.5, 0.2, 0.3)
    assert "note: 1 file was left out" in capsys.readouterr().err


def test_a_word_without_equals_ends_the_map() -> None:
    words = ["ingest", "--map", "image=path", "table.csv", "--out", "d"]
    assert arguments.spread(words) == words


def test_prompts_of_evaluate_take_several_words_up_to_a_folder(
    tmp_path: Path, stand_in: Stand
) -> None:
    calls = stand_in("asclip.recipes.suite", "suite", SCORES, **BLOCKS)
    assert cli.main(["evaluate", "--prompts", "chest", "view", str(tmp_path)]) == 0
    (args, options) = calls[0]
    assert args == (tmp_path, None)
    assert (options["prompts"], options["split"], options["images"]) == (
        ["chest", "view"], "test", True,
    )  # fmt: skip


def test_evaluate_asks_the_blocks_that_are_wanted(
    stand_in: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = stand_in("asclip.recipes.suite", "suite", SCORES, **BLOCKS)
    for words in ([], ["--suite", "full"], ["--suite", "full", "--blocks", "text, trust"]):
        assert cli.main(["evaluate", "r", *words]) == 0
    asked = [options["blocks"] for _, options in calls]
    assert asked == [("vision",), ("vision", "text", "trust"), ("text", "trust")]
    assert cli.main(["evaluate", "r", "--suite", "all"]) == 2
    assert "--suite must be basic or full" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["image", "=path", "image="])
def test_a_bad_map_says_what_it_takes(word: str) -> None:
    with pytest.raises(AsclipError, match="role=column"):
        arguments.mapping([word])


def test_a_role_given_twice_is_refused() -> None:
    with pytest.raises(AsclipError, match="'image' twice"):
        arguments.mapping(["image=a", "image=b"])


@pytest.mark.parametrize("word", ["lung", "5", "240:-160", "1:1", "a:b", "nan:nan"])
def test_a_bad_window_is_refused(word: str) -> None:
    with pytest.raises(AsclipError, match="LOW < HIGH"):
        arguments.window(word)


@pytest.mark.parametrize("word", ["", "0", "-4", "4x4x4x4", "224,224", "٢٢٤"])
def test_a_bad_size_is_refused(word: str) -> None:
    with pytest.raises(AsclipError, match="--size"):
        arguments.size(word)


@pytest.mark.parametrize("word", ["", "5", "axbxc", "0x1x1", "1xinf", "1x1x1x1", "nanx1"])
def test_a_bad_spacing_is_refused(word: str) -> None:
    with pytest.raises(AsclipError, match="--spacing"):
        arguments.spacing(word)
    assert arguments.spacing(None) is None


def test_volumes_are_asked_for_by_size_and_spacing(
    stand_in: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in("asclip.data.sources.table", "Table")
    ingested = stand_in("asclip.data.ingest", "ingest", INGESTED)
    stand_in("asclip.phantom.hospital", "write", Path("h/reports.csv"))
    assert cli.main(["phantom", "h", "--ct", "1"]) == 0
    advice = capsys.readouterr().err.partition("or its CT as volumes: asclip ")[2].split("\n")[0]
    assert cli.main(advice.split()) == 0
    how = ingested[0][0][2]
    assert (how.size, how.spacing, how.window) == ((32, 64, 64), (9, 6, 6), (-1000.0, 400.0))
    assert "--recipe ct-clip" in capsys.readouterr().err
    assert cli.main(["phantom", "h"]) == 0
    assert "volumes" not in capsys.readouterr().err


@pytest.mark.parametrize("word", ["", "0.8", "0.7,0.2", "a,b,c", "0.7,0.3,nan"])
def test_bad_fractions_are_refused(word: str) -> None:
    with pytest.raises(AsclipError, match="--fractions"):
        arguments.fractions(word)
    assert arguments.fractions("0.5, 0.2,0.3") == (0.5, 0.2, 0.3)


def test_pretrain_passes_recipe_parameters(
    stand_in: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = stand_in(
        "asclip.recipes", "pretrain", Path("r"), RECIPES={"clip": None}, **_parameters()
    )
    words = "pretrain --batch 64 data --no-local --recipe clip --lr=2e-4 --texts -x --out r --fresh"
    assert cli.main(words.split()) == 0
    (args, options) = calls[0]
    given = {"batch": "64", "local": "false", "lr": "2e-4", "texts": "-x"}
    assert args == (Path("data"), "clip", Path("r"), given)
    assert options["fresh"] is True
    assert "next: asclip evaluate r" in capsys.readouterr().err


def test_pretrain_prints_the_record_of_the_run_as_json(
    stand_in: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in("asclip.recipes", "pretrain", Path("r"), RECIPES={"clip": None}, **_parameters())
    stand_in("asclip.recipes.pretraining", "read_run", {"recipe": "clip", "last": {"loss": NAN}})
    assert cli.main(["pretrain", "data", "--out", "r", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"recipe": "clip", "last": {"loss": None}}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("data --bach 3 --out r", "did you mean 'batch'?"),
        ("data --out r --batch", "--batch must be followed by its value (int)"),
        ("data --recipe clop --out r", "did you mean 'clip'?"),
        ("--out r", "got 0 data sets"),
        ("a b --out r", "got 2 data sets"),
        ("data", "no --out"),
    ],
)
def test_pretrain_names_what_is_wrong(
    words: str, message: str, stand_in: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in("asclip.recipes", "pretrain", None, RECIPES={"clip": None}, **_parameters())
    assert cli.main(["pretrain", *words.split()]) == 2
    assert message in capsys.readouterr().err


def test_a_bool_takes_a_value_or_none() -> None:
    kinds = {"local": bool}
    assert arguments.split_options(["--local", "data"], kinds) == (["data"], {"local": "true"})
    assert arguments.split_options(["--local", "no", "data"], kinds)[1] == {"local": "no"}


def test_recipes_are_listed_as_a_table_and_as_json(
    stand_in: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    def clip() -> None:
        """CLIP on sentences.

        More.
        """

    stand_in("asclip.recipes", "pretrain", None, RECIPES={"clip": clip}, **_parameters())
    assert cli.main(["pretrain", "--list"]) == 0
    out = capsys.readouterr().out
    assert "clip: CLIP on sentences.\n" in out
    assert "--batch" in out
    assert cli.main(["pretrain", "--help-recipe", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["clip"]
    assert found["about"] == "CLIP on sentences."
    assert found["parameters"]["lr"] == {"type": "float", "default": 1e-3, "about": "the peak"}


def test_real_recipes_know_their_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("asclip.recipes")
    assert cli.main(["pretrain", "--list", "--json"]) == 0
    assert "clip" in json.loads(capsys.readouterr().out)
    assert cli.main(["pretrain", "data", "--out", "r", "--batc", "3"]) == 2
    assert "did you mean 'batch'" in capsys.readouterr().err


def test_json_of_evaluate_is_alone_on_stdout_and_strict(
    stand_in: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in("asclip.recipes.suite", "suite", SCORES, **BLOCKS)
    assert cli.main(["evaluate", "r", "--json"]) == 0
    out, err = capsys.readouterr()
    records = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert [one["value"] for one in records] == [0.8, None]
    assert records[1]["why_nan"] == "no positive study"
    assert "next:" in err


def test_prompts_lists_the_sets_and_shows_one_as_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prompts"]) == 0
    assert "cxr-findings" in capsys.readouterr().out
    assert cli.main(["prompts", "plane"]) == 0
    assert "Coronal" in capsys.readouterr().out
    assert cli.main(["prompts", "plane", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["kind"] == "single-label"
    assert cli.main(["prompts", "plain"]) == DataError.exit_code


def test_evaluate_prints_a_table(stand_in: Stand, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in("asclip.recipes.suite", "suite", SCORES, **BLOCKS)
    stand_in("asclip.results", "table", "the table")
    assert cli.main(["evaluate", "r", "--no-images"]) == 0
    assert capsys.readouterr().out == "the table\n"


def test_predict_prints_rows_and_json(stand_in: Stand, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"file": "a.dcm", "scores": {"effusion": 0.25, "[odd]": NAN}}]
    calls = stand_in("asclip.recipes.prediction", "predict", rows)
    assert cli.main(["predict", "r", "a.dcm", "b.png", "--prompts", "chest"]) == 0
    assert calls[0][0] == (Path("r"), [Path("a.dcm"), Path("b.png")], "chest")
    out = capsys.readouterr().out
    assert "0.250" in out
    assert "[odd]" in out
    assert "n/a" in out
    assert cli.main(["predict", "r", "a.dcm", "--prompts", "chest", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["scores"] == {"effusion": 0.25, "[odd]": None}


def test_a_file_that_predict_cannot_read_is_named_and_the_others_are_printed(
    stand_in: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"file": "a.dcm", "error": "cut off"}, {"file": "b.png", "scores": {"effusion": 0.25}}]
    stand_in("asclip.recipes.prediction", "predict", rows)
    assert cli.main(["predict", "r", "a.dcm", "b.png", "--prompts", "chest"]) == 3
    out, err = capsys.readouterr()
    assert "0.250" in out
    assert "a.dcm: cut off" in err


def test_phantom_and_demo_pass_what_was_given(stand_in: Stand) -> None:
    wrote = stand_in("asclip.phantom.hospital", "write")
    ran = stand_in("asclip.recipes.demo", "demo", Path("card.html"))
    assert cli.main("phantom h --studies 5 --seed 3 --size 128 --ct 0.5".split()) == 0
    assert wrote[0][0] == (Path("h"), 5, 3)
    assert (wrote[0][1]["size"], wrote[0][1]["ct"]) == (128, 0.5)
    assert cli.main("demo --out d --studies 50 --seed 2".split()) == 0
    assert ran[0][0] == (Path("d"), 50, 2)
    assert cli.main("phantom h --ct 2".split()) == 2


def test_plain_handles_arrays_and_numbers_of_numpy() -> None:
    import numpy as np

    value = {"a": np.float32(0.5), "b": np.array([1, 2]), "c": (Path("x"), None, float("inf"))}
    assert terminal.plain(value) == {"a": 0.5, "b": [1, 2], "c": ["x", None, None]}
