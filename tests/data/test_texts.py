from __future__ import annotations

from asclip.data.texts import pieces, told


def test_only_what_describes_the_image_is_told() -> None:
    text = "INDICATION: Cough.\nCOMPARISON: None.\nFINDINGS: No effusion.\nIMPRESSION: Normal."
    assert told(text) == "No effusion. Normal."
    assert told("A caption without headings.") == "A caption without headings."


def test_empty_texts_give_nothing_and_further_texts_count() -> None:
    found = pieces(["", "One. Two."], {"title": ["A title", ""]})
    assert found.whole.tolist()[0] == -1
    assert [len(part) for part in found.parts] == [0, 2]
    assert [len(more) for more in found.further] == [1, 0]
    assert found.usable.tolist() == [0, 1]
    assert pieces([""]).usable.tolist() == []
