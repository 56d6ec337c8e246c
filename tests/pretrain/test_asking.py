"""What the query networks share, `pretrain.asking`, and the scores that are made of it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from asclip.errors import ModelError
from asclip.pretrain.asking import check_choices, of_texts
from asclip.pretrain.decoder import Decoder
from asclip.pretrain.knowledge.kad import Kad
from asclip.pretrain.knowledge.medklip import MedKlip
from asclip.pretrain.knowledge.medslip import MedSlip
from asclip.pretrain.terms import unit
from asclip.types import Encoded

NAN = float("nan")
NETWORKS = {"kad": Kad, "medklip": MedKlip, "medslip": MedSlip}


def build(name: str, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[name](8, layers=1, heads=2, hidden=16, **options)


def sample() -> tuple[Encoded, Encoded]:
    g = torch.Generator().manual_seed(0)
    image = Encoded(torch.randn(3, 8, generator=g), torch.randn(3, 5, 8, generator=g))
    return image, Encoded(torch.randn(4, 8, generator=g))


class Counting(nn.Module):
    """A decoder that writes down how many memories and pairs it was asked."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder, self.calls = decoder, []

    def ask(self, queries, memory, valid, asked):
        self.calls.append((len(memory), int(asked.sum())))
        return self.decoder.ask(queries, memory, valid, asked)


def test_a_text_of_many_reports_is_asked_once_for_what_it_states() -> None:
    torch.manual_seed(0)
    decoder = Counting(Decoder(8, layers=1, heads=2, hidden=16, self_attention=False))
    queries, distinct = torch.randn(3, 8), torch.randn(2, 8)
    stated = torch.tensor([[1.0, NAN, 0.0], [NAN, NAN, 1.0]])
    rows = torch.tensor([1, 0, 0, 1, 0])
    text = torch.tensor([7, 9])[rows]
    answers = of_texts(decoder, queries, distinct[rows], text, stated[rows])  # pyright: ignore
    assert decoder.calls == [(2, 3)]
    for m, row in enumerate(rows):
        for f in range(3):
            alone = decoder.decoder(queries[f : f + 1], distinct[row][None, None])[0][0, 0]
            known = stated[row, f] == stated[row, f]
            torch.testing.assert_close(answers[m, f], alone if known else torch.zeros(8))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_score_is_the_querys_logit_and_the_contrasts(name: str) -> None:
    image, text = sample()
    both, query = build(name), build(name, answer="query")
    cosine = unit(image.pooled) @ unit(text.pooled).T
    wanted = query.score(image, text) + cosine / 0.07
    torch.testing.assert_close(both.score(image, text), wanted, atol=1e-5, rtol=1e-5)
    assert both.existence_score


@pytest.mark.parametrize("name", ["medklip", "medslip"])
def test_a_contrast_that_is_not_trained_scores_nothing(name: str) -> None:
    image, text = sample()
    without, query = build(name, clip_weight=0.0), build(name, answer="query")
    torch.testing.assert_close(without.score(image, text), query.score(image, text))


def test_without_queries_the_score_is_the_contrasts_alone() -> None:
    image, text = sample()
    kad = build("kad", query_weight=0.0)
    cosine = unit(image.pooled) @ unit(text.pooled).T
    torch.testing.assert_close(kad.score(image, text), cosine, atol=1e-5, rtol=1e-5)
    assert not kad.existence_score


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_asks_by_its_wordings_or_by_definitions(name: str) -> None:
    assert "queries.pooled" in build(name).needs
    published = build(name, ask="definitions").needs
    assert "definitions.pooled" in published
    assert "queries.pooled" not in published


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("theirs", "wordings", "both"), "variant must be 'paper' or 'official', got 'theirs'"),
        (("paper", "names", "both"), "ask must be 'wordings' or 'definitions', got 'names'"),
        (("paper", "wordings", "all"), "answer must be 'both' or 'query', got 'all'"),
    ],
)
def test_words_that_are_not_known_are_refused(words: tuple[str, str, str], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_choices(*words)
