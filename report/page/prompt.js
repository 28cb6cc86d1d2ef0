// The part of the page that shows one prompt: its controls, its tokens and keys, and their colours.

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
    byId("status").textContent = visible([title, ...lines].join("; "));
  };
  body.move = (step) => body.goTo(nextMissed(judge(prompt, VIEW), current, step));
  body.addEventListener("click", (event) => { if (places.has(event.target)) tell(places.get(event.target), event.clientX, event.clientY); }); // a tap
  body.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideTip();
    const next = event.ctrlKey || event.metaKey || event.altKey ? undefined : tokenAfter(event.key, current, spans.length);
    if (next === undefined) return;
    event.preventDefault();
    body.goTo(next);
  });
  return body;
}

/** Scrolls the prompt's box to the first missed token of the evidence, if there is one. */
function startAtEvidence({ prompt, spans }) {
  if (!spans.length) return;
  const first = judge(prompt, VIEW).findIndex(({ verdict }, token) => verdict === "missed" && isEvidence(prompt, token));
  if (first >= 0) byId("tokens").scrollTop = spans[first].offsetTop - spans[0].offsetTop - 100;
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
  status.textContent = visible(statusOf(prompt, told, VIEW));
  const open = [...missed.querySelectorAll("details")].map((each) => each.open);
  missed.replaceChildren(...missedList(prompt, told, body.goTo, body.move));
  missed.querySelectorAll("details").forEach((each, place) => { each.open = open[place] ?? false; });
  map.redraw(legend);
}
