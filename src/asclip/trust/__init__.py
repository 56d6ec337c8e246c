"""Trust: what may be believed of predictions, from the predictions alone.

Contract of this folder: everything is fitted on validation predictions and told about test
predictions of other patients. Every guarantee states what it needs (exchangeable studies, a
number of them), and a number that cannot be given is NaN with its reason.

    scaling      scores -> probabilities: temperature, Platt
    conformal    sets that hold the truth with a stated probability
    shift        do two splits score alike? The sets' guarantee needs it
    abstention   risk against coverage
    subgroups    prevalence, AUROC and gaps by group; the groups themselves from metadata
    fairness     gaps over all groups of an attribute: ES-AUC, DPD, DEOdds
    probabilities  the stages of a task's predictions: raw, temperature, Platt
    explain/     maps of where an answer comes from, and their scores
    scoring/     all of these as score records
"""

from __future__ import annotations
