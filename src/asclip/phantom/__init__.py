"""A hospital of phantoms: a 3-D chest with known truth, and all that a hospital writes about it.

    person + findings -> body (analytic solids, HU) -> film, CT -> boxes, masks
                                                    -> report, statements, questions

`hospital.write` puts it on disk as DICOM files and `reports.csv`. All lengths are mm in RAS+
patient coordinates (x to the patient's right, y to the front, z to the head; z = 0 at the carina).
Films are in standard display: the patient's right is at the left of the image, PA and AP alike.
Everything follows from a seed: patient p of seed s is the same in a hospital of any size.
"""
