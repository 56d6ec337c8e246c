"""The report card: one self-contained HTML page, like the appendix of a paper.

    from asclip.card import Card, write
    write("runs/clip/card.html", Card(title="CLIP on chest films", scores=scores, ...))

Contract: a `Card` holds plain facts and arrays (content.py); `write` turns it into one file that
needs no network, no script and no other file. Only what the card holds is shown; identifiers of
patients and studies and absolute paths never are (privacy.py). Plots are inline SVG whose colours
follow the page (plots.py), pictures are inline PNG or JPEG (pictures.py).
"""

from asclip.card.comparison import write_comparison
from asclip.card.content import Card, Heatmap, RetrievalExample
from asclip.card.page import write

__all__ = ["Card", "Heatmap", "RetrievalExample", "write", "write_comparison"]
