"""Tasks: downstream questions, in the survey's own order.

Contract of this folder: a task predicts once (`predict(model, data) -> Predictions`) and evaluates
as often as wanted without the model (`evaluate(predictions) -> list[Score]`). Scores come from the
predictions alone, never from a batch; a threshold is chosen on validation predictions that are
passed in; every score has its number of studies, an interval over patients and what chance
reaches, and a NaN has its reason. A model is anything with `encode_images`, `encode_texts`,
`score`, `scale` and `preprocessing`.

    classification/   zero-shot by prompts or by descriptors, a concept bottleneck, the bound
    crossmodal/       retrieval between images and texts
    textual/          negation, sentence similarity, entailment, report -> labels, report retrieval
"""

from __future__ import annotations
