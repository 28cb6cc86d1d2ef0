// The view: what is chosen, and what the page shows in place of what it does not have.

const VIEW = {}; // metric, prompt, ranking, layer, mode, k: the one that is shown
let METRIC = null; // numbers of the chosen metric at the chosen k
let SHOWN = null; // the prompt that is in the page: {prompt, spans, map, update}

const keyOf = ({ metric, k }) => {
  const named = Object.entries(DATA.ranking.metrics).filter(([, each]) => each.metric === metric);
  return (named.find(([, each]) => each.k === null || each.k === k) || named[0])[0];
};
const measureOf = () => (DATA.contestants.results.includes(VIEW.metric) ? VIEW.metric : DATA.contestants.results[0]);

/** Chooses another view; a link to it goes into the address. */
function choose(change, { focus = "", keep = false } = {}) {
  const link = linkTo({ ...VIEW, ...change });
  history[keep ? "replaceState" : "pushState"]("own", "", link);
  return show(focus);
}

/** The view in the address, with what the run first shows for all that it does not name. */
async function adopt() {
  const given = readView();
  const ids = DATA.order;
  const before = { ...VIEW };
  VIEW.k = Number(given.k ?? DATA.k);
  VIEW.prompt = ids.includes(given.prompt) ? given.prompt : ids[0];
  const percents = [...Object.values(DATA.ranking?.metrics ?? {}).map((each) => each.k), ...(DATA.views[VIEW.prompt]?.k ?? [])];
  if (!percents.includes(VIEW.k)) VIEW.k = DATA.k;
  VIEW.rows = given.rows === "all" ? "all" : undefined;
  VIEW.theme = ["light", "dark"].includes(given.theme) ? given.theme : undefined;
  VIEW.mode = MODES.some(([mode]) => mode === given.mode) ? given.mode : "difference";
  VIEW.metric = given.metric;
  if (DATA.ranking && DATA.ranking.first) {
    const { metrics, first } = DATA.ranking;
    if (!Object.values(metrics).some((each) => each.metric === VIEW.metric)) VIEW.metric = metrics[first].metric;
    const key = keyOf(VIEW);
    if (!METRIC || before.metric !== VIEW.metric || before.k !== VIEW.k) METRIC = { key, ...(await unpackJson(metrics[key].packed)) };
  }
  if (DATA.ranking) adoptRanking(given);
  else if (DATA.contestants) {
    VIEW.metric = measureOf();
    const kept = Object.keys(DATA.views[VIEW.prompt]?.kept ?? {});
    VIEW.ranking = kept.includes(given.ranking) ? given.ranking : kept[0];
  }
  sayUnknown(given);
  return before;
}

/** The ranking and the layer: those of the metric, and those of the prompt's tokens, which a metric may have no value of (jaccard has none at the first layer). */
function adoptRanking(given) {
  const own = METRIC ? METRIC.heuristics : {};
  const shown = DATA.views[VIEW.prompt] ?? {};
  const names = [...Object.keys(own), ...Object.keys(shown.rankings ?? {})]; // of both the methods stand first
  VIEW.ranking = names.includes(given.ranking) ? given.ranking : names.find((name) => own[name] && !own[name].beside && !own[name].flat) ?? names[0];
  const layers = [...(METRIC ? METRIC.layers : []), ...(shown.layers ?? [])];
  const first = own[VIEW.ranking] ? METRIC.layers[own[VIEW.ranking].worst_layer] : layers[0];
  VIEW.layer = layers.includes(Number(given.layer)) ? Number(given.layer) : first;
}

/** Says which parts of a link this page does not have; what is shown in their place stands in the controls. */
function sayUnknown(given) {
  const unknown = ["metric", "prompt", "ranking", "layer", "k"].filter((name) => given[name] !== undefined && VIEW[name] !== undefined && String(VIEW[name]) !== given[name]);
  const said = unknown.map((name) => `${name} ${given[name]} (shown is ${VIEW[name]})`);
  byId("unknown").textContent = said.length ? visible(`This page does not have what the link asks for: ${said.join(", ")}.`) : "";
  byId("unknown").hidden = !said.length;
}
