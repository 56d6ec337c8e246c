"""Objectives: one paper, one file; each is arithmetic on embeddings and facts.

An objective takes a `Pair` of embeddings and the `Facts` of the whole batch and returns a `Loss`;
it never sees the model, pixels or ranks. Families of the survey have folders of their own
(`multiscale`, ...). Files may import `terms`, `scale`, `decoder` and `local`, never each
other.
"""
