// The network of citations. With the graph library it can be moved and zoomed; without it the
// drawing that is already in the page is coloured. Both show the same, and the list beside it too.
"use strict";
(() => {
  const { nodes, edges } = window.NETWORK;
  const place = new Map(nodes.map((node, number) => [node.key, number]));
  const drawing = document.getElementById("drawing");
  const choice = document.getElementById("paper");
  const steps = document.getElementById("steps");
  const near = document.getElementById("near");
  const beside = document.getElementById("chosen");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // {number: role} of what is to be seen around a paper; all of it where none is chosen.
  function roles() {
    const centre = place.get(choice.value);
    if (centre === undefined) return new Map(nodes.map((_, number) => [number, "further"]));
    const found = new Map([[centre, "current"]]);
    let edge = new Set([centre]);
    for (let step = 0; step < Number(steps.value); step += 1) {
      const next = new Set();
      for (const [from, to, kind] of edges) {
        if (kind === "near" && !(near.checked && step === 0 && edge.has(centre))) continue;
        for (const [one, other] of [[from, to], [to, from]]) {
          if (!edge.has(one) || found.has(other)) continue;
          next.add(other);
        }
      }
      for (const number of next) found.set(number, "further");
      edge = next;
    }
    for (const [from, to, kind] of edges) {
      if (kind !== "cites") continue;
      if (from === centre && found.get(to) !== "citing") found.set(to, "cited");
      if (to === centre) found.set(from, "citing");
    }
    return found;
  }

  // {number: [x, y]}: the chosen paper in the middle, its neighbours around it, theirs outside.
  function ring(shown) {
    const centre = place.get(choice.value);
    const beside = new Set();
    for (const [from, to] of edges) {
      if (from === centre) beside.add(to);
      if (to === centre) beside.add(from);
    }
    const order = ["citing", "cited", "further"];
    const numbers = [...shown.keys()].filter((number) => number !== centre);
    numbers.sort((a, b) => order.indexOf(shown.get(a)) - order.indexOf(shown.get(b)) || a - b);
    const found = new Map([[centre, [0, 0]]]);
    let radius = 40;
    for (const side of [true, false]) {
      const rest = numbers.filter((number) => beside.has(number) === side);
      while (rest.length) { // very many stand in several rings: one would be too wide to be seen
        const some = rest.splice(0, Math.max(40, (radius + 110) / 10));
        radius = Math.max(radius + 110, some.length * 10);
        some.forEach((number, place) => {
          const angle = (2 * Math.PI * (place + 0.5)) / some.length - Math.PI / 2;
          found.set(number, [radius * Math.cos(angle), radius * Math.sin(angle)].map(Math.round));
        });
      }
    }
    return found;
  }

  function list(title, numbers) {
    if (!numbers.length) return "";
    const items = numbers.map((n) => {
      const link = document.createElement("a");
      link.href = `papers/${nodes[n].key}.html`;
      link.textContent = nodes[n].title;
      return `<li>${link.outerHTML}</li>`;
    });
    return `<h3>${title}</h3><ul>${items.join("")}</ul>`;
  }

  function describe() {
    const centre = place.get(choice.value);
    if (centre === undefined) {
      beside.innerHTML = '<p class="muted">Choose a paper in the drawing or in the list above.</p>';
      return;
    }
    const of = (kind, side) =>
      edges.filter((e) => e[2] === kind && e[side] === centre).map((e) => e[1 - side]);
    const link = document.createElement("a");
    link.href = `papers/${nodes[centre].key}.html`;
    link.textContent = nodes[centre].title;
    const more = Number(steps.value) < 3;
    beside.innerHTML =
      `<p><b>${link.outerHTML}</b></p>` +
      list("Cites it", of("cites", 1)) +
      list("Cited by it", of("cites", 0)) +
      list("Alike", [...of("near", 0), ...of("near", 1)]) +
      (more ? '<p><button type="button" id="more">Add their neighbours</button></p>' : "");
    const button = document.getElementById("more");
    if (button) {
      button.addEventListener("click", () => {
        steps.value = String(Number(steps.value) + 1);
        update();
      });
    }
  }

  // The still drawing.
  function still() {
    const marks = new Map([...drawing.querySelectorAll(".node")].map((n) => [n.dataset.key, n]));
    const lines = [...drawing.querySelectorAll(".edge")];
    for (const [key, mark] of marks) {
      mark.addEventListener("click", (event) => {
        event.preventDefault();
        choose(key);
      });
    }
    const picture = drawing.querySelector("svg");
    const [wide, high] = picture.getAttribute("viewBox").split(" ").slice(2).map(Number);
    const whole = nodes.map((node) => [75 + node.x * (wide - 150), 24 + node.y * (high - 56)]);
    return (shown) => {
      const at = choice.value ? ring(shown) : new Map(whole.entries());
      for (const [key, mark] of marks) {
        const number = place.get(key);
        const role = shown.get(number);
        const { here, named } = nodes[number];
        mark.setAttribute("class", `node ${role || "off"}${here ? " here" : ""}${named ? "" : " quiet"}`);
        if (!role) continue;
        const [x, y] = at.get(number);
        mark.querySelector("circle").setAttribute("cx", x);
        mark.querySelector("circle").setAttribute("cy", y);
        mark.querySelector("text").setAttribute("x", x);
        mark.querySelector("text").setAttribute("y", y + 17);
      }
      for (const line of lines) {
        const [from, to] = [line.dataset.a, line.dataset.b].map((key) => at.get(place.get(key)));
        const off = !from || !to || (line.classList.contains("near") && !near.checked);
        line.classList.toggle("off", off);
        if (!off) line.setAttribute("d", `M${from.join(" ")}L${to.join(" ")}`);
      }
      picture.classList.toggle("chosen", Boolean(choice.value));
      const half = choice.value ? Math.max(...[...at.values()].flat().map(Math.abs), 200) + 70 : 0;
      picture.setAttribute(
        "viewBox",
        half ? `${-half} ${-half} ${2 * half} ${2 * half}` : `0 0 ${wide} ${high}`,
      );
    };
  }

  // The same with the library: places come from the page, so that nothing has to settle.
  function moving() {
    const text = { color: css("--ink"), "text-outline-color": css("--paper"), "text-outline-width": 2 };
    const wide = Math.max(900, Math.sqrt(nodes.length) * 62);
    // Names and arrowheads cost most of a frame: of very many papers only the most cited have them.
    const many = nodes.length > 400;
    const degrees = nodes.map((node) => node.degree).sort((a, b) => b - a);
    const least = many ? Math.max(1, degrees[40]) : 0;
    const whole = new Map(nodes.map((node, n) => [n, [node.x * wide, node.y * wide * 0.72]]));
    // The library's own fit measures every name and line, which takes longer than all the rest.
    function fit(at, padding) {
      const ends = [0, 1].map((axis) => {
        const values = at.map((point) => point[axis]);
        return [Math.min(...values), Math.max(...values)];
      });
      const sides = [drawing.clientWidth, drawing.clientHeight];
      const scales = ends.map(([low, high], axis) => (sides[axis] - 2 * padding) / (high - low || 1));
      const zoom = Math.min(1.4, ...scales);
      const [x, y] = ends.map(([low, high], axis) => sides[axis] / 2 - (zoom * (low + high)) / 2);
      graph.viewport({ zoom, pan: { x, y } });
    }
    drawing.replaceChildren();
    const graph = window.cytoscape({
      container: drawing,
      elements: [
        ...nodes.map((node, n) => ({
          data: { id: String(n), label: node.label, here: node.here ? 1 : 0,
            named: node.named && node.degree > least ? 1 : 0 },
          position: { x: whole.get(n)[0], y: whole.get(n)[1] },
        })),
        ...edges.map(([from, to, kind], n) => ({
          data: { id: `e${n}`, source: String(from), target: String(to), kind },
        })),
      ],
      layout: { name: "preset", fit: false },
      style: [
        { selector: "node", style: { width: 15, height: 15, "background-color": css("--paper"),
          "border-width": 1.2, "border-color": css("--ink"), label: "data(label)", "font-size": 11,
          "min-zoomed-font-size": many ? 23 : 12, "text-valign": "bottom", "text-margin-y": 3, ...text } },
        { selector: "node[here = 1]", style: { "border-width": 3 } },
        { selector: "node[named = 1]", style: { "font-size": many ? 26 : 11 } },
        { selector: "node[named = 1], .close", style: { "min-zoomed-font-size": 6, "z-index": 1 } },
        { selector: ".close", style: { "font-size": 11 } },
        { selector: ".current", style: { "background-color": "#8a929e", width: 24, height: 24,
          "font-size": 15, "font-weight": "bold", "z-index": 2 } },
        { selector: ".citing", style: { "background-color": "#2f9e6e" } },
        { selector: ".cited", style: { "background-color": "#3b7fd0" } },
        { selector: "edge", style: { width: 1, "line-color": css("--muted"), opacity: 0.4,
          "curve-style": "haystack" } },
        { selector: "edge[kind = 'cites']", style: { width: many ? 1 : 1.6, opacity: 1 } },
        { selector: many ? "edge.close" : "edge[kind = 'cites']", style: { width: 1.6,
          "curve-style": "straight", "target-arrow-shape": "triangle",
          "target-arrow-color": css("--muted"), "arrow-scale": 0.8 } },
        { selector: ".off", style: { display: "none" } },
      ],
      minZoom: 0.03, maxZoom: 4, pixelRatio: 1, hideEdgesOnViewport: many,
      hideLabelsOnViewport: many, textureOnViewport: many, boxSelectionEnabled: false,
    });
    window.GRAPH = graph;
    graph.on("tap", "node", (event) => choose(nodes[Number(event.target.id())].key));
    graph.on("tap", (event) => { if (event.target === graph) choose(""); });
    return (shown) => {
      const at = choice.value ? ring(shown) : whole;
      graph.batch(() => {
        graph.nodes().forEach((node) => {
          const role = shown.get(Number(node.id()));
          if (role) node.position({ x: at.get(Number(node.id()))[0], y: at.get(Number(node.id()))[1] });
          node.classes(role ? `${role} ${choice.value ? "close" : ""}` : "off");
        });
        graph.edges("[kind = 'near']").toggleClass("off", !near.checked);
        graph.edges("[kind = 'cites']").toggleClass("close", Boolean(choice.value));
      });
      fit([...at.values()], choice.value ? 60 : 30);
    };
  }

  const paint = window.cytoscape ? moving() : still();

  function update() {
    paint(roles());
    describe();
  }

  function choose(key) {
    choice.value = key;
    history.replaceState(null, "", key ? `#${key}` : location.pathname + location.search);
    update();
  }

  function recall() {
    const key = decodeURIComponent(location.hash.slice(1));
    if (place.has(key)) choice.value = key;
    update();
  }

  choice.addEventListener("change", () => choose(choice.value));
  steps.addEventListener("change", update);
  near.addEventListener("change", update);
  document.getElementById("around").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", recall);
  recall();
})();
