"""Cross-modal tasks: from an image to texts and back."""

from __future__ import annotations
