from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest

from asclip.errors import DataError
from asclip.literature import Catalogue, Citation, Paper, load
from asclip.literature.network import network
from asclip.literature.related import guess_leaf, leave_one_out, linked, related
from asclip.literature.search import counts, narrow, search
from asclip.literature.stats import stats
from asclip.literature.terms import key_terms
from asclip.literature.words import frequencies, weigh

SMALL = Catalogue(
    papers=tuple(Paper(key, f"title {key}") for key in "abcde"),
    citations=tuple(Citation(a, b, "", "") for a, b in ["ab", "ca", "cd", "ed"]),
)


def test_weights_against_the_formula_written_plainly() -> None:
    texts = ["chest image", "chest report", "brain image"]
    counts, number = frequencies(texts)
    weights = weigh(texts[0], counts, number)
    raw = {"chest": math.log(4 / 3) + 1, "image": math.log(4 / 3) + 1}
    raw["chest image"] = math.log(4 / 2) + 1
    length = math.sqrt(sum(value**2 for value in raw.values()))
    assert weights == pytest.approx({term: value / length for term, value in raw.items()})


def test_the_same_weights_as_scikit_learn() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    from asclip.literature.words import STOP

    texts = [paper.title.replace(":", " ").replace("?", " ") for paper in load().papers]
    texts = [" ".join(word for word in text.split() if word.isalpha()) for text in texts]
    peer = TfidfVectorizer(ngram_range=(1, 2), stop_words=sorted(STOP))
    matrix = peer.fit_transform(texts).toarray()
    counts, number = frequencies(texts)
    for row, text in zip(matrix[:40], texts, strict=False):
        names = peer.get_feature_names_out()
        theirs = {names[place]: row[place] for place in row.nonzero()[0]}
        assert weigh(text, counts, number) == pytest.approx(theirs)


def test_key_terms_are_twenty_at_most_and_an_abstract_is_not_kept() -> None:
    paper = load().paper("zhao2025clip")
    assert len(key_terms(paper, load())) <= 20
    words = "Alignment of medical images. Alignment of regions. " * 3 + "Once a zebra."
    terms = dict(key_terms(paper, load(), abstract=words, number=8))
    assert max(terms, key=terms.__getitem__) == "alignment"
    assert "zebra" not in terms
    assert list(terms.values()) == sorted(terms.values(), reverse=True)
    assert "zebra" not in str(load().paper("zhao2025clip"))


def test_related_papers_of_the_same_leaf_come_first_though_their_place_is_hidden() -> None:
    found = leave_one_out(load())
    assert found["ratio"] >= 3, found
    assert found["papers"] > 150


def test_what_nearly_all_cite_joins_less_than_what_few_cite() -> None:
    papers = tuple(Paper(key, f"title {key}") for key in "abcdehr")
    pairs = ["ah", "bh", "ch", "dh", "ar", "br", "ae"]  # h is cited by four, r by two
    known = Catalogue(papers, citations=tuple(Citation(a, b, "", "") for a, b in pairs))
    assert linked("a", "e", known) == linked("e", "a", known) == 1
    assert linked("a", "c", known) == pytest.approx(1 / 4)
    assert linked("a", "b", known) == pytest.approx(1 / 4 + 1 / 2)
    assert linked("c", "e", known) == 0


def test_related_leaves_out_the_paper_and_its_repetition() -> None:
    found = related(load().paper("qin2024freeze"), load(), number=20)
    keys = [item["key"] for item in found]
    assert not {"qin2024freeze", "qin2024freeze-2"} & set(keys)
    assert all(not load().keys[key].same_as for key in keys)
    assert [item["score"] for item in found] == sorted((i["score"] for i in found), reverse=True)


def test_a_new_paper_is_placed_beside_papers_with_its_words() -> None:
    new = Paper("new", "Visual question answering of radiology by prefix tuning")
    assert guess_leaf(new, load()) == "VQA"
    assert guess_leaf(Paper("new", "Zzz"), load()) == ""


def test_the_network_has_roles_steps_and_a_stated_limit() -> None:
    found = network(SMALL, ["a"])
    assert {n["key"]: (n["role"], n["colour"]) for n in found["nodes"]} == {
        "a": ("current", "grey"),
        "b": ("cited", "blue"),
        "c": ("citing", "green"),
    }
    assert found["edges"] == [{"citing": "a", "cited": "b"}, {"citing": "c", "cited": "a"}]
    assert found["message"] == ""
    wide = network(SMALL, ["a"], steps=3, limit=4)
    assert [node["key"] for node in wide["nodes"]] == ["a", "b", "c", "d"]
    assert wide["nodes"][3]["role"] == "further"
    assert wide["message"].startswith("1 of 5 papers are left out: the limit is 4")
    assert len(network(SMALL)["nodes"]) == 5
    with pytest.raises(DataError, match="limit must be 1 or more"):
        network(SMALL, ["a"], limit=0)


def test_search_needs_every_word_and_facets_narrow() -> None:
    found = search(load().papers, "masked modeling", {"family": "multi-scale"})
    assert "zhou2023advancing" in [paper.key for paper in found]
    assert search(load().papers, "Müller", {}) == search(load().papers, "muller", {})
    assert search(load().papers, "masked zebra", {}) == []
    one = narrow(load().papers, {"organ": ["brain", "eye"], "status": "noted"})
    assert {value for paper in one for value in paper.organ} >= {"brain", "eye"}
    assert all(not paper.organ for paper in narrow(load().papers, {"organ": ""}))
    assert narrow(load().papers, {"year": 2021, "code": "yes"})
    with pytest.raises(DataError, match="no facet is called 'organs'"):
        narrow(load().papers, {"organs": "brain"})
    with pytest.raises(DataError, match=r"no paper has leaf 'zeroshot'; did you mean 'zero-shot'"):
        narrow(load().papers, {"leaf": "zeroshot"})


def test_statistics_add_up() -> None:
    found = stats(load())
    assert found["listed"] == 165
    assert sum(found["list_families"].values()) == 165
    assert sum(found["by_year"].values()) == found["papers"]
    assert sum(found["by_leaf"].values()) + found["unstated"]["leaf"] == found["papers"]
    several = replace(load().papers[0], modality=("CT", "MRI"))
    assert counts([several], "modality") == Counter({"CT": 1, "MRI": 1})
