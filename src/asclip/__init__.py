"""Asclip: CLIP for medical imaging, from a hospital's files to a model, its scores and its card.

Research software, not a medical device. Importing this package imports neither torch nor
transformers; the names below load what they need when they are first used.
"""

from __future__ import annotations

__version__ = "0.1.0"
