"""What reports say and what is known of findings: rules, catalogues and graphs; no model, no torch.

    report text -> extract.mentions -> report_findings [F], location_matrix [F, A], triplets
    many texts  -> vectors: label vectors, similarity of reports [n, n], adjacency [F, A]
    names       -> bank (catalogue), descriptions (texts for a tower), ontology (distances)

A mention is one finding in one sentence: present, absent or uncertain, with the places and the side
that the words name. Rules (`assertions`, `alternatives`, `structures`, `places`, `wordings`,
`elsewhere`) were made for English reports, chest first; what they do not know they do not report.
Catalogues are data files with a version, written by the authors and not reviewed by a physician.
Findings are known by their name, a synonym or the name of a public label ("Edema", "NIH:Effusion");
an unknown one is a `DataError`.
`external` turns the output of CheXbert and RadGraph into the same mentions and matrices.
"""
