// evaluation=ranking: the table of methods and the heat map heuristic x layer.

/** A dot with its interval on the scale of the metric. */
function forest([value, low, high], range) {
  const x = (number) => 100 * shareOf(number, range);
  const whisker = low === null || high === null ? null : svg("line", { x1: `${x(low)}%`, x2: `${x(high)}%`, y1: 9, y2: 9, stroke: "currentColor", "stroke-width": 2 });
  return svg("svg", { class: "forest", "aria-hidden": "true" }, svg("line", { class: "grid", x1: "0%", x2: "100%", y1: 9, y2: 9, stroke: "var(--line)" }),
    whisker, svg("circle", { cx: `${x(value)}%`, cy: 9, r: 4, fill: "currentColor" }));
}

/** One row a method, best first: its mean over layers, and where it is worst. */
function methodsTable(metric, label, view, linkOf) {
  const rows = Object.entries(metric.heuristics).map(([name, each]) => {
    const low = each.worst_layer;
    const [prompt, value] = each.lowest[low];
    const worst = each.flat ? ["same at all layers"] : [`layer ${metric.layers[low]}`, el("span", { class: "interval" }, ` ${fixed(each.mean[low])}`)];
    const mark = el("span", { class: "swatch", colour: colourOf(name) });
    const over = each.over;
    return {
      class: `${each.beside ? "beside" : ""} ${name === view.ranking ? "chosen" : ""}`,
      cells: [[mark, name], el("span", { colour: colourOf(name) }, over.mean ? forest(over.mean, metric.range) : ""), over.mean ? withInterval(over.mean) : "–",
        over.worst ? withInterval(over.worst) : "–", over.std ? withInterval(over.std) : "–", worst, linkOf(name, metric.layers[low], prompt, `see it (${fixed(value)})`, `see ${name} at layer ${metric.layers[low]} on its worst prompt there (${fixed(value)})`)],
    };
  });
  const columns = [["method", ""], ["", ""], ["mean over layers [95 %]", ""], ["each prompt’s worst layer [95 %]", ""], ["sd over layers [95 %]", ""], ["lowest on average", ""], ["worst prompt there", ""]];
  return table(`${label}: methods, best first; means over prompts as in summary.parquet${leavesOut(metric) ? ", over the layers without a sliding window" : ""}. Oracles and controls are last. Intervals are over prompts, of each method alone `
    + "(docs/statistics.md). With few prompts they are long, because rare prompts with other values cannot be excluded. Whether two overlap or not is no test of a difference; the tests are in the sentences above.", columns, rows, { id: "methods" });
}

/** Heuristic x layer. The chosen cell is in the tab order, and arrow keys move from it. */
function heatMap(metric, label, view, choose) {
  const names = Object.keys(metric.heuristics);
  const rows = names.map((name) => {
    const each = metric.heuristics[name];
    return el("tr", {}, el("th", { scope: "row" }, whole(name)), ...each.mean.map((value, layer) => heatCell(value, metric.range_of_means, {
      here: name === view.ranking && metric.layers[layer] === view.layer, worst: layer === each.worst_layer && !each.flat && !each.beside, name, layer: metric.layers[layer],
    })));
  });
  const head = el("tr", {}, el("th", { scope: "col", class: "name" }, "layer"), ...metric.layers.map((layer) => el("th", { scope: "col" }, `${layer}${metric.windowed.includes(layer) ? "w" : ""}`)));
  const made = el("table", { class: "heat", id: "heat", role: "grid" }, el("thead", {}, head), el("tbody", {}, ...rows));
  made.addEventListener("click", (event) => {
    const cell = event.target.closest("td");
    if (cell) choose(cell.dataset.name, Number(cell.dataset.layer), "heat");
  });
  made.addEventListener("keydown", (event) => {
    if (event.key === "Enter") goTo(byId("prompt"));
    const [down, across] = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key] || [];
    const name = names[names.indexOf(view.ranking) + down];
    const layer = metric.layers[metric.layers.indexOf(view.layer) + across];
    if (down === undefined || name === undefined || layer === undefined) return;
    event.preventDefault();
    choose(name, layer, "heat");
  });
  return captioned(`${label}: heuristic × layer, mean over prompts. A frame marks each method’s worst layer${leavesOut(metric) ? "; windowed layers (w) are left out" : ""}. Click, or use arrow keys, to choose; Enter goes to the tokens.`, made);
}

function heatCell(value, range, { here, worst, name, layer }) {
  const share = value === null ? 0 : shareOf(value, range);
  const text = value === null ? "–" : fixed(value, 2).replace(/^(-?)0\./, "$1.").replace("1.00", "1.0");
  const cell = el("td", { class: `${here ? "here" : ""} ${worst ? "worst" : ""} ${share > 0.75 ? "strong" : ""} ${share > 0.92 ? "strongest" : ""}`, role: "gridcell", "aria-selected": String(here),
    tabindex: here ? 0 : -1, "data-name": name, "data-layer": layer, "data-value": fixed(value), title: `${name}, layer ${layer}: ${fixed(value)}` }, text);
  cell.style.setProperty("--v", `${Math.round(100 * share)}%`);
  return cell;
}
