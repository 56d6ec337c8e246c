"""Data-efficient contrast: what reports share, views, second texts, unpaired labels."""
