"""`data.queries`: what a query network is asked, on studies written down here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from asclip.clinical.bank import findings
from asclip.data.dataset import Dataset
from asclip.data.facts import Knowledge
from asclip.data.further import Further
from asclip.data.queries import SELDOM, answerable, wordings
from asclip.data.texts import pieces
from asclip.types import Tokens
from clinic import clinic

NEEDS = frozenset({"queries.pooled", "facts.findings", "facts.stated"})
MASS, DENIED = "There is a mass.", "No mass."


def learn(data: Dataset, source: str = "report") -> tuple[Knowledge, dict, dict]:
    part = data.split("train")
    found = pieces(part.texts())
    known = Knowledge.learn(part, found, NEEDS, source=source)
    return known, *known.of(part, found)


def test_what_is_always_there_is_not_asked(tmp_path: Path) -> None:
    """Every report states an opacity, the parent of a mass and of a consolidation."""
    mass, other = "There is a mass.", "There is consolidation. No mass."
    data = clinic(tmp_path, [{"text": t} for t in [mass] * SELDOM + [other] * SELDOM])
    known, studies, _ = learn(data)
    plain = Knowledge.learn(
        data.split("train"), pieces(data.texts()), frozenset({"facts.findings"})
    )
    assert "lung opacity" in plain.findings
    assert "lung opacity" not in known.findings
    assert {"mass", "consolidation"} <= set(known.findings)
    # No report denies a consolidation, so silence does; a mass is denied in words.
    assert "consolidation" in known.undenied
    assert "mass" not in known.undenied
    assert known.names["undenied"] == list(known.undenied)
    column = studies["findings"][:, known.findings.index("consolidation")]
    assert column.tolist() == [0.0] * SELDOM + [1.0] * SELDOM


def test_silence_denies_neither_in_a_sentence_nor_in_doubt(tmp_path: Path) -> None:
    said = ["Possible consolidation.", "Normal heart.", ""]
    texts = ["There is consolidation."] * SELDOM + ["Normal heart."] * SELDOM + said
    known, studies, of_texts = learn(clinic(tmp_path, [{"text": text} for text in texts]))
    column = known.findings.index("consolidation")
    assert known.undenied[column] == "consolidation"
    np.testing.assert_equal(studies["findings"][-3:, column], [np.nan, 0.0, np.nan])
    assert np.isnan(of_texts["stated"][:, column]).all()


def test_labels_that_are_never_zero_are_absent_where_others_are_known(tmp_path: Path) -> None:
    one = [{"label:Mass": 1, "label:Edema": 0}] * SELDOM
    other = [{"label:Mass": None, "label:Edema": 1}] * SELDOM
    nothing = [{"label:Mass": None, "label:Edema": None}]
    known, studies, _ = learn(clinic(tmp_path, [*one, *other, *nothing]), "labels")
    assert known.undenied == ("mass",)
    column = studies["findings"][:, known.findings.index("mass")]
    np.testing.assert_equal(column, [1.0] * SELDOM + [0.0] * SELDOM + [np.nan])


def test_where_nothing_has_two_answers_all_are_asked() -> None:
    asked, undenied = answerable(np.ones((SELDOM, 2), np.float32))
    assert asked.all()
    assert undenied.all()


def test_the_wordings_name_define_and_state_a_finding() -> None:
    found = wordings("mass", {})
    assert found[0] == "mass"
    assert found[1].startswith("Mass: ")
    assert found[2] == findings()["mass"].definition
    assert "There is mass." in found
    assert not any(" no " in text.lower() for text in found[3:])
    own = wordings("frobnication", {"frobnication": "A bright frob."})
    assert own[:3] == ("frobnication", "frobnication: A bright frob.", "A bright frob.")
    assert all("frobnication" in text for text in own[3:])
    assert set(wordings("frobnication", {})[:3]) == {"frobnication"}


def test_a_step_asks_for_each_finding_in_one_of_its_own_wordings() -> None:
    ids = torch.arange(9)[:, None].repeat(1, 3)
    mask = torch.ones(9, 3, dtype=torch.bool)
    mask[:7, 1:] = False
    places = Tokens(ids[:1], mask[:1])
    knowledge = {"queries": Tokens(ids, mask), "places": places}
    further = Further(NEEDS, knowledge=knowledge, wordings=(2, 4, 3))
    seen = set()
    for step in range(60):
        known = further.known(np.random.default_rng([0, 5, step]))
        again = further.known(np.random.default_rng([0, 5, step]))
        assert torch.equal(known["queries"].ids, again["queries"].ids)
        assert known["places"] is places
        asked = known["queries"].ids[:, 0].tolist()
        assert [0 <= asked[0] < 2, 2 <= asked[1] < 6, 6 <= asked[2] < 9] == [True] * 3
        longest = 3 if asked[2] >= 7 else 1  # padding that no chosen wording needs is cut
        assert known["queries"].ids.shape == (3, longest)
        seen |= set(asked)
    assert seen == set(range(9))


@pytest.mark.parametrize("source", ["report", "both"])
def test_the_texts_are_all_wordings_one_finding_after_the_other(
    tmp_path: Path, source: str
) -> None:
    data = clinic(tmp_path, [{"text": t} for t in [MASS] * SELDOM + [DENIED] * SELDOM])
    known, _, _ = learn(data, source)
    assert [len(texts) for texts in known.wordings] == [8] * len(known.findings)
    flat = [text for texts in known.wordings for text in texts]
    assert known.texts == {"queries": flat}
