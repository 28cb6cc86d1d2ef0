// The page: what is chosen, and what is drawn again when it changes.

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
    VIEW.ranking = METRIC.heuristics[given.ranking] ? given.ranking : Object.keys(METRIC.heuristics).find((name) => !METRIC.heuristics[name].beside) ?? Object.keys(METRIC.heuristics)[0];
    const layers = [...METRIC.layers, ...(DATA.views[VIEW.prompt]?.layers ?? [])]; // jaccard has no value at the first layer
    VIEW.layer = given.layer !== undefined && layers.includes(Number(given.layer)) ? Number(given.layer) : METRIC.layers[least(METRIC.heuristics[VIEW.ranking].mean)];
  } else if (DATA.contestants) {
    VIEW.metric = measureOf();
    const kept = Object.keys(DATA.views[VIEW.prompt]?.kept ?? {});
    VIEW.ranking = kept.includes(given.ranking) ? given.ranking : kept[0];
  }
  sayUnknown(given);
  return before;
}

/** Says which parts of a link this page does not have; what is shown in their place stands in the controls. */
function sayUnknown(given) {
  const unknown = ["metric", "prompt", "ranking", "layer", "k"].filter((name) => given[name] !== undefined && VIEW[name] !== undefined && String(VIEW[name]) !== given[name]);
  const said = unknown.map((name) => `${name} ${given[name]} (shown is ${VIEW[name]})`);
  byId("unknown").textContent = said.length ? `This page does not have what the link asks for: ${said.join(", ")}.` : "";
  byId("unknown").hidden = !said.length;
}

let turn = 0;
/** Draws what has changed. Of two changes at once the later one is drawn. */
async function show(focus = "") {
  turn += 1;
  const mine = turn;
  const before = await adopt();
  if (mine !== turn) return;
  if (VIEW.theme) document.documentElement.dataset.theme = VIEW.theme;
  else delete document.documentElement.dataset.theme;
  if (METRIC) showRanking(before, focus);
  else if (DATA.contestants && before.metric !== VIEW.metric) showContestants();
  byId("worst").fill?.();
  if (VIEW.prompt === undefined) return;
  if (!SHOWN || before.prompt !== VIEW.prompt || before.ranking !== VIEW.ranking) {
    const prompt = await readPrompt(VIEW.prompt, VIEW.ranking);
    if (mine === turn) showPrompt(prompt);
  }
  if (SHOWN && mine === turn) SHOWN.update();
  document.body.dataset.shown = location.hash; // says to tests that all is drawn
}

function showRanking(before, focus) {
  const { metrics } = DATA.ranking;
  const label = METRIC.key;
  byId("about-what").hidden = label === DATA.declared;
  byId("about-what").textContent = `These sentences stay about the metrics that they name, first ${DATA.declared}, which was declared before the run; ${label}, chosen below, is in the curves and tables.`;
  const section = byId("overview");
  if (before.metric !== VIEW.metric || before.k !== VIEW.k || section.hidden) {
    const names = [...new Set(Object.values(metrics).map((each) => each.metric))];
    const percents = Object.values(metrics).filter((each) => each.metric === VIEW.metric && each.k !== null).map((each) => each.k);
    section.figure = curves(METRIC, label, VIEW, (ranking, layer) => choose({ ranking, layer }, { keep: true }));
    section.methods = el("div");
    section.heat = el("div");
    section.replaceChildren(el("h2", {}, "Layer by layer"), el("div", { class: "controls" }, select("metric", names.map((name) => [name, name]), VIEW.metric, (metric) => choose({ metric })),
      percents.length ? select("best", percents.map((k) => [k, `${k} %`]), VIEW.k, (k) => choose({ k })) : null), section.figure, section.methods, section.heat);
    section.hidden = false;
    worstLayers(byId("worst"), METRIC, label, VIEW);
  } else if (section.figure.firstChild.across) drawCurves(section.figure.firstChild, METRIC, VIEW);
  const linkOf = (ranking, layer, prompt, ...texts) => promptLink({ ...VIEW, ranking, layer, mode: "difference" }, DATA.prompts[prompt].id, ...texts);
  section.methods.replaceChildren(methodsTable(METRIC, label, VIEW, linkOf));
  section.heat.replaceChildren(heatMap(METRIC, label, VIEW, (ranking, layer, back) => choose({ ranking, layer }, { keep: true, focus: back })));
  if (focus === "heat") section.heat.querySelector(".here").focus();
}

function showContestants() {
  const section = byId("overview");
  const { results, measures } = DATA.contestants;
  section.replaceChildren(el("h2", {}, "Engine by engine"), el("div", { class: "controls" },
    select("measure", results.map((name) => [name, measures[name].heading]), VIEW.metric, (metric) => choose({ metric }))), results.length ? tradeOff(VIEW.metric) : "No result was measured.");
  section.hidden = false;
  if (DATA.contestants.worst[VIEW.metric]) worstPrompts(byId("worst"), VIEW.metric, VIEW);
}

/** Puts a prompt into the page; the controls keep the focus where they had it. */
function showPrompt(prompt) {
  const section = byId("prompt");
  const had = section.contains(document.activeElement) ? document.activeElement.dataset.control : null;
  const scrolled = byId("tokens")?.scrollTop ?? 0;
  const spans = prompt.view.k ? tokenSpans(prompt) : [];
  const body = spans.length ? tokensOf(prompt, spans) : el("blockquote", {}, prompt.content.prompt ?? "The run kept neither the tokens nor the text of this prompt.");
  const [status, legend] = [el("p", { class: "status", id: "status", role: "status", "aria-live": "polite" }), el("div", { id: "legend" })];
  const missed = el("div", { id: "missed" });
  const map = prompt.view.k ? layerMap(prompt, VIEW, (change, token) => choose(change, { keep: true }).then(() => SHOWN.spans[token].scrollIntoView({ block: "center" }))) : null;
  const controls = promptControls(prompt);
  const { content } = prompt;
  section.replaceChildren(el("h2", {}, "Token by token"), controls.element, ...(prompt.facts.error ? [el("p", { class: "lacks" }, `This prompt failed, wholly or in part: ${prompt.facts.error}`)] : []), status, missed, map ?? "", legend, el("h3", {}, "Prompt"), body, el("h3", {}, "Answer of the full prefill"),
    el("blockquote", { id: "answer" }, content.answer ?? "The run kept no answer."), ...(content.references.length ? [el("p", { class: "note" }, `Reference: ${content.references.join(" | ")}`)] : []),
    ...(DATA.contestants && content.runs.length ? [el("h3", {}, "Under each engine"), enginesTable(prompt, VIEW)] : []));
  section.hidden = false;
  if (SHOWN && SHOWN.prompt.id === prompt.id) body.scrollTop = scrolled;
  SHOWN = { prompt, spans, update: () => recolour(prompt, spans, body, map, legend, status, missed, controls) };
  if (had) section.querySelector(`[data-control="${had}"]`)?.focus();
}

function promptControls(prompt) {
  const ids = [...DATA.order].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const named = (element, name) => { (element.querySelector("select, input") ?? element).dataset.control = name; return element; };
  const parts = [named(select("prompt", ids.map((id) => [id, id]), VIEW.prompt, (id) => choose({ prompt: id })), "prompt")];
  const update = [];
  if (prompt.view.k) {
    const rankings = [...Object.keys(prompt.view.rankings), ...Object.keys(prompt.view.kept)];
    if (rankings.length) parts.push(named(select(DATA.contestants ? "kept by" : "ranking", rankings.map((name) => [name, DATA.contestants ? `${name} %` : name]), VIEW.ranking, (ranking) => choose({ ranking })), "ranking"));
    if (prompt.levels) {
      const layers = prompt.view.layers;
      const said = el("output", {}, "");
      const slider = el("input", { type: "range", id: "layer", min: 0, max: layers.length - 1, step: 1, oninput: (event) => choose({ layer: layers[event.target.value] }, { keep: true }) });
      parts.push(named(el("label", { class: "wide" }, "layer", slider, said), "layer"));
      update.push(() => { slider.value = layers.indexOf(VIEW.layer); slider.setAttribute("aria-valuetext", `layer ${VIEW.layer}`); said.textContent = VIEW.layer; });
    }
    const radios = MODES.map(([mode]) => el("input", { type: "radio", name: "mode", value: mode, "data-control": `by-${mode}`, onchange: () => choose({ mode }) }));
    if (rankings.length) parts.push(el("fieldset", {}, el("legend", {}, "colour by"), ...radios.map((radio, place) => el("label", {}, radio, prompt.kept && place === 1 ? "kept" : MODES[place][1]))));
    if (!prompt.kept) parts.push(named(select("best", prompt.view.k.map((k) => [k, `${k} %`]), VIEW.k, (k) => choose({ k })), "k"));
    update.push(() => radios.forEach((radio) => { radio.checked = radio.value === VIEW.mode; }));
    update.push(() => { const box = element.querySelector("[data-control=k]"); if (box) box.value = VIEW.k; });
  }
  const element = el("div", { class: "controls sticky" }, ...parts);
  return { element, update: () => update.forEach((each) => each()) };
}

/** The prompt's tokens: one span each, and one listener for all of them. */
function tokensOf(prompt, spans) {
  const body = el("div", { class: "tokens", id: "tokens", tabindex: 0, role: "group", "aria-label": "Tokens of the prompt; left and right arrow go from token to token, n and p to the next and the previous missed passage" }, ...spans);
  const places = new Map(spans.map((span, place) => [span, place]));
  let current = -1;
  const tell = (token, x, y) => showTip(x, y, ...tokenLines(prompt, token, judge(prompt, VIEW)[token], VIEW));
  body.addEventListener("pointermove", (event) => (places.has(event.target) ? tell(places.get(event.target), event.clientX, event.clientY) : hideTip()));
  body.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hideTip(); });
  body.addEventListener("blur", hideTip);
  body.goTo = (token) => {
    spans[current]?.classList.remove("current");
    current = token;
    body.focus({ preventScroll: true });
    spans[current].classList.add("current");
    spans[current].scrollIntoView({ block: "nearest", behavior: "instant" });
    const box = spans[current].getBoundingClientRect();
    tell(current, box.left, box.bottom - 12);
    const [title, lines] = tokenLines(prompt, current, judge(prompt, VIEW)[current], VIEW);
    byId("status").textContent = [title, ...lines].join("; ");
  };
  body.move = (step) => body.goTo(nextMissed(judge(prompt, VIEW), current, step));
  body.addEventListener("click", (event) => { if (places.has(event.target)) tell(places.get(event.target), event.clientX, event.clientY); }); // a tap
  body.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideTip();
    const next = event.ctrlKey || event.metaKey || event.altKey ? undefined : tokenAfter(event.key, current, spans.length, judge(prompt, VIEW));
    if (next === undefined) return;
    event.preventDefault();
    body.goTo(next);
  });
  return body;
}

/** Colours of the tokens, the map, the legend and the sentence for the chosen view. */
function recolour(prompt, spans, body, map, legend, status, missed, controls) {
  controls.update();
  if (!prompt.view.k) return;
  if (!prompt.view.k.includes(VIEW.k)) VIEW.k = prompt.view.k[0];
  const mode = prompt.levels || prompt.kept ? VIEW.mode : "truth";
  const told = judge(prompt, VIEW);
  body.classList.toggle("ranking", mode === "ranking");
  spans.forEach((span, token) => {
    const name = `${span.part_} ${colourClass(prompt, told[token], mode)}`;
    if (span.className !== name) span.className = name;
  });
  legend.replaceChildren(legendOf(prompt, mode));
  status.textContent = statusOf(prompt, told, VIEW);
  const open = missed.querySelector("details")?.open;
  missed.replaceChildren(...missedList(prompt, told, body.goTo, body.move));
  if (open && missed.querySelector("details")) missed.querySelector("details").open = true;
  map.redraw(legend);
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  choose({ theme: dark ? "light" : "dark" }, { keep: true });
}

function start() {
  document.title = `${DATA.title} – tokenrank`;
  byId("title").textContent = DATA.title;
  byId("kind").textContent = ["tokenrank", DATA.kind && `evaluation=${DATA.kind}`].filter(Boolean).join(" · ");
  byId("intro").append(...DATA.intro.map((sentence) => el("p", {}, sentence)));
  byId("sentences").append(...DATA.summary.map((sentence) => el("li", {}, sentence)));
  if (DATA.lacks.length) byId("summary").append(el("ul", { class: "lacks" }, ...DATA.lacks.map((sentence) => el("li", {}, sentence))));
  if (DATA.tables) otherTables(byId("tables"));
  about(byId("about"));
  addEventListener("unhandledrejection", (event) => byId("sentences").append(el("li", {}, `This browser cannot show all of the page: ${event.reason}`)));
  byId("theme").addEventListener("click", switchTheme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => SHOWN && SHOWN.update());
  const toPrompt = () => { if (readView().prompt) goTo(byId("prompt")); };
  history.replaceState("own", "");
  addEventListener("popstate", (event) => show().then(() => event.state === null && toPrompt())); // the back button keeps its place; a pasted link has no state
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState("own", "", link.getAttribute("href"));
    show().then(toPrompt);
  });
  show().then(toPrompt).then(contents);
}

/** Scrolls to a part of the page; the keyboard goes on from its heading. */
function goTo(section) {
  const heading = section.querySelector("h2");
  heading.tabIndex = -1;
  section.scrollIntoView();
  heading.focus({ preventScroll: true });
}

/** Buttons that go to the parts of the page; links would change the view in the address. */
function contents() {
  const sections = [...document.querySelectorAll("main > section")].filter((section) => !section.hidden);
  byId("contents").replaceChildren(...sections.map((section) => el("button", { type: "button", onclick: () => goTo(section) }, section.querySelector("h2").textContent)));
}
start();
