from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.pretrain.clip import Clip
from asclip.pretrain.multiscale.maco import MaCo
from asclip.types import Encoded, Facts, Pair

OWNER, TEXT, PATIENT = [0, 0, 1, 2, 3, 3], [10, 11, 12, 10, 13, 14], [7, 8, 7, 9]
NOTHING = Encoded(torch.zeros(0))


def setting() -> tuple[torch.Tensor, torch.Tensor, Pair, Facts]:
    g = torch.Generator().manual_seed(0)
    image = torch.randn(4, 5, 8, generator=g, requires_grad=True)
    text = torch.randn(6, 8, generator=g)
    text[3] = text[0]  # the same text
    targets = {
        "study": torch.arange(4),
        "owner": torch.tensor(OWNER),
        "text": torch.tensor(TEXT),
        "patches": torch.randn(4, 5, 6, generator=g),
        "holes": torch.tensor(
            [[1, 0, 0, 1, 1], [0, 1, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]
        ).bool(),
    }
    masked = Encoded(image.mean(1), image)
    pair = Pair(NOTHING, Encoded(text.requires_grad_()), {"masked": masked})
    return image, text, pair, Facts(torch.tensor(PATIENT), targets=targets)


def objective(*, trained: bool = True, **more) -> MaCo:
    torch.manual_seed(0)
    ours = MaCo(8, regions=5, pixels=6, temperature=0.5, **more)
    if trained:
        torch.nn.init.normal_(ours.place.weight)
    return ours


@pytest.mark.parametrize("same_text", ["positive", "negative"])
@pytest.mark.parametrize("same_patient", ["neutral", "negative"])
def test_the_formula_pair_by_pair(same_text: str, same_patient: str) -> None:
    image, text, pair, facts = setting()
    ours = objective(
        contrast_weight=0.6, restore_weight=0.3, same_text=same_text, same_patient=same_patient
    )
    loss = ours(pair, facts).total
    t = facts.targets
    weight, seen, errors = [], [], []
    for i in range(4):
        visible = 1.0 - t["holes"][i].float()
        weight.append(torch.log(1 + torch.exp(ours.place.weight[0] @ visible + ours.place.bias[0])))
        seen.append(image[i][~t["holes"][i]])
        for n in t["holes"][i].nonzero()[:, 0]:
            vector = ours.decoder(image[i, n][None], seen[i][None])[0][0, 0]
            errors.append(((ours.pixels(vector) - t["patches"][i, n]) ** 2).mean())
    once = [m for m in range(6) if same_text != "positive" or TEXT.index(TEXT[m]) == m]
    writers = [
        [OWNER[k] for k in range(6) if TEXT[k] == TEXT[m] and (same_text == "positive" or k == m)]
        for m in once
    ]

    def kind(i: int, c: int) -> str:
        if i in writers[c]:
            return "positive"
        patient = PATIENT[writers[c][0]] == PATIENT[i]
        return "neutral" if patient and same_patient == "neutral" else "negative"

    def z(i: int, c: int) -> torch.Tensor:
        return F.cosine_similarity(seen[i].mean(0), text[once[c]], dim=0) / 0.5

    def entropy(line: list[tuple[torch.Tensor, str]], factor) -> torch.Tensor:
        kept = torch.stack([factor * value for value, k in line if k != "neutral"])
        true = [factor * value for value, k in line if k == "positive"]
        return sum(kept.logsumexp(0) - value for value in true) / len(true)

    rows = [[(z(i, c), kind(i, c)) for c in range(len(once))] for i in range(4)]
    columns = [list(column) for column in zip(*rows, strict=True)]
    of_text = [sum(weight[i] for i in who) / len(who) for who in writers]
    slow = torch.zeros(())
    for lines, w in ((rows, weight), (columns, of_text)):
        slow = slow + sum(entropy(a, b) for a, b in zip(lines, w, strict=True)) / len(lines) / 4
        mean = sum(b * entropy(a, 1.0) for a, b in zip(lines, w, strict=True)) / sum(w)
        slow = slow + mean / 4
    slow = 0.6 * slow + 0.3 * sum(errors) / len(errors)
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    leaves = [image, text, ours.place.weight, ours.place.bias, ours.pixels.weight]
    for a, b in zip(
        torch.autograd.grad(loss, leaves), torch.autograd.grad(slow, leaves), strict=True
    ):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_before_training_every_place_weighs_one_and_the_contrast_is_clip() -> None:
    image, _, pair, facts = setting()
    loss = objective(trained=False, restore_weight=0.0)(pair, facts)
    torch.testing.assert_close(loss.parts["weight"], torch.tensor(1.0))
    visible = torch.stack([image[i][~facts.targets["holes"][i]].mean(0) for i in range(4)])
    clip = Clip(temperature=0.5)(Pair(Encoded(visible), pair.text), facts).total
    torch.testing.assert_close(loss.total, clip)


def test_one_study_with_everything_hidden() -> None:
    image, text, _, facts = setting()
    one = {k: v[:1] for k, v in facts.targets.items()}
    one["holes"] = torch.ones(1, 5, dtype=torch.bool)
    pair = Pair(NOTHING, Encoded(text[:1]), {"masked": Encoded(image[:1, 0], image[:1])})
    loss = objective()(pair, Facts(facts.patient[:1], targets=one))
    assert loss.parts["contrast"].abs() < 1e-6
    assert torch.isfinite(torch.autograd.grad(loss.total, image)[0]).all()


def test_nothing_hidden_has_nothing_to_restore() -> None:
    _, _, pair, facts = setting()
    none = {**facts.targets, "holes": torch.zeros(4, 5, dtype=torch.bool)}
    assert objective()(pair, Facts(facts.patient, targets=none)).parts["restored"] == 0


def test_score_is_the_cosine_of_the_mean_patch() -> None:
    image, text, pair, facts = setting()
    score = objective().score(Encoded(image[:, 0], image), Encoded(text))
    torch.testing.assert_close(
        score[2, 4], F.cosine_similarity(image[2].mean(0), text[4], dim=0).detach()
    )
    with pytest.raises(ValueError, match="regions must be those of the image tower, 5; got 7"):
        MaCo(8, regions=7, pixels=6)(pair, facts)
    bare = Encoded(pair.others["masked"].pooled)
    with pytest.raises(ValueError, match="local vectors"):
        objective()(Pair(NOTHING, pair.text, {"masked": bare}), facts)
