"""The report card: one self-contained HTML page, like the appendix of a paper.

    from asclip.card import Card, write
    write("runs/clip/card.html", Card(title="CLIP on chest films", scores=scores, ...))

Contract: a `Card` holds plain facts and arrays (content.py); `write` turns it into one file that
needs no network, no script and no other file; `write_readme` tells the same as a model card. Only
what the card holds is shown; identifiers of patients and studies and absolute paths never are
(privacy.py). Plots are inline SVG whose colours
follow the page (plots.py), pictures are inline PNG or JPEG (pictures.py).
"""

from asclip.card.comparison import write_comparison
from asclip.card.content import Card, Explained, Heatmap, Judged, RetrievalExample
from asclip.card.difference import write_difference
from asclip.card.modelcard import write_readme
from asclip.card.page import write

__all__ = [
    "Card",
    "Explained",
    "Heatmap",
    "Judged",
    "RetrievalExample",
    "write",
    "write_comparison",
    "write_difference",
    "write_readme",
]
