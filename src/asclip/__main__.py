"""`python -m asclip`."""

from __future__ import annotations

import sys

from asclip.cli import main

if __name__ == "__main__":
    sys.exit(main())
