"""The literature and the methods as pages that work offline: `build(folder, methods)`.

The folder opens from disk: nothing is loaded from a network, every link is relative, tables work
without scripts. `view` and `atlas` say what a page shows, `templates/` how; `formula` typesets,
`figures` and `layout` draw, `library` brings the one foreign script, which is never stored here.
"""

from asclip.literature.site.atlas import Method, Parameter
from asclip.literature.site.build import build

__all__ = ["Method", "Parameter", "build"]
