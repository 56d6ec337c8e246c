"""What learned extractors say, in our own terms: CheXbert's table and RadGraph's graph.

Neither is part of Asclip, both ask for a licence or weights of their own; run them apart and hand
their output to `from_chexbert` or `from_radgraph`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from asclip.clinical.assertions import ABSENT, PRESENT, UNCERTAIN
from asclip.clinical.bank import canonical
from asclip.clinical.extract import Mention
from asclip.clinical.wordings import anatomy_wordings, finding_wordings
from asclip.errors import DataError

CHEXPERT = (
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
    "No Finding",
)
_HOW = {
    "chexbert": "CheXbert is no part of Asclip: get its code and weights from its authors "
    "(github.com/stanfordmlgroup/CheXbert), run its label.py on your reports, and read the table "
    "that it writes with from_chexbert.",
    "radgraph": "RadGraph is no part of Asclip: run `pip install radgraph` in an environment of "
    "its own, save what it returns as JSON, and read that file with from_radgraph.",
}
_RADGRAPH = {
    "definitely present": PRESENT,
    "definitely absent": ABSENT,
    "uncertain": UNCERTAIN,
    "dp": PRESENT,
    "da": ABSENT,
    "u": UNCERTAIN,
}


def how_to_install(name: str) -> str:
    """One sentence: how to get an extractor and what to do with its output."""
    if name not in _HOW:
        raise DataError(f"an extractor must be one of {', '.join(_HOW)}; got {name!r}")
    return _HOW[name]


def from_chexbert(
    path: str | Path, *, uncertain: str = "nan"
) -> tuple[tuple[str, ...], np.ndarray]:
    """(names [F], values [n, F] float32) of CheXbert's table, in our names.

    1 present, 0 absent, NaN blank; -1 (unsure) becomes what `uncertain` says: "nan", "present" or
    "absent". Names are the catalogue's; a column "Report Impression" is passed over.
    """
    doubt = {"nan": np.nan, "present": 1.0, "absent": 0.0}
    if uncertain not in doubt:
        raise DataError(f"uncertain must be 'nan', 'present' or 'absent'; got {uncertain!r}")
    path = Path(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        missing = [name for name in CHEXPERT if name not in (rows.fieldnames or ())]
        if missing:
            raise DataError(
                f"{path.name} must have CheXbert's 14 columns; it lacks {', '.join(missing)}; "
                f"{how_to_install('chexbert')}"
            )
        values = [
            [_value(row[name], path.name, rows.line_num) for name in CHEXPERT] for row in rows
        ]
    matrix = np.array(values, np.float32).reshape(len(values), len(CHEXPERT))
    matrix[matrix == -1.0] = doubt[uncertain]
    return tuple(canonical(f"CheXpert:{name}") for name in CHEXPERT), matrix


def _value(cell: str | None, name: str, line: int) -> float:
    text = (cell or "").strip()
    if not text or text.lower() == "nan":
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        value = 9.0
    if value not in (-1.0, 0.0, 1.0):
        raise DataError(f"{name}, line {line}: a label must be 1, 0, -1 or blank; got {text!r}")
    return value


def from_radgraph(source: str | Path | Mapping) -> dict[str, list[Mention]]:
    """Report id -> mentions, from RadGraph's JSON (a file or the parsed object).

    An observation becomes a mention where its words, with those that modify it, name a finding of
    the catalogue; `located_at` gives the anatomy. Others are dropped. `start` and `end` count
    tokens, as RadGraph does.
    """
    content = source
    if not isinstance(source, Mapping):
        try:
            content = json.loads(Path(source).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"RadGraph's output must be a JSON file; got {error}") from None
    if not isinstance(content, Mapping) or not all(
        isinstance(report, Mapping) and isinstance(report.get("entities"), Mapping)
        for report in content.values()
    ):
        raise DataError("RadGraph's output must map each report to its 'entities'; got none")
    return {str(key): _mentions(report["entities"]) for key, report in content.items()}


def _mentions(entities: Mapping) -> list[Mention]:
    modifiers: dict[str, list[str]] = {}
    for entity in entities.values():
        for relation, target in entity.get("relations", ()):
            if relation == "modify":
                modifiers.setdefault(target, []).append(entity["tokens"])
    found = []
    for key, entity in entities.items():
        label = str(entity.get("label", "")).lower()
        kind, _, state = label.partition("::")
        if not state:  # the older labels: OBS-DP, ANAT-DP
            kind, _, state = label.partition("-")
        what = _RADGRAPH.get(state)
        if not kind.startswith("obs") or what is None:
            continue
        words = " ".join([*modifiers.get(key, ()), entity["tokens"]]).lower()
        names = finding_wordings().find(words) or finding_wordings().find(entity["tokens"].lower())
        if not names:
            continue
        places = _places(entities, entity, modifiers)
        start, end = int(entity.get("start_ix", 0)), int(entity.get("end_ix", 0))
        found.append(Mention(names[-1][0], what, places[0], places[1], start, end))
    return found


def _places(entities: Mapping, entity: Mapping, modifiers: Mapping) -> tuple[tuple[str, ...], str]:
    anatomy: list[str] = []
    side = ""
    for relation, target in entity.get("relations", ()):
        if relation == "located_at" and target in entities:
            words = " ".join([*modifiers.get(target, ()), entities[target]["tokens"]]).lower()
            anatomy += [name for name, _, _ in anatomy_wordings().find(words)]
            for word in ("bilateral", "left", "right"):
                side = side or (word if word in words.split() else "")
    return tuple(dict.fromkeys(anatomy)), side
