from __future__ import annotations

import random

import pytest

from asclip.errors import DataError, ModelError
from asclip.towers.tokenizer import Tokenizer

CORPUS = [f"the lung shows a nodule of {n} mm, no effusion" for n in range(40)]


def test_the_order_of_the_texts_does_not_matter():
    shuffled = [*CORPUS, *CORPUS[:3]]
    random.Random(3).shuffle(shuffled)
    first = Tokenizer.train(CORPUS, vocabulary=200).core.to_str()
    assert Tokenizer.train(shuffled, vocabulary=200).core.to_str() == first


def test_a_name_in_one_report_is_not_in_the_vocabulary():
    texts = [*CORPUS, "dictated for Throckmorton, no effusion", "dictated, no effusion"]
    one = Tokenizer.train(texts, vocabulary=2000)
    vocabulary = one.core.get_vocab()
    assert "effusion" in vocabulary
    assert "dictated" in vocabulary
    assert not [t for t in vocabulary if len(t.strip("#")) > 3 and t.strip("#") in "throckmorton"]
    # the same report twice (two images of one study) is still one text
    again = Tokenizer.train([*texts, texts[-2]], vocabulary=2000)
    assert "throckmorton" not in again.core.get_vocab()
    # the unknown word is spelled, not lost
    assert "".join(w.strip("#") for w in one.words("Throckmorton")) == "throckmorton"


def test_ids_and_mask_are_padded_to_the_longest():
    tokenizer = Tokenizer.train(CORPUS, vocabulary=300)
    tokens = tokenizer.encode(["no effusion", "", "The LUNG shows a nodule"])
    assert tokens.mask.sum(1).tolist() == [2, 1, 5]
    assert tokens.ids.shape == (3, 5)
    assert not tokens.ids[~tokens.mask].any()
    assert tokenizer.words("") == ["[CLS]"]
    assert tokenizer.words("the lung") == ["the", "lung"]


def test_long_texts_are_cut_and_counted():
    tokenizer = Tokenizer.train(CORPUS, vocabulary=300)
    tokens = tokenizer.encode([CORPUS[0], "no effusion"], max_length=4)
    assert tokens.ids.shape == (2, 4)
    assert tokenizer.truncated == 1
    whole = tokenizer.encode([CORPUS[0]])
    assert tokenizer.truncated == 1
    assert whole.ids[0, :4].tolist() == tokens.ids[0].tolist()


def test_saved_and_loaded_it_gives_the_same_ids(tmp_path):
    tokenizer = Tokenizer.train(CORPUS, vocabulary=300)
    tokenizer.save(tmp_path / "tokenizer.json")
    for source in (tmp_path, tmp_path / "tokenizer.json"):
        loaded = Tokenizer.load(source)
        assert loaded.vocabulary == tokenizer.vocabulary
        assert loaded.encode(CORPUS).ids.equal(tokenizer.encode(CORPUS).ids)


def test_what_does_not_fit_is_said(tmp_path):
    with pytest.raises(DataError, match="at least one text"):
        Tokenizer.train(["", "  "])
    with pytest.raises(ModelError, match=r"tokenizer\.json is not in the folder"):
        Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="not a readable tokenizer"):
        Tokenizer.load(tmp_path)


def test_a_pretrained_tokenizer_keeps_its_last_token_when_a_text_is_cut(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    core = Tokenizer.train(CORPUS, vocabulary=300).core
    cls, unk = core.token_to_id("[CLS]"), core.token_to_id("[UNK]")
    core.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [UNK]", special_tokens=[("[CLS]", cls), ("[UNK]", unk)]
    )
    core.save(str(tmp_path / "tokenizer.json"))
    ids = Tokenizer.from_hub(str(tmp_path)).encode([CORPUS[0]], max_length=5).ids[0].tolist()
    assert (ids[0], ids[-1], len(ids)) == (cls, unk, 5)
