"""Text-biased tasks: what the text tower alone has understood; no image is needed.

    negation             is a text nearer to its paraphrase than to its contrary; an image, too
    sentence_similarity  does the cosine of two sentences follow what they have in common
    entailment           can a linear head tell entailment, neutrality and contradiction
    probe                report -> labels by a linear probe
    report_retrieval     report -> other reports of the same findings

Contract: each is a function `(model, data, ...) -> list[Score]`; `model` needs `encode_texts` and
`preprocessing`. Sentences are generated from the clinical catalogue (`generated`, a versioned set)
for the findings that the reports of `data` speak of; their intervals are over findings, those of
reports over patients. Every number has its twin of a bag of words, task "NAME-words", which knows
which words a text has and nothing else: what it reaches needs no text tower.
"""

from __future__ import annotations
