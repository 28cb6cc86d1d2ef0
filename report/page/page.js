// The page: what is drawn again when the view changes, and how the page begins.

let turn = 0;
/** Draws what has changed. Of two changes at once the later one is drawn. */
async function show(focus = "") {
  turn += 1;
  const mine = turn;
  const before = await adopt();
  if (mine !== turn) return;
  if (VIEW.theme) document.documentElement.dataset.theme = VIEW.theme;
  else delete document.documentElement.dataset.theme;
  if (before.theme !== VIEW.theme || before.rows !== VIEW.rows) byId("sentences").replaceChildren(...DATA.found.map(foundPart)); // their links keep both
  if (METRIC) showRanking(before, focus);
  else if (DATA.contestants && before.metric !== VIEW.metric) showContestants();
  byId("worst").fill?.();
  if (VIEW.prompt === undefined) return;
  if (!SHOWN || before.prompt !== VIEW.prompt || before.ranking !== VIEW.ranking) {
    const prompt = await readPrompt(VIEW.prompt, VIEW.ranking);
    if (mine === turn) showPrompt(prompt);
  }
  if (SHOWN && mine === turn) SHOWN.update();
  if (SHOWN && mine === turn && before.prompt !== VIEW.prompt) startAtEvidence(SHOWN);
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
  }
  drawCurves(section.figure.firstChild, METRIC, VIEW);
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

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  choose({ theme: dark ? "light" : "dark" }, { keep: true });
}

/** A heading, its sentences, and a link to the tokens where one sees what they say. */
function foundPart({ heading, sentences, see }) {
  const { ranking, layer, prompt } = see ?? {};
  const link = see && DATA.views[prompt] ? el("p", {}, promptLink({ ...VIEW, ...see, mode: "difference" }, prompt, `See ${ranking} at layer ${layer} on the prompt ${prompt}`)) : null;
  return el("div", {}, el("h3", {}, heading), el("ul", {}, ...sentences.map((sentence) => el("li", {}, sentence))), link);
}

/** The words of this kind of run. */
function explainWords() {
  byId("words").hidden = !DATA.ranking && !DATA.contestants;
  const there = { niah: DATA.prompts.some(({ task }) => task === "niah"), engines: DATA.contestants };
  for (const [name, shown] of Object.entries(there)) for (const each of document.querySelectorAll(`#words .${name}`)) each.hidden = !shown;
}

/** n and p go to missed passages from anywhere but a control in which one types or chooses by letters. */
function goToMissed(event) {
  const step = { n: 1, p: -1 }[event.key];
  const elsewhere = event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.target.closest?.("select, textarea");
  if (step && !elsewhere && byId("missed-next")) byId("tokens").move(step);
}

function start() {
  document.title = `${visible(DATA.title)} – tokenrank`;
  byId("title").textContent = visible(DATA.title);
  byId("kind").textContent = ["tokenrank", DATA.kind && `evaluation=${DATA.kind}`].filter(Boolean).join(" · ");
  byId("intro").append(...DATA.intro.map((sentence) => el("p", {}, sentence)));
  byId("sentences").replaceChildren(...DATA.found.map(foundPart)); // the rest waits for packed data
  if (DATA.lacks.length) byId("summary").append(el("ul", { class: "lacks" }, ...DATA.lacks.map((sentence) => el("li", {}, sentence))));
  if (DATA.tables) otherTables(byId("tables"));
  explainWords();
  about(byId("about"));
  addEventListener("unhandledrejection", (event) => byId("summary").append(el("p", {}, `This browser cannot show all of the page: ${event.reason}`)));
  byId("theme").addEventListener("click", switchTheme);
  for (const moved of ["wheel", "touchmove"]) addEventListener(moved, hideTip, { passive: true });
  addEventListener("keydown", goToMissed);
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
