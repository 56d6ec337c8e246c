"""Entity-centred gaps: who is hidden, with what chance, and what a restored word weighs."""

from __future__ import annotations

import re

import numpy as np
import pytest

from asclip.data.entities import AROUND, LIGHT, Marks, marks
from asclip.towers.tokenizer import Tokenizer

TEXTS = [
    "There is no evidence of a small left pleural effusion. The heart is enlarged.",
    "There is no acute process.",
    "There is no",
    "Clear. Effusion; nodule",
    "A cavitary nodule, no mass",
    "Nothing to see",
]
KINDS = {  # e: entity, d: descriptor, o: other, by hand, word by word (punctuation is a word)
    TEXTS[0]: "oooooodd" + "ee" + "o" + "de" + "ooo",
    TEXTS[1]: "oooooo",
    TEXTS[2]: "ooo",
    TEXTS[3]: "oo" + "e" + "o" + "e",
    TEXTS[4]: "dd" + "e" + "dd" + "e",
    TEXTS[5]: "ooo",
}


def whole_words(text: str) -> list[tuple[int, int, int]]:
    found = re.finditer(r"\w+|[^\w\s]", text)
    return [(match.start(), match.end(), number) for number, match in enumerate(found)]


def slow(text: str, kinds: str, gaps: float) -> tuple[list[float], list[float]]:
    """Chances and weights as the table in the module's docstring has them, token by token."""
    words = re.findall(r"\w+|[^\w\s]", text.lower())
    light = set[int]()
    for phrase in ("there is no evidence of", "there is no"):
        parts = phrase.split()
        for start in range(len(words)):
            if words[start : start + len(parts)] == parts:
                light |= set(range(start, start + len(parts)))
    chances = {
        "e": gaps,
        "d": 1.0 if gaps else 0.0,
        "o": min(gaps, AROUND) if "e" in kinds else gaps,
    }
    n, d = len(words), sum(k == "d" for k in kinds)
    both = sum(kinds[i] == "d" for i in light)
    if d:
        gain = ((1 - LIGHT) * (len(light) - both) + d) / (d - (1 - LIGHT) * both)
        weights = [
            (LIGHT if i in light else 1) * (gain if kinds[i] == "d" else 1) for i in range(n)
        ]
    elif len(light) < n:
        gain = (n - LIGHT * len(light)) / (n - len(light))
        weights = [LIGHT if i in light else gain for i in range(n)]
    else:
        weights = [LIGHT] * n
    return [chances[kind] for kind in kinds], weights


@pytest.mark.parametrize("gaps", [0.75, 0.5, 0.0])
@pytest.mark.parametrize("text", TEXTS)
def test_chances_and_weights_word_by_word(text: str, gaps: float) -> None:
    found = marks(text, whole_words(text), gaps)
    chances, weights = slow(text, KINDS[text], gaps)
    np.testing.assert_allclose(found.chance, chances, atol=1e-6)
    np.testing.assert_allclose(found.weight, weights, atol=1e-5)


@pytest.mark.parametrize("text", TEXTS)
def test_pieces_of_a_word_have_its_marks(text: str) -> None:
    tokenizer = Tokenizer.train(["e", "f"] * 2, known=[*"abcdefghijklmnopqrstuvwxyz.,;"])
    places = tokenizer.places(text)
    assert len(places) > len(whole_words(text))  # letters
    found, whole = marks(text, places, 0.6), marks(text, whole_words(text), 0.6)
    number = [word for _, _, word in places]
    np.testing.assert_array_equal(found.chance, whole.chance[number])
    assert found.first.tolist() == [number.index(word) for word in number]
    if "no" != text.split()[-1]:  # a text of nothing but an empty phrase stays light
        assert found.weight.sum() == pytest.approx(len(places), rel=1e-5)


def test_special_tokens_are_never_hidden_and_weigh_nothing() -> None:
    found = marks("no mass", [(0, 0, -1), (0, 2, 0), (3, 7, 1), (0, 0, -1)], 0.75)
    assert found.chance.tolist() == [0.0, 1.0, 0.75, 0.0]
    assert found.weight.tolist() == [0.0, 1.0, 1.0, 0.0]
    assert found.first.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("text", "places"), [("", [(0, 0, -1)]), ("", [])])
def test_a_text_without_words(text: str, places: list[tuple[int, int, int]]) -> None:
    found: Marks = marks(text, places, 0.75)
    assert not found.chance.any()
    assert not found.weight.any()
    assert len(found.first) == len(places)


def test_a_cut_text_keeps_the_places_of_what_is_left() -> None:
    tokenizer = Tokenizer.train(["no pleural effusion or mass", "or mass, no pleural effusion"])
    text = "No pleural effusion or mass"
    places = tokenizer.places(text, max_length=3)
    assert [text[a:b] for a, b, _ in places] == ["No", "pleural", "effusion"]
    assert len(places) == tokenizer.encode([text], max_length=3).ids.shape[1]
