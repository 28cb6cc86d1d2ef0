// The lists of the worst, the tables of engines, and how the run was made.

const SHORT = 12; // rows that are shown first

/** A link to a view of a prompt; without the prompt's tokens in the page, its text alone. */
function promptLink(view, id, text, spoken = null) {
  return DATA.views[id] ? el("a", { href: linkTo({ ...view, prompt: id }), "aria-label": spoken }, text) : `${text} – not in this page`;
}

/** Rows, a filter by method, and a button that shows the rest of them. */
function worstSection(section, caption, columns, rowsOf, names) {
  let chosen = "";
  const place = el("div");
  const more = el("button", { type: "button", onclick: () => choose({ rows: VIEW.rows === "all" ? undefined : "all" }, { keep: true }) });
  const fill = () => {
    const all = VIEW.rows === "all";
    const rows = rowsOf(chosen, all);
    place.replaceChildren(table(caption, columns, all ? rows : rows.slice(0, SHORT), { id: "worst-rows" }));
    more.textContent = all ? "show fewer" : "show more rows";
    more.hidden = rowsOf(chosen, true).length <= Math.min(SHORT, rows.length) && !all;
  };
  const filter = select("method", [["", "all methods"], ...names.map((name) => [name, name])], chosen, (name) => { chosen = name; fill(); });
  section.replaceChildren(el("h2", {}, "Worst first"), el("div", { class: "controls" }, filter), place, more);
  section.hidden = false;
  section.fill = fill;
  fill();
}

/** evaluation=ranking: prompt x heuristic x layer. */
function worstLayers(section, metric, label, view) {
  const rowsOf = (chosen, all) => {
    const named = Object.entries(metric.heuristics).filter(([name, each]) => (chosen ? name === chosen : !each.beside));
    const rows = named.flatMap(([name, each]) => (all || chosen ? each.worst : each.worst.slice(0, 1)).map(([value, prompt, layer]) => ({ value, prompt, layer, name })));
    return rows.sort((a, b) => a.value - b.value).slice(0, DATA.ranking.worst_rows).map(({ value, prompt, layer, name }) => {
      const id = DATA.prompts[prompt].id;
      return { cells: [name, String(layer), promptLink({ ...VIEW, ranking: name, layer, mode: "difference" }, id, id), fixed(value)] };
    });
  };
  const columns = [["method", ""], ["layer", ""], ["prompt", "name"], [label, ""]];
  worstSection(section, `The lowest ${label} of single prompts, by method and layer: at first one row a method, then the ${DATA.ranking.worst_rows} lowest. A layer may be another one than that which is worst on average; oracles and controls only if chosen${leavesOut(metric) ? ", layers with a sliding window never" : ""}. A prompt’s name goes to its tokens.`, columns, rowsOf, Object.keys(metric.heuristics));
}

/** evaluation=accuracy and fidelity: prompt x contestant x keep rate. */
function worstPrompts(section, measure, view) {
  const { lines, worst, measures, lower } = DATA.contestants;
  const sign = lower.includes(measure) ? -1 : 1;
  const rowsOf = (chosen) => {
    const rows = worst[measure].filter(([, line]) => (chosen ? lines[line].name === chosen : !lines[line].beside && lines[line].keep !== null));
    return rows.sort((a, b) => sign * (a[0] - b[0])).map(([value, line, prompt]) => {
      const id = DATA.prompts[prompt].id;
      return { cells: [lines[line].name, rate(lines[line]), promptLink({ ...view, ranking: lines[line].key, mode: "difference" }, id, id), fixed(value)] };
    });
  };
  const columns = [["contestant", ""], ["keep %", ""], ["prompt", "name"], [measures[measure].heading, ""]];
  const names = [...new Set(lines.filter((line) => line.keep !== null).map((line) => line.name))];
  worstSection(section, `The worst ${measures[measure].label} of any prompt, contestant and keep rate; oracles and controls only if chosen. A prompt’s name goes to its tokens.`, columns, rowsOf, names);
}

const rate = (line) => (line.keep === null ? "all" : String(line.keep));

/** Means over prompts of every contestant, engine by engine. */
function tradeOff(measure) {
  const { lines, measures } = DATA.contestants;
  const names = [measure, ...Object.keys(measures).filter((name) => name !== measure)];
  const columns = [["contestant", ""], ["engine", "name"], ["keep %", ""]];
  for (const name of names) {
    columns.push([measures[name].heading + (name === measure ? " [95\u00a0%]" : ""), ""]);
    if (name === measure) columns.push(["gap closed [95\u00a0%]", ""]);
  }
  let before = null;
  const rows = lines.map((line) => {
    const cells = [line.name, line.engine, rate(line)];
    for (const name of names) {
      cells.push(name === measure ? withInterval(line.values[name]) : fixed(line.values[name][0]));
      if (name === measure) cells.push(line.closed[name][0] === null ? "–" : withInterval(line.closed[name], 2));
    }
    const next = before !== null && line.engine !== before;
    before = line.engine;
    return { cells, class: `${line.beside ? "beside" : ""} ${next ? "next" : ""}` };
  });
  return table("Every contestant at every keep rate, engine by engine; means over prompts. FLOPs and KV are over the full prefill’s; "
    + "gap closed: 0 is the random control and 1 the oracle of the same engine. Grey: oracles and controls.", columns, rows, { id: "tradeoff" });
}

/** What each engine answered on a prompt. */
function enginesTable(prompt, view) {
  const { runs, measured } = prompt.content;
  const { measures } = DATA.contestants;
  const names = Object.keys(measures);
  const columns = [["contestant", ""], ["keep %", ""], ["answer", "text"], ...names.map((name) => [measures[name].heading, ""]), ["tokens", "name"]];
  const rows = runs.map((run) => {
    const full = run.name === "full";
    const { key } = run;
    const shown = prompt.view.kept && prompt.view.kept[key] ? el("a", { href: linkTo({ ...view, ranking: key, mode: "difference" }) }, "show kept") : "";
    const values = names.map((name) => fixed(measured && measured[key] ? measured[key][name] : null));
    return { class: key === view.ranking ? "chosen" : "", cells: [run.name, full ? "all" : String(run.keep), run.answer ?? (run.error ? `failed: ${run.error}` : "–"), ...values, shown] };
  });
  return table("What each engine answered on this prompt, and what it lost.", columns, rows, { id: "engines" });
}

/** Tables of other evaluations: cells are texts, or numbers. */
function otherTables(section) {
  const made = DATA.tables.map(({ caption, columns, rows }) => table(caption, columns.map((name) => [name, ""]),
    rows.map((row) => ({ cells: row.map((cell) => (typeof cell === "string" ? cell : fixed(cell))) }))));
  section.replaceChildren(el("h2", {}, "Results"), ...made);
  section.hidden = false;
}

/** Where the run came from. */
function about(section) {
  const facts = DATA.facts.flatMap(([name, value]) => [el("dt", {}, name.replace("_", " ")), el("dd", {}, value)]);
  section.append(el("dl", {}, ...facts), el("details", {}, el("summary", {}, "config.yaml, the whole config"), el("pre", {}, DATA.config)));
}
