from __future__ import annotations

import numpy as np
import pytest

from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.errors import DataError
from asclip.tasks.classification.truth import class_truth, classes_in, label_truth, truth_of

NAN = float("nan")
SOME = ClassPrompts(("yes",), ("no",))
FINDINGS = PromptSet(
    "f", "1", "multi-label", {"Mass": SOME, "Effusion": SOME, "Edema": SOME},
    aliases={"tumour": "Mass"},
)  # fmt: skip
MODALITY = PromptSet(
    "m", "1", "single-label", {name: SOME for name in ("CT", "MR", "US")}, column="modality",
    aliases={"MRI": "MR"},
)  # fmt: skip


def test_labels_follow_the_set_and_the_rest_is_said(toy_data) -> None:
    data = toy_data(
        np.zeros((3, 2)),
        label__tumour=[1, 0, NAN],
        label__Rash=[1, 1, 0],
        label__effusion=[0, 0, 1],
    )
    truth = label_truth(FINDINGS, data)
    assert truth.labels == ("Mass", "Effusion", "Rash")
    np.testing.assert_array_equal(truth.values, [[1, 0, 1], [0, 0, 1], [NAN, 1, 0]])
    assert truth.notes["labels_without_prompts"] == ["Rash"]
    assert truth.notes["classes_not_in_data"] == ["Edema"]


def test_labels_that_fit_nothing_or_twice_are_refused(toy_data) -> None:
    with pytest.raises(DataError, match=r"no label fits .*'Rash'.*'Mass'"):
        label_truth(FINDINGS, toy_data(np.zeros((1, 2)), label__Rash=[1]))
    with pytest.raises(DataError, match="both mean 'Mass'"):
        label_truth(FINDINGS, toy_data(np.zeros((1, 2)), label__Mass=[1], label__tumour=[1]))


def test_names_alone(toy_data) -> None:
    data = toy_data(np.zeros((2, 2)), label__a=[1, 0], label__b=[NAN, 1])
    np.testing.assert_array_equal(truth_of(["b"], data).values, [[NAN], [1]])
    with pytest.raises(DataError, match="no label 'bb'; did you mean 'b'"):
        truth_of(["bb"], data)


def test_one_class_from_a_meta_column(toy_data) -> None:
    data = toy_data(np.zeros((5, 2)), meta__modality=["ct", "MRI", "", "Drawing", None])
    truth = class_truth(MODALITY, data)
    assert truth.labels == ("CT", "MR")  # US does not occur and is no candidate
    expected = [[1, 0], [0, 1], [NAN, NAN], [NAN, NAN], [NAN, NAN]]
    np.testing.assert_array_equal(truth.values, expected)
    assert truth.notes["studies_without_value"] == 2
    assert truth.notes["studies_with_other_value"] == 1
    assert truth.notes["classes_not_in_data"] == ["US"]


def test_candidates_may_be_fixed_and_one_is_never_alone(toy_data) -> None:
    data = toy_data(np.zeros((2, 2)), meta__modality=["CT", "CT"])
    assert class_truth(MODALITY, data).labels == ("CT", "MR", "US")
    fixed = class_truth(MODALITY, data, classes=("MR", "US"))
    assert np.isnan(fixed.values).all()


def test_one_class_from_views_and_from_labels(toy_data) -> None:
    views = PromptSet("v", "1", "single-label", {"PA": SOME, "L": SOME}, column="view")
    data = toy_data(np.zeros((3, 2)), views=["PA", "L", "PA"])
    data.images.loc[3] = (0, "L")  # study 0 has a PA and an L
    np.testing.assert_array_equal(class_truth(views, data).values, [[NAN] * 2, [0, 1], [1, 0]])
    data = toy_data(np.zeros((3, 2)), label__CT=[1, 0, 1], label__MR=[0, 1, 1])
    np.testing.assert_array_equal(class_truth(MODALITY, data).values, [[1, 0], [0, 1], [NAN] * 2])


def test_which_sets_a_data_set_can_answer(toy_data) -> None:
    data = toy_data(np.zeros((2, 2)), meta__modality=["MRI", "CT"], label__tumour=[1, 0])
    assert classes_in(MODALITY, data) == ("CT", "MR")
    assert classes_in(FINDINGS, data) == ("Mass",)
    views = PromptSet("v", "1", "single-label", {"PA": SOME, "L": SOME}, column="view")
    assert classes_in(views, data) == ()
    assert classes_in(views, toy_data(np.zeros((2, 2)), views=["PA", "L"])) == ("PA", "L")


def test_missing_column_and_foreign_values_are_refused_with_what_is_there(toy_data) -> None:
    with pytest.raises(DataError, match=r"needs the meta column 'modality'.*meta:modality=COLUMN"):
        class_truth(MODALITY, toy_data(np.zeros((1, 2)), meta__modalty=["CT"]))
    data = toy_data(np.zeros((4, 2)), meta__modality=["Drawing"] * 3 + ["Jane Doe"])
    with pytest.raises(DataError, match="the data have 'Drawing', the set has 'CT'") as error:
        class_truth(MODALITY, data)
    assert "Jane" not in str(error.value)  # a rare value is never shown
