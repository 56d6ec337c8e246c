"""The phantom hospital's own wordings: what it writes of a finding is what is read of it."""

from __future__ import annotations

import json
from pathlib import Path

import asclip.phantom
from asclip.clinical.extract import mentions, states

PHRASES = Path(asclip.phantom.__file__).with_name("phrases.json")
WORDS = {
    "size": "12 mm",
    "where": "in the right lower zone",
    "side": "right",
    "zone": "lower",
    "degree": "mild",
    "place": "right lower zone",
}
MEANING = {
    "present": "present",
    "impression": "present",
    "possible": "uncertain",
    "absent": "absent",
}


def test_wordings_are_read_as_they_were_meant() -> None:
    right, wrong, opposite = 0, [], []
    for finding, entry in json.loads(PHRASES.read_text(encoding="utf-8")).items():
        for kind, meaning in MEANING.items():
            for template in entry[kind]:
                text = template.format(**WORDS)
                said = states(mentions(text)).get(finding)
                right += said == meaning
                if said != meaning:
                    wrong.append((finding, text, said))
                if {said, meaning} == {"present", "absent"}:
                    opposite.append((finding, text))
    assert right >= 0.95 * (right + len(wrong)), wrong
    assert not opposite
