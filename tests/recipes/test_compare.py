from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from asclip.errors import DataError, ModelError, ResourceError
from asclip.phantom import challenges
from asclip.recipes import compare as module
from asclip.recipes import compare_table
from asclip.recipes.compare import compare
from asclip.recipes.compare_files import as_name
from asclip.recipes.equal import EQUAL, baseline, settings
from asclip.recipes.options import RECIPES
from asclip.recipes.paired import difference

FEW = {"studies": 70, "size": 32, "equal": {"steps": 3, "batch": 8}, "by": "steps"}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compare")
    compare(out, ["clip:texts=report", "temporal"], ["temporal"], seeds=(0, 1), say=_quiet, **FEW)
    return out


def _quiet(text: str) -> None:
    pass


def test_every_measure_has_values_and_a_paired_difference(out: Path) -> None:
    found = json.loads((out / "compare.json").read_text())
    assert {row["method"] for row in found["table"]} == {"clip", "clip:texts=report", "temporal"}
    for row in found["table"]:
        assert len(row["values"]) == 2
        assert row["mean"] == pytest.approx(np.mean(row["values"]))
        assert ("difference" in row) == (row["method"] != "clip")
    values = {(r["method"], r["measure"]): r["values"] for r in found["table"]}
    for row in (r for r in found["table"] if r["method"] == "temporal"):
        assert row["baseline"] == "clip:texts=report"  # the texts that `temporal` takes, too
        apart = np.array(row["values"]) - values[row["baseline"], row["measure"]]
        assert row["difference"] == pytest.approx(apart.mean())
        assert row["low"] <= row["difference"] <= row["high"]


def test_methods_see_the_same_hospital_and_settings(out: Path) -> None:
    records = json.loads((out / "compare.json").read_text())["records"]
    for seed in (0, 1):
        given = [r["given"] for r in records if r["seed"] == seed]
        assert {(g["steps"], g["batch"], g["seed"]) for g in given} == {(3, 8, seed)}
        data = {
            json.loads((out / f"runs/temporal/{m}/{seed}/run.json").read_text())["data"]["hash"]
            for m in ("clip", "temporal", "clip-texts-report")
        }
        assert len(data) == 1


def test_it_goes_on_and_does_nothing_twice(out: Path) -> None:
    path = out / "runs" / "temporal" / "clip" / "0" / "record.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"mark": 1}))
    (out / "runs" / "temporal" / "temporal" / "1" / "record.json").unlink()
    compare(out, ["clip:texts=report", "temporal"], ["temporal"], seeds=(0, 1), say=_quiet, **FEW)
    assert json.loads(path.read_text())["mark"] == 1
    assert (out / "runs" / "temporal" / "temporal" / "1" / "record.json").exists()


def test_a_further_call_adds_to_the_table(out: Path) -> None:
    found = compare(out, [], ["temporal"], seeds=(0, 1), say=_quiet, **FEW)
    assert {row["method"] for row in found["table"]} == {"clip", "clip:texts=report", "temporal"}


def test_a_method_with_more_seeds_uses_them(tmp_path: Path) -> None:
    few = FEW | {"studies": 20}
    compare(tmp_path, [], ["negation"], seeds=(0, 1, 2), say=_quiet, **few)
    compare(tmp_path, ["siglip"], ["negation"], seeds=(0,), say=_quiet, **few)
    found = compare(tmp_path, ["convirt"], ["negation"], seeds=(0, 1), say=_quiet, **few)
    seeds = {row["method"]: row["seeds"] for row in found["table"]}
    # siglip lacks one that is asked for; convirt brings its own baseline
    assert seeds == {"clip": [0, 1, 2], "convirt": [0, 1], "clip:texts=sentence": [0, 1]}
    assert "2 to 3 seeds" in (tmp_path / "compare.html").read_text()


def test_a_call_with_more_or_other_seeds_leaves_the_table_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = FEW | {"studies": 20}
    monkeypatch.setattr(compare_table, "ENOUGH", 1)
    compare(tmp_path, ["siglip"], ["negation"], seeds=(0,), say=_quiet, **few)
    compare(tmp_path, [], ["negation"], seeds=(0, 1), say=_quiet, **few)
    found = compare(tmp_path, [], ["definition"], seeds=(1,), say=_quiet, **few)
    seeds = {(row["challenge"], row["method"]): row["seeds"] for row in found["table"]}
    wanted = {("negation", "clip"): [0, 1], ("negation", "siglip"): [0]}
    assert seeds == wanted | {("definition", "clip"): [1]}


def test_runs_of_a_method_that_this_version_does_not_know_are_said(out: Path) -> None:
    folder = out / "runs" / "temporal" / "clip-colour-red" / "0"
    shutil.copytree(out / "runs" / "temporal" / "clip" / "0", folder)
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps(record | {"method": "clip:colour=red"}))
    said: list[str] = []
    found = compare(out, [], ["temporal"], seeds=(0, 1), say=said.append, **FEW)
    assert "clip:colour=red" not in {row["method"] for row in found["table"]}
    assert any("left out of the table" in line and "'colour'" in line for line in said)
    shutil.rmtree(folder.parent)


def test_runs_of_other_settings_are_not_overwritten(out: Path) -> None:
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    with pytest.raises(DataError, match=r"runs of other settings .equal steps and not compute.;"):
        compare(out, [], ["temporal"], seeds=(0, 1), say=_quiet, **FEW | {"by": "compute"})
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_runs_of_a_recipe_with_other_parameters_stay_out_of_the_table(out: Path) -> None:
    path = out / "runs" / "temporal" / "temporal" / "1" / "record.json"
    record = json.loads(path.read_text())
    whole, given = record["whole"], record["given"]
    bare = {k: v for k, v in record.items() if k != "whole"}
    own = next(k for k in whole if k not in EQUAL)

    def seeds(content: dict[str, object], said: list[str]) -> list[int]:
        path.write_text(json.dumps(content))
        found = compare_table.table(out, record["common"], ["temporal"], (0,), said.append)
        return next(r["seeds"] for r in found["table"] if r["method"] == "temporal")

    try:
        for kept in (
            record | {"whole": whole | {"steps": 99, "seed": 7, "knowledge": "else"}},
            record | {"whole": {k: v for k, v in whole.items() if k != own}},  # it is newer
            bare,  # of before all were kept, and values of a method's name were text
            bare | {"given": given | {"batch": "8"}},
        ):
            assert seeds(kept, said := []) == [0, 1]
            assert not said
        for other in (
            record | {"whole": whole | {"temperature": 0.1}},
            record | {"whole": whole | {"colour": 0.1}},
            bare | {"given": given | {"temperature": 0.1}},
            bare | {"given": given | {"colour": "red"}},
            bare | {"given": given | {"texts": "old", "temperature": 0.1}},
        ):
            assert seeds(other, said := []) == [0]
            assert len(said) == 1
            assert "1 runs of temporal" in said[0]
            assert "temperature" in said[0] or "colour" in said[0]
    finally:
        path.write_text(json.dumps(record))


def test_the_cost_of_a_recipe_that_was_changed_is_counted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = iter([1.0, 2.0, 3.0])
    monkeypatch.setattr(module, "operations", lambda *some: next(costs))
    task = ("negation", "siglip", 0)
    assert module._cost(tmp_path, COMMON, task) == module._cost(tmp_path, COMMON, task) == 1.0
    monkeypatch.setitem(RECIPES["siglip"].__kwdefaults__, "scale", 3.0)
    assert module._cost(tmp_path, COMMON, task) == module._cost(tmp_path, COMMON, task) == 2.0
    (tmp_path / "operations" / "negation" / "siglip.json").write_text("{")
    assert module._cost(tmp_path, COMMON, task) == 3.0


def test_a_method_may_have_its_own_steps_and_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    challenges.write("definition", tmp_path / "own", 20, 0, 32)
    read = "clip:knowledge=own/knowledge.json"
    said: list[str] = []
    found = compare(
        tmp_path / "out", ["clip:steps=2", read], ["negation"], seeds=(0,), say=said.append,
        **FEW | {"studies": 20, "by": "compute"},
    )  # fmt: skip
    given = {r["method"]: r["given"] for r in found["records"]}
    assert {m: g["steps"] for m, g in given.items()} == {"clip": 3, "clip:steps=2": 2, read: 3}
    assert {row["method"] for row in found["table"]} == set(given)
    assert any("clip:steps=2" in line and "   2 steps" in line for line in said)
    folders = [path.name for path in (tmp_path / "out" / "runs" / "negation").iterdir()]
    assert sorted(folders) == sorted(map(as_name, given))
    costs = [path.stem for path in (tmp_path / "out" / "operations" / "negation").iterdir()]
    assert sorted(costs) == sorted([as_name("clip"), as_name(read)])


def test_a_name_stays_in_its_folder_and_is_of_one_method() -> None:
    assert as_name("clip:per_study=8,whole=0.0") == "clip-per_study-8,whole-0.0"  # as ever
    odd = ["clip:knowledge=a/b", "clip:knowledge=a-b", "clip:knowledge=a b", "clip:knowledge=../a"]
    odd.append("clip:knowledge=" + 300 * "/a")
    assert len({as_name(method) for method in odd}) == len(odd)
    assert all("/" not in as_name(method) and len(as_name(method)) < 120 for method in odd)


def test_values_in_a_name_have_their_type() -> None:
    _, given = settings("clip:per-study=8,lr=1,texts=report", COMMON, 0)
    assert (given["per_study"], given["lr"], given["texts"]) == (8, 1.0, "report")
    assert isinstance(given["lr"], float)


def test_a_damaged_record_is_said_and_run_again(out: Path) -> None:
    path = out / "runs" / "temporal" / "temporal" / "1" / "record.json"
    record = json.loads(path.read_text())
    path.write_text("{")
    table = compare_table.table(out, record["common"], ["temporal"], (0,), _quiet)["table"]
    assert [r["seeds"] for r in table if r["method"] == "temporal"][:1] == [[0]]
    said: list[str] = []
    compare(out, ["temporal"], ["temporal"], seeds=(0, 1), say=said.append, **FEW)
    assert any(f"{path} is damaged" in line for line in said)
    assert json.loads(path.read_text())["measures"] == record["measures"]


def test_a_damaged_hospital_is_said(out: Path, tmp_path: Path) -> None:
    place = tmp_path / "hospitals" / "definition-0"
    challenges.write("definition", place, 20, 0, 32)
    (place / "challenge.json").write_text("{")
    assert "challenge.json is damaged" in module._run(tmp_path, COMMON, 0, TASK)["error"]
    said: list[str] = []
    assert not compare_table._about(tmp_path, "definition", 0, said.append)
    assert len(said) == 1
    assert "definition is damaged" in said[0]
    (place / "settings.json").write_text("{")
    with pytest.raises(DataError, match=r"definition-0 must hold a challenge.*settings.json"):
        compare(tmp_path, [], ["definition"], seeds=(0,), say=_quiet, **FEW)


def _stopped(*some: object) -> None:
    raise ResourceError("no space")


COMMON = EQUAL | {"studies": 20, "size": 32, "equal": "steps"}
TASK = ("definition", "concepts", 0)


def test_a_run_that_failed_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "pretrain", _stopped)
    challenges.write("definition", tmp_path / "hospitals" / "definition-0", 20, 0, 32)
    assert module._run(tmp_path, COMMON, 0, TASK)["error"] == "no space"
    tried: list[object] = []
    monkeypatch.setattr(module, "pretrain", lambda *some: (tried.append(some), _stopped()))
    module._run(tmp_path, COMMON, 0, TASK)
    assert len(tried) == 1


def test_a_finished_run_stays_where_out_is_called_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenges.write("definition", tmp_path / "hospitals" / "definition-0", 20, 0, 32)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "pretrain", _stopped)
    record = module._run(Path(), COMMON, 0, TASK)
    assert record["given"]["knowledge"] == "hospitals/definition-0/knowledge.json"
    del record["error"]
    path = tmp_path / "runs" / "definition" / "concepts" / "0" / "record.json"
    path.write_text(json.dumps(record))
    assert module._run(tmp_path, COMMON, 0, TASK) == record


def test_a_model_that_is_asked_something_else_is_not_trained_again(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A measure that was mended since: the record is of another question, the model is kept."""
    path = out / "runs" / "temporal" / "clip" / "0" / "record.json"
    record = json.loads(path.read_text())
    old = record | {"asked": record["asked"][:1], "measures": {}}
    path.write_text(json.dumps(old))
    monkeypatch.setattr(module, "pretrain", _stopped)
    stale = compare_table.table(out, record["common"], ["clip"], (0, 1), _quiet)
    assert not [r for r in stale["records"] if (r["method"], r["seed"]) == ("clip", 0)]
    again = module._run(out, record["common"], 0, ("temporal", "clip", 0))
    assert again == {k: v for k, v in record.items() if k != "mark"}
    # Of before all parameters were kept: those of now may not be what it was trained with.
    path.write_text(json.dumps({k: v for k, v in old.items() if k != "whole"}))
    again = module._run(out, record["common"], 0, ("temporal", "clip", 0))
    assert again == {k: v for k, v in record.items() if k not in ("mark", "whole")}
    path.write_text(json.dumps(record))


def test_a_recipe_whose_defaults_have_changed_is_trained_again(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = out / "runs" / "temporal" / "clip" / "1" / "record.json"
    record = json.loads(path.read_text())
    assert record["whole"]["temperature"] == 0.07
    assert record["whole"]["steps"] == record["given"]["steps"]
    trained: list[Path] = []

    def training(data: Path, recipe: str, folder: Path, given: dict[str, object]) -> None:
        trained.append(folder)
        raise ModelError("stopped")

    monkeypatch.setattr(module, "pretrain", training)
    task = ("temporal", "clip", 1)
    assert module._run(out, record["common"], 0, task) == record
    old = {k: v for k, v in record.items() if k != "whole"}  # of before it was kept
    path.write_text(json.dumps(old))
    assert module._run(out, record["common"], 0, task) == old
    assert not trained
    whole = record["whole"] | {"temperature": 0.1}
    kept = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    path.write_text(json.dumps(record | {"whole": whole}))
    assert module._run(out, record["common"], 0, task)["error"] == "stopped"
    assert trained == [path.parent]
    for name, content in kept.items():  # for the tests that follow
        (path.parent / name).write_bytes(content)
    path.write_text(json.dumps(record))


def test_a_hospital_of_an_earlier_version_does_not_stop_the_table(out: Path) -> None:
    old = out / "hospitals" / "normals-0" / "challenge.json"
    old.parent.mkdir(exist_ok=True)
    old.write_text('{"name": "normals", "measures": []}')  # no bounds but those of its time
    common = json.loads((out / "compare.json").read_text())["equal"]
    record = {"challenge": "normals", "method": "clip", "common": common, "measures": {}}
    runs = out / "runs" / "normals" / "clip"
    for seed in (0, 1):  # its runs did not keep what was asked, either
        (runs / str(seed)).mkdir(parents=True)
        (runs / str(seed) / "record.json").write_text(json.dumps(record | {"seed": seed}))
    said: list[str] = []
    found = compare_table.table(out, common, ["clip"], (0, 1), said.append)
    assert list(found["challenges"]) == ["temporal"]
    assert any("normals" in line and "earlier version" in line for line in said)
    shutil.rmtree(old.parent)
    shutil.rmtree(runs.parent)


def test_a_record_is_written_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that reads the table meanwhile sees no half of it."""
    challenges.write("definition", tmp_path / "hospitals" / "definition-0", 20, 0, 32)
    written: list[Path] = []
    monkeypatch.setattr(module, "pretrain", _stopped)
    monkeypatch.setattr(module.atomic, "write", lambda path, data: written.append(path))
    module._run(tmp_path, COMMON, 0, TASK)
    assert [path.name for path in written] == ["record.json"]


def test_the_baseline_has_the_texts_of_the_method() -> None:
    assert baseline("siglip") == "clip"
    assert baseline("clip:texts=report") == "clip"
    assert baseline("mgca") == "clip:texts=report"
    assert baseline("lovt") == "clip:per_study=8,whole=0.0"
    assert baseline("lovt:per_study=6,whole=0.3") == "clip"
    assert baseline("gloria:texts=mixed,whole=0.3") == "clip:texts=mixed"


def test_equal_compute_gives_a_dearer_step_fewer(tmp_path: Path) -> None:
    few = FEW | {"by": "compute", "equal": {"steps": 12, "batch": 8}}
    found = compare(tmp_path, ["kad", "clip:texts=report"], ["negation"], seeds=(0,), jobs=2,
                    say=_quiet, **few)  # fmt: skip
    steps = {r["method"]: r["given"]["steps"] for r in found["records"]}
    cost = {
        path.stem: json.loads(path.read_text())["operations"]
        for path in (tmp_path / "operations" / "negation").glob("*.json")
    }
    assert steps["clip"] == 12
    assert steps["kad"] == max(1, round(12 * cost["clip"] / cost["kad"])) < 12
    assert steps["clip:texts=report"] == round(12 * cost["clip"] / cost["clip-texts-report"])


def test_a_recipe_is_told_which_groups_there_are(tmp_path: Path) -> None:
    """By default `group-weights` weighs the sexes alike, which are not the groups of `subgroup`."""
    methods = ["group-weights", "group-weights:attribute=site"]
    compare(tmp_path, methods, ["subgroup"], seeds=(0,), say=_quiet, **FEW)
    runs = tmp_path / "runs" / "subgroup"
    told = {
        path.parts[-3]: json.loads(path.read_text())["parameters"].get("attribute")
        for path in runs.glob("*/0/run.json")
    }
    assert told == {
        "clip": None,
        "group-weights": "insurance",
        "group-weights-attribute-site": "site",
    }


def test_the_page_shows_every_method_and_the_losses(out: Path) -> None:
    page = (out / "compare.html").read_text()
    for word in ("clip:texts=report", "temporal", "change of the pneumothorax", "chance", "not a"):
        assert word in page
    assert page.count("<svg") == len(challenges.describe("temporal")["measures"])
    assert "built-in" not in page


def test_a_method_that_cannot_run_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    found = compare(
        tmp_path, ["clip:texts=foo"], ["negation"], seeds=(0,), say=said.append,
        studies=20, size=32, equal={"steps": 1, "batch": 4},
    )  # fmt: skip
    (record,) = [r for r in found["records"] if r["method"] == "clip:texts=foo"]
    assert "texts must be one of" in record["error"]
    assert any("clip:texts=foo" in line and "not run: texts must" in line for line in said)
    page = (tmp_path / "compare.html").read_text()
    assert ">cannot run<" in page
    assert "texts must be one of" in page


def test_a_baseline_that_cannot_run_ends_it_and_is_tried_again(tmp_path: Path) -> None:
    few = FEW | {"studies": 20}
    with pytest.raises(DataError, match=r"baseline clip must run on negation.*'tinny'"):
        compare(tmp_path, [], ["negation"], seeds=(0,), say=_quiet,
                **few | {"equal": {"steps": 1, "image_tower": "tinny"}})  # fmt: skip
    compare(tmp_path, [], ["negation"], seeds=(0,), say=_quiet, **few)
    path = tmp_path / "runs" / "negation" / "clip" / "0" / "record.json"
    failed = {key: v for key, v in json.loads(path.read_text()).items() if key != "measures"}
    path.write_text(json.dumps(failed | {"error": "no space left"}))
    found = compare(tmp_path, [], ["negation"], seeds=(0,), say=_quiet, **few)
    assert all("measures" in record for record in found["records"])


def test_a_baseline_that_failed_elsewhere_stays_out_of_the_table(out: Path) -> None:
    common = json.loads((out / "compare.json").read_text())["equal"]
    record = {"challenge": "negation", "method": "clip", "common": common, "error": "no space"}
    for seed in (0, 1):
        folder = out / "runs" / "negation" / "clip" / str(seed)
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(json.dumps(record | {"seed": seed}))
    found = compare(out, [], ["temporal"], seeds=(0, 1), say=_quiet, **FEW)
    assert {row["challenge"] for row in found["table"]} == {"temporal"}


@pytest.mark.parametrize(
    ("method", "kind", "words"),
    [
        ("clop", ModelError, "no recipe is called 'clop'"),
        ("clip:colour=red", DataError, "has no parameter 'colour'"),
        ("clip:txts=report", DataError, "did you mean 'texts'"),
        ("supervised", DataError, "answers no prompt"),
        ("clip:lr=abc", ModelError, "lr must be float; got 'abc'"),
    ],
)
def test_a_wrong_method_ends_it_at_once(tmp_path: Path, method, kind, words) -> None:
    with pytest.raises(kind, match=words):
        compare(tmp_path, [method], ["normals"], say=_quiet, **FEW)
    assert not (tmp_path / "hospitals").exists()


@pytest.mark.parametrize("count", [3, 11, 20])
def test_the_interval_over_seeds_is_students(count: int) -> None:
    from scipy.stats import t

    values = np.random.default_rng(0).normal(0.03, 0.02, count)
    found = difference(values, np.zeros((count, 10)))
    low, high = t.interval(0.95, count - 1, values.mean(), values.std(ddof=1) / count**0.5)
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-9)
    one = difference(values[:1], np.zeros((1, 10)))
    assert one["low"] != one["low"]
