"""Multi-scale (global and local) contrast: words, sentences, regions and prototypes."""
