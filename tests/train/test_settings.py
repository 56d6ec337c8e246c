from __future__ import annotations

import pytest

from asclip.errors import ModelError
from asclip.train.settings import Settings


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lock", "half", "lock must be one of"),
        ("texts", "words", "texts must be one of"),
        ("precision", "fp8", "precision must be one of"),
        ("batch", 0, "batch must be at least 1"),
        ("lr", 0.0, "lr must be positive"),
        ("epochs", float("nan"), "epochs must be a finite number"),
        ("lr", float("inf"), "lr must be a finite number"),
        ("chunk", -1, "chunk must not be negative"),
        ("seed", -1, "seed must not be negative"),
        ("dropout", 1.0, r"dropout must be in \[0, 1\)"),
    ],
)
def test_values_that_cannot_work_are_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Settings(**{name: value})


def test_types_of_all_fields() -> None:
    types = Settings.types()
    assert types["lr"] is float
    assert types["batch"] is int
    assert types["lock"] is str
    assert all(name in (Settings.__doc__ or "") for name in types)
