"""The site in a browser: facets, exports, the network, and no complaint in the console."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from asclip.literature import load
from asclip.literature.cite import FORMATS, cite
from asclip.literature.site import build

KEYS = ("huang2021gloria", "muller2022joint", "zhang2022contrastive", "wang2022medclip",
        "cheng2023prior")  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome")

# Goes before all scripts of a page: what is complained of, what is saved, and how to say both.
LISTEN = """<script>
const said = { complaints: [], files: {} };
const complain = (...words) => said.complaints.push(words.join(" "));
console.error = console.warn = complain;
addEventListener("error", (event) => complain(event.message || event.target.src), true);
addEventListener("unhandledrejection", ({ reason }) => complain(reason));
const blobs = [];
window.Blob = function (parts) { this.words = parts.join(""); };
URL.createObjectURL = (blob) => `blob:${blobs.push(blob) - 1}`;
HTMLAnchorElement.prototype.click = function () {
  said.files[this.download] = blobs[Number(this.href.slice(5))].words;
};
const later = () => new Promise((done) => setTimeout(done, 20));
const one = (words) => document.querySelector(words);
const press = (words) => one(words).dispatchEvent(
  new MouseEvent("click", { bubbles: true, cancelable: true }));
const visit = (walk) => addEventListener("load", async () => {
  await walk().catch(complain);
  const place = document.createElement("pre");
  place.id = "told";
  place.textContent = JSON.stringify(said);
  document.body.append(place);
});
</script>"""
INDEX = """<script>
visit(async () => {
  const rows = () => [...document.querySelectorAll("#table tbody tr")];
  const shown = () => rows().filter((row) => !row.hidden).map((row) => row.dataset.key);
  said.all = shown();
  one("input[name=leaf][value='correlation-driven']").click();
  said.leaf = [shown(), one("#shown").textContent, location.hash];
  one("#facets").reset();
  await later();
  one("#words").value = "MÜLLER local";
  one("#words").dispatchEvent(new Event("input", { bubbles: true }));
  said.words = shown();
  one("#facets").reset();
  await later();
  said.open = [one(".tree details").open];
  press(".tree summary");
  said.open.push(one(".tree details").open);
  for (const row of rows().slice(0, 2)) row.querySelector("input").click();
  said.selected = one("#export-selected").textContent;
  for (const { value } of one("#form").options) {
    one("#form").value = value;
    press("#export-all");
    press("#export-selected");
    await later();
  }
  said.wide = document.documentElement.scrollWidth - innerWidth;
});
</script>"""
NETWORK = """<script>
visit(async () => {
  const role = (name) => [...document.querySelectorAll(`#drawing .node.${name}`)]
    .map((node) => node.dataset.key);
  one("#paper").value = "muller2022joint";
  one("#paper").dispatchEvent(new Event("change"));
  said.near = [role("current"), role("citing"), role("cited")];
  one("#near").click();
  said.own = role("off");
  press("#more");
  said.further = role("off");
  said.beside = one("#chosen").textContent;
});
</script>"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip(f"no browser is on this machine ({', '.join(NAMES)}): no page was clicked")
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clicked") / "site"
    every = load()
    between = tuple(one for one in every.citations if {one.citing, one.cited} <= set(KEYS))
    build(folder, catalogue=replace(every, papers=tuple(map(every.paper, KEYS)), citations=between))
    return folder


def told(browser: str, site: Path, name: str, script: str, width: int = 1180) -> dict[str, Any]:
    """What a page says after it was opened from disk with a script."""
    page = (site / name).read_text().replace("<meta charset", f"{LISTEN}<meta charset", 1)
    path = site / f"told-{width}-{name}"
    path.write_text(page.replace("</body>", f"{script}</body>"))
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000",
         f"--user-data-dir={site.parent / 'profile'}", f"--window-size={width},900", "--dump-dom",
         path.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the page did not answer: {done.stderr[-500:]}"
    return json.loads(unescape(found.group(1)))


def test_facets_tree_and_exports_do_what_they_say(browser: str, site: Path) -> None:
    said = told(browser, site, "index.html", INDEX)
    assert said["complaints"] == []
    papers = [load().paper(key) for key in KEYS]
    assert said["all"] == list(KEYS)
    some = [paper.key for paper in papers if paper.leaf == "correlation-driven"]
    assert 0 < len(some) < len(KEYS)
    assert said["leaf"] == [
        some, f"{len(some)} of {len(KEYS)} papers", "#where:leaf=correlation-driven"]  # fmt: skip
    assert said["words"] == ["muller2022joint"]
    assert said["open"] == [True, False]
    assert said["selected"] == "selected (2)"
    assert said["wide"] <= 0
    endings = {"bibtex": "bib", "ris": "ris", "enw": "enw", "endnote-xml": "xml",
               "csl-json": "json", "markdown": "md"}  # fmt: skip
    for form in FORMATS:
        assert said["files"][f"asclip-literature.{endings[form]}"] == cite(papers, form), form
        assert said["files"][f"asclip-selection.{endings[form]}"] == cite(papers[:2], form), form
    assert len(said["files"]) == 2 * len(FORMATS)


def test_the_network_shows_neighbours_and_then_theirs(browser: str, site: Path) -> None:
    said = told(browser, site, "network.html", NETWORK, width=390)
    assert said["complaints"] == []
    assert said["near"] == [["muller2022joint"], ["cheng2023prior"], ["zhang2022contrastive"]]
    assert said["own"] == ["huang2021gloria", "wang2022medclip"]
    assert said["further"] == ["wang2022medclip"]
    assert "Cited by it" in said["beside"]
