"""Beyond one image and one text: groups, metadata, further modalities, time, captions."""
