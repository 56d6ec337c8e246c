"""The literature: what is known of the field's papers, tied to the code that implements them.

Everything here reads versioned tables in `data/` and returns plain values; nothing imports torch,
and nothing needs a network: only `links` and `online` ask one, when told to. `catalogue` has the
papers, data sets, citations and the taxonomy; `lint` names defects of the sources; `summaries`
are our own words; `terms`, `related`, `network`, `stats` and `search` are for reading; `cite`
writes and `bring` reads the files of reference managers; `results` is what methods reached side
by side; `site/` makes pages of all that; `commands` is what the command line calls. A fact that is
not known is an empty string (a year: None), never a guess.
"""

from asclip.literature.catalogue import Catalogue, load
from asclip.literature.entry import Citation, DataSet, Paper

__all__ = ["Catalogue", "Citation", "DataSet", "Paper", "load"]
