// The map of a prompt: layers (or contestants) x tokens, on a canvas.

/** What the map has a row of: layers of the chosen ranking, or contestants; where there are neither, the truth alone. */
function mapRows(prompt, view) {
  if (prompt.levels) return { rows: prompt.view.layers, here: view.layer, of: (layer) => [prompt, { ...view, layer }], change: (layer) => ({ layer }) };
  const of = (ranking) => [{ ...prompt, ranking, kept: prompt.keptBy[ranking] }, { ...view, ranking }];
  if (prompt.kept) return { rows: Object.keys(prompt.keptBy), here: view.ranking, of, change: (ranking) => ({ ranking }) };
  return { rows: ["truth"], here: "truth", of: () => [prompt, { ...view, mode: "truth" }], change: () => ({}) };
}

/** Rows x tokens. A click chooses the row and goes to the token. */
function layerMap(prompt, view, choose) {
  const { rows, of, change } = mapRows(prompt, view);
  const what = prompt.levels ? "layers" : prompt.kept ? "contestants" : "the truth";
  const canvas = el("canvas", { role: "img", "aria-label": `${what} (down) and ${prompt.tokens} tokens (across), coloured as the text below` });
  const frame = el("div", { class: "row" });
  const named = prompt.levels ? [rows[0], rows[rows.length - 1]] : prompt.kept ? rows : [];
  const sides = named.map((name) => el("span", { class: "side", title: String(name), "data-place": rows.indexOf(name) }, String(name)));
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const place = (size, from, length) => Math.max(0, Math.min(size - 1, Math.floor((size * from) / length)));
    return { row: rows[place(rows.length, event.clientY - box.top, box.height)], token: place(prompt.tokens, event.clientX - box.left, box.width) };
  };
  canvas.addEventListener("click", (event) => choose(change(at(event).row), at(event).token));
  canvas.addEventListener("pointermove", (event) => {
    const { row, token } = at(event);
    const [shown, asked] = of(row);
    showTip(event.clientX, event.clientY, ...tokenLines(shown, token, judge(shown, asked)[token], asked));
  });
  canvas.addEventListener("pointerleave", hideTip);
  const marks = prompt.facts.evidence ? el("div", { class: "part" }, ...prompt.facts.evidence.map((span) => evidenceMark(prompt, span)), evidenceName(prompt)) : null;
  const map = el("div", { class: `map ${prompt.kept ? "engines" : ""}` }, marks, el("div", { class: "area" }, canvas, frame, ...sides));
  const made = el("figure", {}, map, el("figcaption", {}, `${what[0].toUpperCase()}${what.slice(1)} (down) × tokens (across). A click chooses a row and goes to the token.`));
  made.redraw = (legend) => paint(prompt, view, canvas, frame, sides, legend);
  return made;
}

function evidenceMark(prompt, [start, count]) {
  const mark = el("i", { title: "evidence" });
  mark.style.left = `${(100 * start) / prompt.tokens}%`;
  mark.style.width = `${(100 * count) / prompt.tokens}%`;
  return mark;
}

/** The word above the first span. */
function evidenceName(prompt) {
  const name = el("span", {}, "evidence");
  const share = (100 * prompt.facts.evidence[0][0]) / prompt.tokens;
  if (share > 80) name.style.right = `${100 - share}%`;
  else name.style.left = `${share}%`;
  return name;
}

/** Draws the map. One column may stand for several tokens; the one that says most is drawn. */
function paint(prompt, view, canvas, frame, sides, legend) {
  const { rows, here, of } = mapRows(prompt, view);
  const columns = Math.min(prompt.tokens, 1200);
  const context = canvas.getContext("2d");
  [canvas.width, canvas.height] = [columns, rows.length];
  canvas.style.height = `${rows.length === 1 ? 22 : Math.max(90, rows.length * (prompt.kept ? 13 : 7))}px`;
  const image = context.createImageData(columns, rows.length);
  const colours = paletteOf(view.mode, legend);
  const weight = (name) => (name.startsWith("s ") ? 10 + Number(name.slice(3)) : ["wrong", "missed", "found"].indexOf(name));
  rows.forEach((row, down) => {
    const [shown, asked] = of(row);
    const best = new Array(columns).fill("");
    judge(shown, asked).forEach((told, token) => {
      const column = Math.floor((columns * token) / prompt.tokens);
      const name = colourClass(shown, told, asked.mode);
      if (best[column] === "" || weight(name) > weight(best[column])) best[column] = name;
    });
    best.forEach((name, column) => image.data.set(colours(name), 4 * (down * columns + column)));
  });
  context.putImageData(image, 0, 0);
  frame.style.top = `${(100 * Math.max(0, rows.indexOf(here))) / rows.length}%`;
  frame.style.height = `${100 / rows.length}%`;
  frame.hidden = rows.length === 1;
  for (const side of sides) side.style.top = `${(100 * (Number(side.dataset.place) + 0.5)) / rows.length}%`;
}

/** The colours of classes as the page shows them, in numbers. */
function paletteOf(mode, legend) {
  const known = new Map();
  const probe = el("span", { hidden: true });
  legend.append(probe);
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  return (name) => {
    if (!known.has(name)) {
      probe.className = `${name} ${mode}`;
      const style = getComputedStyle(probe);
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = name === "wrong" ? style.outlineColor : name === "missed" ? style.textDecorationColor : style.backgroundColor;
      pen.fillRect(0, 0, 1, 1);
      known.set(name, [...pen.getImageData(0, 0, 1, 1).data]);
    }
    return known.get(name);
  };
}
