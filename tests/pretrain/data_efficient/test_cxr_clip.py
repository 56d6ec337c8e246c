from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.pretrain.clip import Clip
from asclip.pretrain.data_efficient.cxr_clip import CxrClip
from asclip.types import Encoded, Facts, Pair

OWNER, TEXT, PATIENT = [0, 0, 1, 2, 3, 3], [10, 11, 12, 10, 13, 14], [7, 8, 7, 9]
Streams = dict[str, torch.Tensor]


def streams(texts: int = 6) -> Streams:
    g = torch.Generator().manual_seed(0)
    counts = {"image": 4, "view": 4, "text": texts, "second": 4}
    return {k: torch.randn(n, 6, generator=g).requires_grad_() for k, n in counts.items()}


def pair_of(x: Streams) -> Pair:
    image, text, view, second = (Encoded(x[k]) for k in ("image", "text", "view", "second"))
    return Pair(image, text, {"view": view, "second": second})


def facts(view: list[bool], second: list[bool], *, several: bool = True) -> Facts:
    rows = torch.arange(4)
    texts = {"owner": torch.tensor(OWNER), "text": torch.tensor(TEXT)}
    return Facts(
        torch.tensor(PATIENT),
        targets={
            "study": rows,
            **(texts if several else {"owner": rows, "text": rows}),
            "has_view": torch.tensor(view),
            "has_second": torch.tensor(second),
        },
    )


def compare(loss: torch.Tensor, slow: torch.Tensor, x: Streams) -> None:
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    ours, theirs = (
        torch.autograd.grad(value, list(x.values()), retain_graph=True, allow_unused=True)
        for value in (loss, slow)
    )
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, torch.zeros_like(a) if b is None else b, atol=1e-5, rtol=1e-5)


def test_everything_there_is_the_published_sum() -> None:
    x = streams(4)
    everyone = facts([True] * 4, [True] * 4, several=False)
    loss = CxrClip(temperature=0.1, same_text="negative")(pair_of(x), everyone).total
    unit = {k: F.normalize(value, dim=1) for k, value in x.items()}

    def nce(a: str, b: str) -> torch.Tensor:
        z, here = unit[a] @ unit[b].T / 0.1, torch.arange(4)
        return (F.cross_entropy(z, here) + F.cross_entropy(z.T, here)) / 2

    four = [nce(a, b) for a in ("image", "view") for b in ("text", "second")]
    slow = sum(four) / 4 + nce("image", "view") + 0.5 * nce("text", "second")
    compare(loss, slow, x)


@pytest.mark.parametrize("same_text", ["positive", "negative"])
@pytest.mark.parametrize("same_patient", ["neutral", "negative"])
def test_what_is_missing_is_left_out(same_text: str, same_patient: str) -> None:
    """Pair by pair: only streams that exist, every term weighed by its studies."""
    x = streams()
    with torch.no_grad():
        x["text"][3] = x["text"][0]
    viewed, told = [True, False, True, True], [True, True, False, True]
    objective = CxrClip(
        temperature=0.5,
        image_weight=0.8,
        text_weight=0.3,
        same_text=same_text,
        same_patient=same_patient,
    )
    loss = objective(pair_of(x), facts(viewed, told)).total
    unit = {k: F.normalize(value, dim=1) for k, value in x.items()}
    here = {"image": [0, 1, 2, 3], "view": [0, 2, 3], "second": [0, 1, 3]}
    here["text"] = [m for m in range(6) if same_text != "positive" or TEXT.index(TEXT[m]) == m]

    def kind(i: int, name: str, m: int) -> str:
        writers = [m]
        if name == "text":
            same = [OWNER[k] for k in range(6) if TEXT[k] == TEXT[m]]
            writers = same if same_text == "positive" else [OWNER[m]]
        if i in writers:
            return "positive"
        patient = PATIENT[writers[0]] == PATIENT[i]
        return "neutral" if patient and same_patient == "neutral" else "negative"

    def nce(a: str, b: str) -> torch.Tensor:
        rows = [[(unit[a][i] @ unit[b][m] / 0.5, kind(i, b, m)) for m in here[b]] for i in here[a]]
        total = torch.zeros(())
        for lines in (rows, [list(column) for column in zip(*rows, strict=True)]):
            each = []
            for line in lines:
                kept = torch.stack([value for value, k in line if k != "neutral"])
                true = [value for value, k in line if k == "positive"]
                if true:
                    each.append(sum(kept.logsumexp(0) - value for value in true) / len(true))
            total = total + sum(each) / len(each) / 2
        return total

    four = 4 * nce("image", "text") + 3 * nce("view", "text")
    four = four + 3 * nce("image", "second") + 2 * nce("view", "second")
    slow = four / 12 + 0.8 * nce("image", "view") + 0.3 * nce("second", "text")
    compare(loss, slow, x)


def test_a_stand_in_changes_nothing() -> None:
    x, known = streams(), facts([True, False, True, True], [True, True, False, True])
    loss = CxrClip()(pair_of(x), known).total
    other = {k: value.detach().clone() for k, value in x.items()}
    other["view"][1], other["second"][2] = 9.0, -9.0
    torch.testing.assert_close(CxrClip()(pair_of(other), known).total, loss)


def test_nobody_has_a_view_or_a_second_text() -> None:
    x, none = streams(), facts([False] * 4, [False] * 4)
    loss = CxrClip()(pair_of(x), none).total
    torch.testing.assert_close(loss, Clip()(pair_of(x), none).total)
    grads = torch.autograd.grad(loss, [x["view"], x["second"]])
    assert all((grad == 0).all() for grad in grads)


def test_one_study() -> None:
    x = {k: value[:1] for k, value in streams().items()}
    one = Facts(
        torch.tensor([1]),
        targets={
            **{k: torch.tensor([0]) for k in ("study", "owner", "text")},
            **{k: torch.tensor([True]) for k in ("has_view", "has_second")},
        },
    )
    assert CxrClip()(pair_of(x), one).total.abs() < 1e-6
