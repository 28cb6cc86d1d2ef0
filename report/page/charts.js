// evaluation=ranking: curves over layers, the table of methods and the heat map heuristic x layer.

const least = (values) => values.indexOf(Math.min(...values.filter((value) => value !== null)));

/** The axis holds what scores can be: from 0, or from below for correlations, to 1. */
function axisOf(metric) {
  const all = Object.values(metric.heuristics).flatMap((each) => [...each.low, ...each.mean]).filter((value) => value !== null);
  const low = Math.min(0, Math.floor(Math.min(...all, 0) * 10) / 10);
  return { low, high: Math.max(1, ...all) };
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
    const order = Object.keys(metric.heuristics).sort((a, b) => metric.heuristics[b].mean[layer] - metric.heuristics[a].mean[layer]);
    showTip(event.clientX, event.clientY, `layer ${metric.layers[layer]}`, order.map((each) => hoverLine(metric, each, layer, name)));
    box.querySelector(".cursor").setAttribute("transform", `translate(${box.across(layer)} 0)`);
  });
  box.addEventListener("pointerleave", hideTip);
  box.addEventListener("click", (event) => {
    const { layer, name } = place(event);
    choose(name, metric.layers[layer]);
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
  const spread = metric.prompts > 1 ? `  (${fixed(each.low[layer], 2)} to ${fixed(each.high[layer], 2)})` : "";
  return `${name === chosen ? "▸ " : ""}${name} ${fixed(each.mean[layer])}${spread}`;
}

function captionOf(metric, label) {
  const spread = metric.prompts > 1 ? " Bands hold the middle 80 % of the prompts; the chosen method's is darker." : "";
  const windowed = metric.windowed.length ? " Shaded layers have a sliding window." : "";
  return `${label} at each layer, mean over ${metric.prompts} prompt${metric.prompts === 1 ? "" : "s"}; higher is better.${spread} `
    + `A ring marks each method's worst layer. Dashed: bounds and controls; dotted: chance (${fixed(metric.chance)}).${windowed} `
    + "Click a curve to choose its method and layer; arrow keys move the layer.";
}

function nearest(box, metric, event) {
  const frame = box.getBoundingClientRect();
  const distances = metric.layers.map((_, layer) => Math.abs(box.across(layer) - (event.clientX - frame.left)));
  const layer = least(distances);
  const names = Object.keys(metric.heuristics);
  const gaps = names.map((name) => Math.abs(box.up(metric.heuristics[name].mean[layer]) - (event.clientY - frame.top)));
  return { layer, name: names[least(gaps)] };
}

function drawCurves(box, metric, view) {
  const { width, height } = box.getBoundingClientRect();
  const right = width < 600 ? 76 : 110;
  const axis = axisOf(metric);
  const [left, top, bottom] = [34, 8, height - 34];
  const last = Math.max(1, metric.layers.length - 1);
  box.across = (layer) => left + 6 + ((width - left - right - 12) * layer) / last;
  box.up = (value) => bottom - ((bottom - top) * (value - axis.low)) / (axis.high - axis.low);
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
  box.replaceChildren(...shades, ...axes(box, metric, axis, left, bottom, width - right), cursor, ...lines);
  spreadNames(box, top, bottom);
}

function shade(box, layer, top, bottom, last) {
  const half = (box.across(last) - box.across(0)) / last / 2;
  return svg("rect", { class: "windowed", x: box.across(layer) - half, width: 2 * half, y: top, height: bottom - top });
}

function axes(box, metric, axis, left, bottom, right) {
  const made = [];
  const step = axis.high - axis.low > 1.01 ? 0.5 : 0.25;
  for (let value = Math.ceil(axis.low / step) * step; value <= axis.high + 1e-9; value += step) {
    made.push(svg("line", { class: "grid", x1: left, x2: right, y1: box.up(value), y2: box.up(value) }));
    made.push(svg("text", { x: left - 5, y: box.up(value) + 4, "text-anchor": "end" }, String(value)));
  }
  const every = Math.ceil(metric.layers.length / Math.max(2, Math.floor((right - left) / 34)));
  metric.layers.forEach((layer, place) => {
    if (place % every === 0) made.push(svg("text", { x: box.across(place), y: bottom + 16, "text-anchor": "middle" }, String(layer)));
  });
  made.push(svg("text", { x: (left + right) / 2, y: bottom + 31, "text-anchor": "middle" }, "layer"));
  if (metric.chance !== null) made.push(svg("line", { class: "chance", x1: left, x2: right, y1: box.up(metric.chance), y2: box.up(metric.chance) }));
  return made;
}

function curveOf(box, metric, name, chosen) {
  const each = metric.heuristics[name];
  const point = (values, layer) => `${box.across(layer).toFixed(1)},${box.up(values[layer]).toFixed(1)}`;
  const along = each.mean.map((_, layer) => layer).filter((layer) => each.mean[layer] !== null);
  const wide = along.filter((layer) => each.low[layer] !== null);
  const band = [...wide.map((layer) => point(each.high, layer)), ...[...wide].reverse().map((layer) => point(each.low, layer))];
  const low = least(each.mean);
  const end = along[along.length - 1];
  const classes = `${each.beside ? "beside" : ""} ${name === chosen ? "chosen" : ""}`;
  const label = svg("text", { class: "name", x: box.across(end) + 9, y: box.up(each.mean[end]) + 4 }, name);
  const ring = each.beside ? null : svg("circle", { class: "low", cx: box.across(low), cy: box.up(each.mean[low]), r: 4.5 });
  return svg("g", { class: classes, colour: colourOf(name) }, metric.prompts > 1 ? svg("polygon", { class: "band", points: band.join(" ") }) : null,
    svg("polyline", { class: "curve", points: along.map((layer) => point(each.mean, layer)).join(" ") }), ring, label);
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

/** A dot with its interval on the axis from low to high. */
function forest([value, low, high], axis) {
  const x = (number) => (100 * (number - axis.low)) / (axis.high - axis.low);
  const whisker = low === null || high === null ? null : svg("line", { x1: `${x(low)}%`, x2: `${x(high)}%`, y1: 9, y2: 9, stroke: "currentColor", "stroke-width": 2 });
  return svg("svg", { class: "forest", "aria-hidden": "true" }, svg("line", { class: "grid", x1: "0%", x2: "100%", y1: 9, y2: 9, stroke: "var(--line)" }),
    whisker, svg("circle", { cx: `${x(value)}%`, cy: 9, r: 4, fill: "currentColor" }));
}

/** One row a method, best first: its mean over layers, and where it is worst. */
function methodsTable(metric, label, view, linkOf) {
  const axis = axisOf(metric);
  const rows = Object.entries(metric.heuristics).map(([name, each]) => {
    const low = least(each.mean);
    const [prompt, value] = each.lowest[low];
    const flat = each.mean.every((mean) => fixed(mean) === fixed(each.mean[low]));
    const worst = flat ? ["same at all layers"] : [`layer ${metric.layers[low]}`, el("span", { class: "interval" }, ` ${fixed(each.mean[low])}`)];
    const mark = el("span", { class: "swatch", colour: colourOf(name) });
    const over = each.over;
    return {
      class: `${each.beside ? "beside" : ""} ${name === view.ranking ? "chosen" : ""}`,
      cells: [[mark, name], el("span", { colour: colourOf(name) }, over.mean ? forest(over.mean, axis) : ""), over.mean ? withInterval(over.mean) : "–",
        over.worst ? withInterval(over.worst) : "–", over.std ? fixed(over.std[0]) : "–", worst, linkOf(name, metric.layers[low], prompt, `see it (${fixed(value)})`, `see ${name} at layer ${metric.layers[low]} on its worst prompt there (${fixed(value)})`)],
    };
  });
  const columns = [["method", ""], ["", ""], ["mean over layers [95 %]", ""], ["each prompt’s worst layer [95 %]", ""], ["sd over layers", ""], ["lowest on average", ""], ["worst prompt there", ""]];
  return table(`${label}: methods, best first; means over prompts as in summary.parquet. Bounds and controls are last. Intervals are over prompts, of each method alone `
    + "(docs/statistics.md): whether two overlap or not is no test of a difference; the tests are in the sentences above.", columns, rows, { id: "methods" });
}

/** Heuristic x layer. The chosen cell is in the tab order, and arrow keys move from it. */
function heatMap(metric, label, view, choose) {
  const names = Object.keys(metric.heuristics);
  const axis = axisOf(metric);
  const rows = names.map((name) => {
    const each = metric.heuristics[name];
    const low = least(each.mean);
    return el("tr", {}, el("th", { scope: "row" }, name), ...each.mean.map((value, layer) => heatCell(value, axis, {
      here: name === view.ranking && metric.layers[layer] === view.layer, worst: layer === low && !each.beside && !each.mean.every((mean) => fixed(mean) === fixed(each.mean[low])), name, layer: metric.layers[layer],
    })));
  });
  const head = el("tr", {}, el("th", { scope: "col", class: "name" }, "layer"), ...metric.layers.map((layer) => el("th", { scope: "col" }, String(layer))));
  const made = el("table", { class: "heat", id: "heat", role: "grid" }, el("caption", {}, el("span", {}, `${label}: heuristic × layer, mean over prompts. A frame marks each method’s worst layer. Click, or use arrow keys, to choose.`)),
    el("thead", {}, head), el("tbody", {}, ...rows));
  made.addEventListener("click", (event) => {
    const cell = event.target.closest("td");
    if (cell) choose(cell.dataset.name, Number(cell.dataset.layer));
  });
  made.addEventListener("keydown", (event) => {
    const [down, across] = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key] || [];
    const name = names[names.indexOf(view.ranking) + down];
    const layer = metric.layers[metric.layers.indexOf(view.layer) + across];
    if (down === undefined || name === undefined || layer === undefined) return;
    event.preventDefault();
    choose(name, layer, "heat");
  });
  return el("div", { class: "scroll" }, made);
}

function heatCell(value, axis, { here, worst, name, layer }) {
  const share = value === null ? 0 : (value - Math.max(0, axis.low)) / (axis.high - Math.max(0, axis.low));
  const text = value === null ? "–" : fixed(value, 2).replace(/^(-?)0\./, "$1.").replace("1.00", "1.0");
  const cell = el("td", { class: `${here ? "here" : ""} ${worst ? "worst" : ""} ${share > 0.75 ? "strong" : ""} ${share > 0.92 ? "strongest" : ""}`, role: "gridcell", "aria-selected": String(here),
    tabindex: here ? 0 : -1, "data-name": name, "data-layer": layer, "data-value": fixed(value) }, text);
  cell.style.setProperty("--v", `${Math.round(100 * Math.max(0, Math.min(1, share)))}%`);
  return cell;
}
