"""Labelled sentences of the public Open-i reports: how they were drawn, where they stand, F1.

    python tests/clinical/openi.py score SPLIT   F1 with its interval
    python tests/clinical/openi.py draw SPLIT    rows without labels; sentences on standard error

Both need shared/data beside the checkout. openi_labels.md says how a sentence is labelled.
"""

from __future__ import annotations

import csv
import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asclip.clinical.extract import mentions, states
from asclip.files.report import sentences

LABELS = Path(__file__).with_name("openi_labels.csv")
REPORTS = Path(__file__).resolve().parents[3] / "shared/data/openi_reports_text_only/reports.csv"
COLUMNS = ("findings", "impression")
KINDS = ("present", "absent", "uncertain")
# The kind of wording, by the first pattern that a sentence of small letters holds.
STRATA = {
    "double": r"exclu|\brul(?:e|ed|ing) out|\bno (?:\w+ ){0,2}change|\bnot (?:\w+ )?chang|no longer"
    r"|unlikely|less likely|rather than|without (?:\w+ ){0,2}change",
    "unsure": r"\b(?:may|might|could|possib|probab|likely|suggest|suspic|suspect|question|concern"
    r"|versus|vs\b|borderline|consider|and/or|equivocal|uncertain|unclear|presum|differential)",
    "same": r"stable|unchang|chang|similar|again|persist|chronic|prior|previous|interval|resol"
    r"|improv|worse|remov|decreas|increas|clearing|cleared|history|status post|old\b",
    "neg": r"\b(?:no|not|without|free of|negative|absen\w+|neither|nor|never|none)\b",
    "normal": r"\bnormal|unremarkable|clear|intact|within",
    "present": r"",
}
# What the catalogue called these when the sentences were labelled (version 3); "" is nothing.
FORMERLY = {
    "disc bulge": "disc herniation",
    "empyema": "",
    "foraminal stenosis": "spinal stenosis",
    "ileus": "bowel obstruction",
    "pulmonary hypertension": "pulmonary artery enlargement",
    "subluxation": "dislocation",
}
Texts = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Draw:
    """A draw: its seed, and how many sentences of each stratum.

    A blind one shares no wording with any sentence of the reports drawn before, one for development
    with the drawn sentences: the rest of those reports was read while rules were written.
    """

    seed: int
    sizes: dict[str, int]
    blind: bool = False


def _sizes(*numbers: int) -> dict[str, int]:
    return dict(zip(STRATA, numbers, strict=True))


# Declared before they were drawn; each is disjoint from those before it, in reports and wordings.
DRAWS = {
    "dev2": Draw(41, _sizes(35, 75, 40, 30, 15, 35)),
    "dev3": Draw(44, _sizes(20, 80, 35, 20, 10, 45)),
    "dev4": Draw(45, _sizes(20, 60, 25, 15, 10, 30)),
    "blind2": Draw(42, _sizes(0, 75, 35, 30, 15, 30), blind=True),
    "dev5": Draw(51, _sizes(0, 60, 25, 20, 20, 25), blind=True),
    "blind3": Draw(52, _sizes(0, 40, 15, 15, 15, 15), blind=True),
}


def labelled() -> list[dict[str, str]]:
    """The rows of the file of labels; `labels` is empty where a sentence states no finding."""
    with LABELS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reports() -> Texts:
    """uid -> report."""
    if not REPORTS.is_file():
        raise FileNotFoundError(f"the reports must be at {REPORTS}; that file is absent")
    with REPORTS.open(encoding="utf-8", newline="") as file:
        return {row["uid"]: row for row in csv.DictReader(file)}


def sentence(texts: Texts, row: dict[str, str]) -> str:
    """The sentence of a row; its hash must be the row's."""
    found = sentences(texts[row["uid"]][row["column"]])[int(row["index"])]
    got = digest(found)[:16]
    if got != row["sha256"]:
        place = f"{row['uid']}, {row['column']}, {row['index']}"
        raise ValueError(f"the sentence at {place} must have hash {row['sha256']}; got {got}")
    return found


def digest(text: str) -> str:
    """SHA-256 of a text as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def wording(text: str) -> str:
    """A sentence without what does not make it another one: case, signs, numbers, gaps."""
    return " ".join(re.findall(r"[a-z]+", text.lower().replace("xxxx", " ")))


def draw(split: str) -> list[tuple[dict[str, str], str]]:
    """(row without labels, sentence) of a draw, from reports and wordings of no earlier one.

    Every sentence of every report has the same chance; of one wording, and of one report, the
    first one is taken.
    """
    plan, texts = DRAWS[split], reports()
    later = list(DRAWS)[list(DRAWS).index(split) :]
    before = [row for row in labelled() if row["split"] not in later]
    used = {row["uid"] for row in before}
    said = {wording(sentence(texts, row)) for row in before}
    if plan.blind:
        said |= {wording(text) for uid in used for _, _, text in _all(texts[uid])}
    places = [
        (digest(f"{plan.seed} {uid} {column} {index}"), uid, column, index, text)
        for uid, report in texts.items()
        for column, index, text in _all(report)
    ]
    left, found = dict(plan.sizes), []
    for _, uid, column, index, text in sorted(places):
        stratum = next(name for name, rule in STRATA.items() if re.search(rule, text.lower()))
        if not left[stratum] or uid in used or wording(text) in said:
            continue
        left[stratum] -= 1
        used.add(uid)
        said.add(wording(text))
        row = {"uid": uid, "column": column, "index": str(index), "sha256": digest(text)[:16]}
        found.append(({**row, "split": split, "stratum": stratum}, text))
    return found


def _all(report: dict[str, str]) -> Iterator[tuple[str, int, str]]:
    """(column, index, sentence) of a report."""
    for column in COLUMNS:
        for index, text in enumerate(sentences(report[column])):
            yield column, index, text


def pairs(labels: str) -> set[tuple[str, str]]:
    """ "pneumonia: absent; scar: present" -> (finding, assertion)."""
    found = [label.rpartition(": ") for label in labels.split("; ") if label]
    return {(name, what) for name, _, what in found}


def told(text: str) -> set[tuple[str, str]]:
    """(finding, assertion) by the rules, one of each finding as `states` decides.

    In the names of the labels.
    """
    found = mentions(text)
    said = states(found, inherit=False)
    # `states` decides on "no finding" by the rest of a report; here the sentence's word counts.
    pairs = {
        (m.finding, "present" if m.finding == "no finding" else said[m.finding]) for m in found
    }
    return {(name, what) for n, what in pairs if (name := FORMERLY.get(n, n))}


def counts(split: str) -> np.ndarray:
    """[n, 3, 3] int: of each sentence, for each of KINDS, pairs hit, extra and missed."""
    texts, rows = reports(), []
    for row in labelled():
        if row["split"] == split:
            wanted, said = pairs(row["labels"]), told(sentence(texts, row))
            groups = (wanted & said, said - wanted, wanted - said)
            rows.append([[sum(w == kind for _, w in g) for g in groups] for kind in KINDS])
    return np.array(rows)


def f1(table: np.ndarray) -> dict[str, float]:
    """F1 of [n, 3, 3]: of all pairs ("all") and of each of KINDS."""
    sums = table.sum(0)
    groups = dict(zip(KINDS, sums, strict=True)) | {"all": sums.sum(0)}
    return {
        name: 2 * hit / max(2 * hit + extra + missed, 1)
        for name, (hit, extra, missed) in groups.items()
    }


def interval(table: np.ndarray, rounds: int = 2000) -> dict[str, tuple[float, float]]:
    """95 % bootstrap interval of each F1, over sentences."""
    rng = np.random.default_rng(0)
    drawn = [f1(table[rng.integers(len(table), size=len(table))]) for _ in range(rounds)]
    low, high = np.quantile([list(one.values()) for one in drawn], (0.025, 0.975), axis=0)
    return dict(zip(drawn[0], zip(low.tolist(), high.tolist(), strict=True), strict=True))


def report(split: str) -> str:
    """F1 of a split with intervals and counts, a line for each assertion."""
    table = counts(split)
    sums, spans, lines = table.sum(0), interval(table), [f"{split}: {len(table)} sentences"]
    for name, score in f1(table).items():
        hit, extra, missed = sums.sum(0) if name == "all" else sums[KINDS.index(name)]
        low, high = spans[name]
        lines.append(
            f"  {name}: F1 {score:.3f} [{low:.3f}, {high:.3f}], {hit + missed} labels:"
            f" {hit} hit, {missed} missed, {extra} extra"
        )
    return "\n".join(lines)


def _main(command: str, split: str) -> None:
    if command == "score":
        print(report(split))
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, (row, text) in enumerate(draw(split)):
        writer.writerow([*row.values(), ""])
        print(number, text, file=sys.stderr)


if __name__ == "__main__":
    _main(*sys.argv[1:3])
