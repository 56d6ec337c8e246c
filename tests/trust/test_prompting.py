from __future__ import annotations

from itertools import pairwise

import pytest

from asclip.data.prompts import ClassPrompts, PromptSet, list_prompt_sets, load_prompt_set
from asclip.trust.prompting import TYPING, affirmed, denied, misspelt, templates, typing

SET = PromptSet(
    "toy",
    "1",
    "multi-label",
    {
        "mass": ClassPrompts(("There is a mass.", "A mass.", "Mass seen."), ("No mass.",)),
        "nodule": ClassPrompts(("Pulmonary nodule.",)),
    },
)
SENTENCE = "There is a large pleural effusion on the left, and no pneumothorax."


def test_templates_ask_every_prompt_once_at_least() -> None:
    found = templates(SET)
    assert [t.classes["mass"].positive for t in found] == [
        ("There is a mass.",),
        ("A mass.",),
        ("Mass seen.",),
    ]
    assert all(t.classes["mass"].negative == ("No mass.",) for t in found)
    assert all(t.classes["nodule"].positive == ("Pulmonary nodule.",) for t in found)
    assert all(t.classes["nodule"].negative == () for t in found)


@pytest.mark.parametrize("name", list_prompt_sets())
def test_every_packaged_set_can_be_changed(name: str) -> None:
    prompts = load_prompt_set(name)
    for label, part in prompts.classes.items():
        every = [text for t in templates(prompts) for text in t.classes[label].positive]
        assert set(every) == set(part.positive)
    for severity in range(1, len(TYPING) + 1):
        changed = typing(prompts, severity)
        assert changed.labels == prompts.labels
        assert changed.id != prompts.id


def edits(a: str, b: str) -> int:
    """Letters to insert or drop between two words."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a):
        before, row = row, [i + 1] * (len(b) + 1)
        for j, other in enumerate(b):
            row[j + 1] = before[j] if letter == other else 1 + min(before[j + 1], row[j])
    return row[-1]


@pytest.mark.parametrize("seed", range(8))
def test_errors_are_small_grow_with_the_share_and_spare_the_short_words(seed: int) -> None:
    before = SENTENCE.split(" ")
    wrong: list[set[int]] = []
    for share in TYPING:
        after = misspelt(SENTENCE, share, seed=seed).split(" ")
        wrong.append({k for k, word in enumerate(before) if after[k] != word})
        assert all(edits(before[k], after[k]) <= 2 for k in wrong[-1])
    assert all(small <= large for small, large in pairwise(wrong))
    assert len(wrong[0]) == 1
    long = {k for k, word in enumerate(before) if sum(map(str.isalpha, word)) > 3}
    assert wrong[-1] == long
    assert before.index("no") not in wrong[-1]
    assert misspelt(SENTENCE, 0.4, seed=seed) == misspelt(SENTENCE, 0.4, seed=seed)


def test_words_without_long_ones_stay() -> None:
    assert misspelt("No CT of it", 1.0) == "No CT of it"


def test_affirmed_and_denied_are_the_two_halves() -> None:
    yes, no = affirmed(SET), denied(SET)
    assert yes is not None
    assert no is not None
    assert yes.labels == no.labels == ("mass",)
    assert yes.classes["mass"] == ClassPrompts(SET.classes["mass"].positive)
    assert no.classes["mass"] == ClassPrompts(("No mass.",))
    assert denied(SET.only("nodule")) is None
    assert denied(load_prompt_set("modality")) is None
