from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest

from asclip.literature import load
from pages import Page


def test_every_link_inside_leads_somewhere_and_nothing_comes_from_a_network(
    site: Path, pages: dict[str, Page]
) -> None:
    ids = {name: {a["id"] for _, a in page.elements if "id" in a} for name, page in pages.items()}
    for name, page in pages.items():
        loaded = [a["src"] for a in page.all("script", "img") if "src" in a]
        loaded += [a["href"] for a in page.all("link")]
        assert not any(re.match(r"(https?:)?//", address) for address in loaded), name
        for address in loaded + [a["href"] for a in page.all("a") if "href" in a]:
            if re.match(r"[a-z]+:", address):
                continue
            path, _, mark = address.partition("#")
            target = (site / name).parent / unquote(path) if path else site / name
            assert target.resolve().is_file(), (name, address)
            inside = target.resolve().relative_to(site.resolve()).as_posix()
            known = mark.startswith("where:") or mark in load().keys or not mark
            assert known or mark in ids[inside], (name, address)
    css = (site / "site.css").read_text()
    assert "url(" not in css.replace("url(#arrow)", "")
    assert "@import" not in css


def test_pages_can_be_read_by_keyboard_and_by_ear(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert page.all("html")[0]["lang"] == "en"
        assert page.text("title")[0], name
        for landmark in ("header", "nav", "main", "footer"):
            assert len(page.all(landmark)) == 1, (name, landmark)
        levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
        assert levels.count(1) == 1, name
        assert all(b - a <= 1 for a, b in pairwise(levels)), (name, levels)
        labelled = {a["for"] for a in page.all("label") if "for" in a}
        wrapped = [n for n, (tag, _) in enumerate(page.elements) if tag == "label"]
        for number, (tag, a) in enumerate(page.elements):
            if tag in ("input", "select", "textarea"):
                inside = number - 1 in wrapped
                assert a.get("id") in labelled or a.get("aria-label") or inside, (name, a)
            if tag == "img":
                assert "alt" in a
            if tag == "svg":
                links = "graph" in a["class"].split()  # an image would hide the links in it
                assert a["role"] == ("group" if links else "img"), name
                assert a["aria-label"], name
            if tag in ("button", "a"):
                assert page.words.get(number, "").strip() or a.get("aria-label"), (name, a)
            if tag == "th":
                assert a.get("scope") in ("col", "row"), name
        repeated = [k for k, n in Counter(a["id"] for _, a in page.elements if "id" in a).items()
                    if n > 1]  # fmt: skip
        assert repeated in ([], ["arrow"]), (name, repeated)
        assert page.elements[[t for t, _ in page.elements].index("body") + 1][1]["class"] == "skip"


def luminance(colour: str) -> float:
    """WCAG 2.1, relative luminance."""
    full = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
    parts = [int(full[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_words_is_at_least_4_5_and_of_marks_3(site: Path) -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    css = (site / "site.css").read_text()
    palettes = [dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})\b", block))
                for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)]  # fmt: skip
    assert len(palettes) == 3  # light, dark, paper
    for palette in palettes:
        for ink in ("ink", "muted", "accent", "right", "wrong"):
            for ground in ("paper", "tint"):
                assert contrast(palette[ink], palette[ground]) >= 4.5, (ink, ground, palette)
        for role in set(re.findall(r"fill: (#[0-9a-f]{6})", css)):
            assert contrast(role, palette["paper"]) >= 3, role
