from __future__ import annotations

import pytest

from asclip.phantom.body import Body
from asclip.phantom.layout import Person, Pose
from asclip.phantom.structures import ill


@pytest.fixture(scope="session")
def person() -> Person:
    return Person(age=50, sex="M", seed=3)


@pytest.fixture(scope="session")
def healthy(person: Person) -> Body:
    return ill(person, Pose(), [])
