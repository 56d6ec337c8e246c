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
    r"\b(?:chest|lungs?|pulmonary|pleura\w*|\w*thora\w+|hil(?:ar|um|a)|airspace|mediastin\w+"
    r"|(?:upper|middle|lower) lobes?|[rl][uml]l|cardiac|heart|retrocardiac|perihilar|lingula\w*"
    r"|(?:bi)?basilar(?! arter| cistern))\b"
)


def without_strangers(text: str, found: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """`found` (name, start, end) less what a sentence of small letters says of other organs.

    A shared word counts as the chest's finding unless the sentence names a part of the body that is
    none of the chest, and none that is.
    """
    if not _OTHER.search(text) or _CHEST.search(text):
        return found
    return [
        (name, start, end)
        for name, start, end in found
        if findings()[name].family != "chest" or not _SHARED.fullmatch(text, start, end)
    ]
