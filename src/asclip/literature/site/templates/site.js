// The table of papers: words, facets, sorting, and references of what is selected.
// The address after # holds what is asked, so that a filtered table can be linked and gone back to.
"use strict";
(() => {
  const form = document.getElementById("facets");
  const table = document.getElementById("table");
  const body = table.tBodies[0];
  const rows = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const papers = window.PAPERS.map((paper) => ({ ...paper, tokens: tokens(paper.words) }));
  const choices = [...form.querySelectorAll("input[type=checkbox]")];
  const words = form.elements.words;
  const shownText = document.getElementById("shown");
  const chosen = (row) => row.querySelector("input[type=checkbox]");

  function tokens(text) {
    const bare = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
    return bare.match(/[\p{L}\p{N}]+/gu) || [];
  }

  function asked() {
    const facets = {};
    for (const box of choices) {
      if (box.checked) (facets[box.name] ||= []).push(box.value);
    }
    return { words: tokens(words.value), facets };
  }

  // A paper passes if each word begins one of its words, and each facet has one of the asked values.
  function passes(paper, ask, without) {
    return (
      ask.words.every((word) => paper.tokens.some((token) => token.startsWith(word))) &&
      Object.entries(ask.facets).every(
        ([name, values]) => name === without || paper.facets[name].some((v) => values.includes(v)),
      )
    );
  }

  function show() {
    const ask = asked();
    let number = 0;
    for (const paper of papers) {
      const good = passes(paper, ask);
      rows.get(paper.key).hidden = !good;
      number += good;
    }
    count(ask);
    shownText.textContent =
      number === papers.length ? `${number} papers` : `${number} of ${papers.length} papers`;
    document.getElementById("none").hidden = number > 0;
    document.getElementById("export-shown").disabled = number === 0;
  }

  // Beside each value: how many papers would be shown with it, given what the other facets ask.
  function count(ask) {
    const tables = {};
    for (const name of new Set(choices.map((box) => box.name))) {
      tables[name] = new Map();
      for (const paper of papers) {
        if (!passes(paper, ask, name)) continue;
        for (const v of paper.facets[name]) tables[name].set(v, (tables[name].get(v) || 0) + 1);
      }
    }
    for (const box of choices) {
      const number = tables[box.name].get(box.value) || 0;
      box.parentElement.querySelector(".count").textContent = number;
      box.parentElement.classList.toggle("empty", number === 0);
    }
  }

  function remember() {
    const pairs = choices.filter((box) => box.checked).map((box) => [box.name, box.value]);
    if (words.value) pairs.push(["words", words.value]);
    const said = new URLSearchParams(pairs).toString();
    history.replaceState(null, "", said ? `#where:${said}` : location.pathname + location.search);
  }

  function recall() {
    if (!location.hash.startsWith("#where:")) return;
    const pairs = new URLSearchParams(location.hash.slice(7));
    words.value = pairs.get("words") || "";
    for (const box of choices) {
      box.checked = pairs.getAll(box.name).includes(box.value);
      if (!box.checked) continue;
      box.closest("details").open = true;
      box.scrollIntoView({ block: "nearest" }); // within its own list, which may be long
    }
    show();
    document.getElementById("papers").scrollIntoView();
  }

  function sort(button) {
    const head = button.closest("th");
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const column = Number(button.dataset.column);
    const value = (row) => {
      const text = row.cells[column].textContent.trim();
      const year = column === 2 ? (text.match(/(19|20)\d\d$/) || [""])[0] : "";
      return year + text.toLowerCase();
    };
    const order = [...body.rows].sort((a, b) => value(a).localeCompare(value(b)) * (up ? 1 : -1));
    body.append(...order);
  }

  function selected() {
    return [...rows].filter(([, row]) => chosen(row).checked).map(([key]) => key);
  }

  function tell() {
    const number = selected().length;
    const button = document.getElementById("export-selected");
    button.textContent = `selected (${number})`;
    button.disabled = number === 0;
  }

  // The references are loaded when they are first asked for: most readers never do.
  function references() {
    if (window.CITE) return Promise.resolve(window.CITE);
    return new Promise((done, fail) => {
      const script = document.createElement("script");
      script.src = "data/cite.js";
      script.onload = () => done(window.CITE);
      script.onerror = () => fail(new Error("data/cite.js must lie beside the page; it does not"));
      document.head.append(script);
    });
  }

  // The items of a format; where it has headings, each stands once before its papers.
  function listed({ items, places }, keys) {
    if (!places) return keys.map((key) => items[key]);
    const tree = new Map();
    for (const key of keys) {
      const [stage, family] = places[key];
      if (!tree.has(stage)) tree.set(stage, new Map());
      const families = tree.get(stage);
      families.set(family, [...(families.get(family) || [family]), items[key]]);
    }
    return [...tree].flatMap(([stage, families]) => [stage, ...[...families.values()].flat()]);
  }

  async function give(keys, title) {
    const all = await references();
    const form = all[document.getElementById("form").value];
    const text = form.head + listed(form, keys).join(form.between) + form.tail;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = `asclip-${title}.${form.ending}`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { show(); remember(); });
  form.addEventListener("reset", () => setTimeout(() => { show(); remember(); }));
  document.getElementById("reset").addEventListener("click", () => form.reset());
  addEventListener("hashchange", recall);
  for (const button of table.querySelectorAll("th button")) {
    button.addEventListener("click", () => sort(button));
  }
  document.getElementById("every").addEventListener("change", (event) => {
    for (const row of rows.values()) if (!row.hidden) chosen(row).checked = event.target.checked;
    tell();
  });
  body.addEventListener("change", tell);
  document.getElementById("export-selected").addEventListener("click", () =>
    give(selected(), "selection"),
  );
  document.getElementById("export-shown").addEventListener("click", () =>
    give([...rows].filter(([, row]) => !row.hidden).map(([key]) => key), "selection"),
  );
  // From disk a browser shows a linked file instead of saving it, so the script makes this one too.
  document.getElementById("export-all").addEventListener("click", (event) => {
    event.preventDefault();
    give(papers.map((paper) => paper.key), "literature");
  });
  document.getElementById("form").addEventListener("change", (event) => {
    const ending = event.target.selectedOptions[0].dataset.ending;
    document.getElementById("export-all").href = `export/asclip-literature.${ending}`;
  });
  show();
  tell();
  recall();
})();
