// evaluation=ranking: the curves of all methods over the layers.

const FEW = 4; // methods

/** The place of the smallest value; values that are null do not count. */
const least = (values) => values.indexOf(Math.min(...values.filter((value) => value !== null)));

/** The place of a value on the scale of the metric, from 0 to 1; the ends of intervals may be outside of what scores can be. */
function shareOf(value, [low, high]) {
  return Math.max(0, Math.min(1, (value - low) / (high - low)));
}

/** Round numbers on a scale, as texts: up to seven of them. */
function ticks([low, high]) {
  const raw = (high - low) / 6;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * size).find((each) => each >= raw * (1 - 1e-9));
  let digits = 0;
  while (Math.abs(Math.round(step * 10 ** digits) / (step * 10 ** digits) - 1) > 1e-9 && digits < 15) digits += 1;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, place) => ((first + place) * step).toFixed(digits));
}

/** Curves of all methods on one axis. choose(heuristic, layer) is called for what is clicked. */
function curves(metric, label, view, choose) {
  const box = svg("svg", { class: "chart", tabindex: 0, role: "slider", "aria-orientation": "horizontal" });
  const draw = () => drawCurves(box, metric, view);
  const figure = el("figure", {}, box, el("figcaption", {}, captionOf(metric, label)));
  new ResizeObserver(draw).observe(box);
  const place = (event) => nearest(box, metric, event);
  box.addEventListener("pointermove", (event) => {
    const { layer, name } = place(event);
    const rank = (each) => metric.heuristics[each].mean[layer] ?? -Infinity; // those without a value are last
    const order = Object.keys(metric.heuristics).sort((a, b) => rank(b) - rank(a) || 0);
    showTip(event.clientX, event.clientY, `layer ${metric.layers[layer]}`, order.map((each) => hoverLine(metric, each, layer, name)));
    box.querySelector(".cursor").setAttribute("transform", `translate(${box.across(layer)} 0)`);
  });
  box.addEventListener("pointerleave", hideTip);
  box.addEventListener("click", (event) => {
    const { layer, name } = place(event);
    if (name !== undefined) choose(name, metric.layers[layer]);
  });
  box.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    const next = metric.layers[metric.layers.indexOf(view.layer) + step];
    if (step && next !== undefined) {
      event.preventDefault();
      choose(view.ranking, next);
    }
  });
  return figure;
}

function hoverLine(metric, name, layer, chosen) {
  const each = metric.heuristics[name];
  const ends = each.low[layer] === null || each.high[layer] === null ? "" : `  [${fixed(each.low[layer])}, ${fixed(each.high[layer])}]`;
  return `${name === chosen ? "▸ " : ""}${name} ${fixed(each.mean[layer])}${ends}`;
}

/** Whether some layers are windowed and others are not: then statistics over layers are over the others. */
const leavesOut = (metric) => metric.windowed.length > 0 && metric.windowed.length < metric.layers.length;

/** Whether the methods are so few that all have their intervals as bands, as in the pictures. */
const banded = (metric) => Object.values(metric.heuristics).filter((each) => !each.beside).length <= FEW;

function captionOf(metric, label) {
  const known = Object.values(metric.heuristics).some((each) => each.low.some((value) => value !== null));
  const intervals = banded(metric) ? " Bands: 95 % intervals of the means over prompts." : " Band of the chosen method: 95 % interval of its mean over prompts; those of the others are shown under the pointer.";
  const spread = metric.prompts > 1 ? " Lighter band of the chosen method: the middle 80 % of the prompts." : "";
  const outside = Object.values(metric.heuristics).flatMap((each) => [...each.low, ...each.high, ...each.tenth, ...each.ninetieth, ...(each.over.mean ?? [])])
    .some((value) => value !== null && (value < metric.range[0] || value > metric.range[1]));
  const bands = (known ? intervals : "") + spread + (outside ? " Ranges that go beyond the axis are cut." : "");
  const chance = metric.chance === null ? "" : `; dotted: chance (${fixed(metric.chance)})`;
  const windowed = metric.windowed.length ? ` Shaded layers have a sliding window${leavesOut(metric) ? " and are left out of means over layers and of worst layers, as most tokens are out of their reach" : ""}.` : "";
  return `${label} at each layer, mean over ${metric.prompts} prompt${metric.prompts === 1 ? "" : "s"}; higher is better.${bands} `
    + `A ring marks each method’s worst layer. Dashed: oracles and controls${chance}.${windowed} `
    + "Click a curve to choose its method and layer; arrow keys move the layer.";
}

/** The layer below the pointer, and the method whose mean there is nearest; undefined where none has one. */
function nearest(box, metric, event) {
  const frame = box.getBoundingClientRect();
  const distances = metric.layers.map((_, layer) => Math.abs(box.across(layer) - (event.clientX - frame.left)));
  const layer = least(distances);
  const names = Object.keys(metric.heuristics).filter((name) => metric.heuristics[name].mean[layer] !== null);
  const gaps = names.map((name) => Math.abs(box.up(metric.heuristics[name].mean[layer]) - (event.clientY - frame.top)));
  return { layer, name: names[least(gaps)] };
}

function drawCurves(box, metric, view) {
  const { width, height } = box.getBoundingClientRect();
  if (!width) return; // no longer in the page
  const right = width < 600 ? 76 : 110;
  const marks = ticks(metric.range);
  const [left, top, bottom] = [Math.max(34, 12 + 7 * Math.max(...marks.map((mark) => mark.length))), 8, height - 34];
  const last = Math.max(1, metric.layers.length - 1);
  box.across = (layer) => left + 6 + ((width - left - right - 12) * layer) / last;
  box.up = (value) => bottom - (bottom - top) * shareOf(value, metric.range);
  box.letters = Math.floor((right - 6) / 7.5); // of a name beside its curve
  box.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const here = metric.layers.indexOf(view.layer);
  box.setAttribute("aria-label", "Layer of the chosen method");
  box.setAttribute("aria-valuemin", metric.layers[0]);
  box.setAttribute("aria-valuemax", metric.layers[last] ?? metric.layers[0]);
  box.setAttribute("aria-valuenow", view.layer);
  const chosen = metric.heuristics[view.ranking];
  box.setAttribute("aria-valuetext", `layer ${view.layer}${chosen ? `, ${view.ranking} ${fixed(chosen.mean[here])}` : ""}`);
  const cursor = svg("line", { class: "cursor", y1: top, y2: bottom, transform: `translate(${box.across(Math.max(0, here))} 0)` });
  const names = Object.keys(metric.heuristics).sort((a, b) => (a === view.ranking) - (b === view.ranking));
  const shades = metric.windowed.map((layer) => shade(box, metric.layers.indexOf(layer), top, bottom, last));
  const lines = names.map((name) => curveOf(box, metric, name, view.ranking));
  box.replaceChildren(...shades, ...axes(box, metric, marks, left, bottom, width - right), cursor, ...lines);
  spreadNames(box, top, bottom);
}

function shade(box, layer, top, bottom, last) {
  const half = (box.across(last) - box.across(0)) / last / 2;
  const [from, to] = [Math.max(box.across(0) - 6, box.across(layer) - half), Math.min(box.across(last) + 6, box.across(layer) + half)];
  return svg("rect", { class: "windowed", x: from, width: to - from, y: top, height: bottom - top });
}

function axes(box, metric, marks, left, bottom, right) {
  const made = [];
  for (const mark of marks) {
    const up = box.up(Number(mark));
    made.push(svg("line", { class: "grid", x1: left, x2: right, y1: up, y2: up }));
    made.push(svg("text", { class: "tick", x: left - 5, y: up + 4, "text-anchor": "end" }, mark));
  }
  const every = Math.ceil(metric.layers.length / Math.max(2, Math.floor((right - left) / 34)));
  metric.layers.forEach((layer, place) => {
    if (place % every === 0) made.push(svg("text", { x: box.across(place), y: bottom + 16, "text-anchor": "middle" }, String(layer)));
  });
  made.push(svg("text", { x: (left + right) / 2, y: bottom + 31, "text-anchor": "middle" }, "layer"));
  if (metric.chance !== null) made.push(svg("line", { class: "chance", x1: left, x2: right, y1: box.up(metric.chance), y2: box.up(metric.chance) }));
  return made;
}

/** Layers one after another at which all of these have values. */
function runsOf(...values) {
  const runs = [[]];
  values[0].forEach((_, layer) => {
    if (values.every((each) => each[layer] !== null)) runs[runs.length - 1].push(layer);
    else runs.push([]);
  });
  return runs.filter((run) => run.length);
}

/** A band between two ends, run by run; of a single layer a narrow one. */
function bandsOf(box, low, high, kind) {
  const corner = (values, layer, aside) => `${(box.across(layer) + aside).toFixed(1)},${box.up(values[layer]).toFixed(1)}`;
  return runsOf(low, high).map((run) => {
    const sides = run.length === 1 ? [[run[0], -3], [run[0], 3]] : run.map((layer) => [layer, 0]);
    const points = [...sides.map((side) => corner(high, ...side)), ...sides.reverse().map((side) => corner(low, ...side))];
    return svg("polygon", { class: kind, points: points.join(" ") });
  });
}

/** A line through each run of layers; a dot where a run is one layer alone. */
function linesOf(box, values) {
  const [x, y] = [(layer) => box.across(layer).toFixed(1), (layer) => box.up(values[layer]).toFixed(1)];
  return runsOf(values).map((run) => (run.length === 1 ? svg("circle", { class: "dot", cx: x(run[0]), cy: y(run[0]), r: 4 })
    : svg("polyline", { class: "curve", points: run.map((layer) => `${x(layer)},${y(layer)}`).join(" ") })));
}

/** The beginning and the end of a name that is too long: names of variants often begin alike. */
function shortened(name, letters) {
  if (name.length <= letters) return name;
  const end = Math.floor((letters - 1) / 2);
  return `${name.slice(0, letters - 1 - end)}…${name.slice(-end)}`;
}

function curveOf(box, metric, name, chosen) {
  const each = metric.heuristics[name];
  const end = runsOf(each.mean).at(-1).at(-1);
  const low = each.worst_layer;
  const short = shortened(name, box.letters);
  const label = svg("text", { class: "name", x: box.across(end) + 9, y: box.up(each.mean[end]) + 4 }, short, short === name ? null : svg("title", {}, name));
  const ring = each.beside || each.flat ? null : svg("circle", { class: "low", cx: box.across(low), cy: box.up(each.mean[low]), r: 4.5 });
  const spread = metric.prompts > 1 && name === chosen ? bandsOf(box, each.tenth, each.ninetieth, "spread") : [];
  const bands = name === chosen || (banded(metric) && !each.beside) ? bandsOf(box, each.low, each.high, "band") : [];
  return svg("g", { class: `${each.beside ? "beside" : ""} ${name === chosen ? "chosen" : ""}`, colour: colourOf(name) }, ...spread, ...bands, ...linesOf(box, each.mean), ring, label);
}

/** Moves the names at the right end apart. */
function spreadNames(box, top, bottom) {
  const names = [...box.querySelectorAll(".name")].sort((a, b) => a.getAttribute("y") - b.getAttribute("y"));
  const at = names.map((name) => Number(name.getAttribute("y")));
  for (let place = 1; place < at.length; place += 1) at[place] = Math.max(at[place], at[place - 1] + 13);
  const over = at.length ? at[at.length - 1] - (bottom + 4) : 0;
  if (over > 0) at[at.length - 1] -= over;
  for (let place = at.length - 2; place >= 0; place -= 1) at[place] = Math.max(top + 8, Math.min(at[place], at[place + 1] - 13));
  names.forEach((name, place) => name.setAttribute("y", at[place]));
}
