from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch

from asclip.clinical.bank import lineage
from asclip.tasks.textual.entailment import CLASSES, entailment, features, generated
from asclip.tasks.textual.generated import Said
from asclip.tasks.textual.sentence_similarity import kin
from asclip.types import Encoded

NAMES = ("pneumothorax", "hiatal hernia", "pneumonia", "cardiomegaly", "rib fracture", "mass",
         "pleural effusion")  # fmt: skip


def follows(premise: Said, hypothesis: Said) -> str:
    """The relation by logic: a place implies its absence, a finding its parents, and no more."""
    same = hypothesis.finding == premise.finding
    if same and premise.present != hypothesis.present:
        return "contradiction"
    wider = same or (premise.present and hypothesis.finding in lineage(premise.finding))
    place = hypothesis.place in ("", premise.place) if premise.present else not hypothesis.place
    if wider and premise.present == hypothesis.present and place:
        return "entailment"
    assert same or not kin(premise.finding, hypothesis.finding)
    return "neutral"


def test_every_pair_has_the_class_that_logic_gives_it() -> None:
    pairs, classes, group = generated(NAMES, np.random.default_rng(0))
    assert {name: int((classes == name).sum()) for name in CLASSES} == dict.fromkeys(
        CLASSES, len(pairs) // 3
    )
    for (premise, hypothesis), said, number in zip(pairs, classes, group, strict=True):
        assert premise.finding == NAMES[number]
        assert premise.wording != hypothesis.wording
        assert follows(premise, hypothesis) == said


def test_features() -> None:
    u, v = np.array([[1.0, 2.0]]), np.array([[3.0, -1.0]])
    assert features(u, v).tolist() == [[1, 2, 3, -1, 2, 3, 3, -2]]


def model(vector) -> SimpleNamespace:
    def encode(texts: list[str]) -> Encoded:
        return Encoded(torch.tensor(np.stack([vector(t) for t in texts]), dtype=torch.float32))

    return SimpleNamespace(encode_texts=encode, preprocessing=SimpleNamespace(digest="abc"))


def test_a_head_hears_the_negation_only_where_the_tower_does(toy_data) -> None:
    text = " ".join(f"There is {name}." for name in NAMES)
    data = toy_data(np.ones((4, 1)), text=[text] * 4)

    def facts(text: str) -> np.ndarray:
        lower = text.lower()
        no = 1.0 if " no" in f" {lower}" else -1.0
        return np.array([float(name in lower) for name in NAMES] + [no])

    hears = {(s.task, s.metric, s.label): s for s in entailment(model(facts), data, resamples=50)}
    deaf = entailment(model(lambda t: facts(t)[:-1]), data, resamples=50)
    one, other = hears["entailment", "recall", "contradiction"], deaf[1]
    assert (one.label, other.label) == ("contradiction", "contradiction")
    assert one.value > 0.9
    assert one.value > other.value + 0.2
    top = hears["entailment", "balanced_accuracy", ""]
    assert top.low <= top.value <= top.high
    assert (top.n, top.chance) == (len(NAMES) * 24, 1 / 3)


def test_few_findings_are_said(toy_data) -> None:
    data = toy_data(np.ones((4, 1)), text=["Pneumonia. Hiatal hernia."] * 4)
    scores = entailment(model(lambda t: np.ones(2)), data)
    assert all(np.isnan(s.value) and "unlike findings" in s.why_nan for s in scores)
