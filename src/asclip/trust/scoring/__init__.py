"""What may be believed of a task's test predictions, as score records.

    calibration   ece_STAGE, adaptive_ece_STAGE, brier_STAGE, log_loss_STAGE (`probabilities`);
                  top_label_ece_STAGE where a study has one class
    coverage      conformal_present@C, conformal_absent@C: coverage at the nominal level C, per
                  label; conformal_size@C: outcomes (present, absent) left, 0 to 2;
                  conformal_lac@C, conformal_aps@C, ..._size@C where a study has one class
    abstention    aurc
    groups        es_auc, dpd, deodds with labels "LABEL by ATTRIBUTE"; the subgroup table
    rows          what they share

`chance` of a calibration error is what a perfectly calibrated model reaches by chance with as many
studies, of Brier score and log loss that of the prevalence, of AURC that of a random order.
"""

from __future__ import annotations
