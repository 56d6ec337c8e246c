"""From studies to batches: where studies come from, how they are split, cached and read.

Contract of this folder: `sources/` yield `Study` objects without pixels; `ingest` decodes each
file once into a folder (`dataset.json`, `studies.parquet`, `images.parquet`, `pixels.u8`,
`quarantine.csv`, `conflicts.csv`, `journal.jsonl`, `key.private`); `Dataset.open` reads it. A
patient is on one side of a split, and an identical image too. Names of patients and studies are
replaced by keyed pseudonyms; what is not known is NaN, what is not there is None.
"""
