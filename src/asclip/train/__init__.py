"""From a run's objects to trained weights: one loop, two steps (plain, cached), resumable.

The step gathers embeddings over ranks, asks the objective and sends the gradient back; nothing
else in the house knows of ranks, chunks or precision.
"""
