"""Where studies come from: one file per kind of source.

Contract: a source has `name` and `studies()`, which yields `Study` objects in the same order each
time and reads no pixels. It may also have `root` (the folder that all image paths must stay in),
`notes` (sentences for the user), `refused` (pairs of path and reason), `mapping` and `digest`.
"""
