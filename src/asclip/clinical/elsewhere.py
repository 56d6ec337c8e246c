"""Words that chest and other organs share: oedema of the brain is none of the lung."""

from __future__ import annotations

import re

from asclip.clinical.bank import findings

_SHARED = re.compile(
    r"(?:increased )?(?:o?edema|mass(?:es)?|opacit(?:y|ies)|opacification|densit(?:y|ies)|nodules?"
    r"|cavit(?:y|ies)|cavitation|effusions?|collapse|scar(?:s|ring)?|infiltrat(?:es?|ion)"
    r"|infections?|fibrosis|congestion|volume loss)"
)
_OTHER = re.compile(
    # head and neck
    r"\b(?:brain\w*|cerebr\w+|cerebell\w+|intracranial|(?:extra|intra)-?axial|corpus callosum"
    r"|(?:white|gr[ae]y) matter|(?:temporal|parietal|occipital) (?:lobes?|bones?)|frontal lobes?"
    r"|insula\w*|thalam\w+|basal ganglia|pons|pontine|medulla\w*|(?:supra)?sellar?|pituitary"
    r"|mening\w+|dural?|orbit\w*|optic|(?:retro-?)?ocular|retin\w+|nasal|maxill\w+|mandib\w+"
    r"|mastoid\w*|\w*tympan\w+|parotid|pharyn\w+|laryn\w+|thyroid"
    # abdomen and pelvis
    r"|liver|hepatic|kidneys?|renal|adrenal|pancrea\w+|spleen|splenic|bowel|colon|colonic|ca?ecum"
    r"|appendi\w+|(?:gall)?bladder|uter\w+|ovar\w+|adnex\w+|prostat\w+|pelvi[cs]|mesent\w+"
    r"|retroperiton\w+|scrot\w+|testic\w+"
    # limbs, marrow, cord, breast
    r"|marrow|femur|femoral|tibia\w*|fibula\w*|patell\w+|knees?|ankle|foot|calcane\w+|tal(?:us|ar)"
    r"|tarsal|navicular|hip|elbow|wrist|humer\w+|spinal cord|conus|intra(?:medullary|dural)"
    r"|breasts?(?! (?:tissue|shadow|implant))"
    # weightings of magnetic resonance, which shows few chests
    r"|flair|t[12](?:w|[ -]weighted))\b"
)
_CHEST = re.compile(
    r"\b(?:chest|lungs?|pulmonary|bronch\w+|pleura\w*|\w*thora\w+|hil(?:ar|um|a)|airspace|mediastin\w+"
    r"|(?:upper|middle|lower) lobes?|[rl][uml]l|cardiac|heart|retrocardiac|perihilar|lingula\w*"
    r"|(?:bi)?basilar(?! arter| cistern))\b"
)
# Bare words of findings outside the lung, and the words beside which they mean another organ's.
_BARE = {
    "cerebral infarct": (
        r"(?:acute )?infarct(?:s|ions?)?",
        re.compile(
            rf"{_CHEST.pattern}|\bmyocardi\w+|\b(?:splen\w+|renal|kidneys?|bowel|hepatic)\b"
        ),
    ),
    "intracranial haemorrhage": (
        r"acute ha?emorrhages?",
        re.compile(rf"{_CHEST.pattern}|\b(?:liver|hepatic|splen\w+|renal|kidneys?|bowel)\b"),
    ),
    "sinusitis": (
        r"mucosal thickening",
        re.compile(
            rf"{_CHEST.pattern}|\b(?:airways?|gastric|stomach|bowel|colon\w*|bladder|o?esophag\w+)\b"
        ),
    ),
    "ascites": (r"free fluid", re.compile(r"\b(?:pleura\w*|\w*thorax|pericardi\w+|joint|knee)\b")),
    "diaphragmatic hernia": (
        r"hernias?",
        re.compile(
            r"\b(?:inguinal|femoral|obturator|(?:para|peri)?-?umbilical|ventral|epigastric|incisional"
            r"|spigelian|lumbar|parastomal|abdominal wall|dis[ck]|brain|uncal|tonsillar)\b"
        ),
    ),
    "empyema": (r"empyemas?", re.compile(r"\b(?:subdural|epidural|gallbladder|joint)\b")),
}
_CLAUSE = re.compile(r"[.;:,]|\b(?:and|or|but|with|without)\b")
_AORTA = re.compile(r"\b(?:aort\w+|arch)\b")
_ANEURYSM = re.compile(r"aneurysms?|aneurysmal (?:dilatation|dilation)s?")


def without_strangers(text: str, found: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """`found` (name, start, end) less what a sentence of small letters says of other organs.

    A shared word counts as the chest's finding unless the sentence names a part of the body that is
    none of the chest, and none that is. A bare word of another organ's finding counts unless its
    clause names a stranger to it ("infarct of the lung"), and an aneurysm is the aorta's only where
    the sentence names the aorta, since every artery may have one.
    """
    found = [row for row in found if not _astray(text, *row)]
    if not _OTHER.search(text) or _CHEST.search(text):
        return found
    return [
        (name, start, end)
        for name, start, end in found
        if findings()[name].family != "chest" or not _SHARED.fullmatch(text, start, end)
    ]


def _astray(text: str, name: str, start: int, end: int) -> bool:
    """Whether the words from `start` to `end` are bare, and their clause puts them elsewhere."""
    if name == "aortic aneurysm":
        return bool(_ANEURYSM.fullmatch(text, start, end)) and not _AORTA.search(text)
    if name not in _BARE:
        return False
    bare, strangers = _BARE[name]
    if not re.fullmatch(bare, text[start:end]):
        return False
    before = _CLAUSE.split(text[:start])[-1]
    after = _CLAUSE.split(text[end:], maxsplit=1)[0]
    return bool(strangers.search(before) or strangers.search(after))
