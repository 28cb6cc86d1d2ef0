// A prompt with its tokens, coloured by the truth, by a ranking, or by the difference between both.

const TRUTH = DATA.truth ? `truth (${DATA.truth})` : "truth"; // which one, of a run with several
const MODES = [["truth", TRUTH], ["ranking", "ranking"], ["difference", "difference"]];
const VERDICTS = ["", "found", "missed", "wrong", "always"];
const WORDS = { found: "found", missed: "missed", wrong: "wrongly kept", always: "always kept, not judged", out: "not ranked" };

/** All of a prompt that is needed now: its texts, the truth, and the chosen ranking or what the chosen engine kept. */
async function readPrompt(id, ranking) {
  const view = DATA.views[id];
  const content = await unpackJson(view.content);
  const facts = DATA.prompts.find((each) => each.id === id);
  if (!view.k) return { id, view, content, facts, tokens: 0 };
  const base = view.k.length + 1;
  const packedLevels = view.rankings[ranking];
  const packedKept = view.kept[ranking];
  return {
    id, view, content, facts, ranking, tokens: view.tokens,
    truth: await unpackLevels(view.truth, base, view.tokens * view.truths),
    percentile: view.percentile && (await unpack(view.percentile)),
    levels: packedLevels ? await unpackLevels(packedLevels, base, view.tokens * view.layers.length) : null,
    kept: packedKept ? await unpack(packedKept) : null,
    keptBy: Object.fromEntries(await Promise.all(Object.entries(view.kept).map(async ([name, each]) => [name, await unpack(each)]))),
  };
}

/** Whether a token is in the universe. */
const isRanked = (view, token) => token >= view.ranked[0] && token < view.ranked[1];

/** What is known of each token in the chosen view: level in the truth and in the ranking, and its verdict. */
function judge(prompt, { layer, k }) {
  const { view, truth, levels, kept } = prompt;
  const row = Math.max(0, view.layers.indexOf(layer));
  const place = Math.max(0, view.k.indexOf(k));
  const needed = view.k.length - place; // level from which on a token is among the best k percent
  return Array.from({ length: prompt.tokens }, (_, token) => {
    const true_ = truth[token * view.truths + (view.truths === 1 ? 0 : row)];
    const ranked = levels ? levels[token * view.layers.length + row] : null;
    if (kept) return { truth: true_, ranked: null, verdict: VERDICTS[kept[token]] };
    if (!isRanked(view, token)) return { truth: true_, ranked, verdict: "out" };
    if (ranked === null) return { truth: true_, ranked, verdict: "" };
    const [important, chosen] = [true_ >= needed, ranked >= needed];
    return { truth: true_, ranked, verdict: important && chosen ? "found" : important ? "missed" : chosen ? "wrong" : "" };
  });
}

/** Classes of a token's colour. */
function colourClass(prompt, { truth, ranked, verdict }, mode) {
  const scale = (level) => (level ? `s s${Math.round((10 * level) / prompt.view.k.length)}` : "");
  if (mode === "difference") return verdict;
  if (mode === "truth") return verdict === "out" ? "out" : scale(truth);
  if (prompt.kept) return verdict === "always" ? "always" : verdict === "found" || verdict === "wrong" ? "s s10" : "";
  return verdict === "out" ? "out" : scale(ranked);
}

/** Whether a token is in a span of the evidence. */
const isEvidence = (prompt, token) => (prompt.facts.evidence ?? []).some(([start, count]) => token >= start && token < start + count);

/** Classes that do not change: which part of the prompt a token is of. */
function partClass(prompt, token) {
  const within = (part) => part && token >= part[0] && token < part[0] + part[1];
  const { context, question } = prompt.facts;
  const text = prompt.content.texts ? prompt.content.texts[token] : null;
  return [isEvidence(prompt, token) && "evidence", within(question) && "question", context && !within(context) && !within(question) && "frame",
    text === null && "box", text !== null && text.includes("\n") && "nl", text === "" && "empty"].filter(Boolean).join(" ");
}

function tokenSpans(prompt) {
  return Array.from({ length: prompt.tokens }, (_, token) => {
    const span = document.createElement("span");
    span.textContent = prompt.content.texts ? visible(prompt.content.texts[token]) : String(token);
    span.part_ = partClass(prompt, token);
    return span;
  });
}

const percentWords = (view, level) => (level ? `among the best ${view.k[view.k.length - level]}\u00a0%` : `not among the best ${view.k[view.k.length - 1]} %`);

/** The tooltip of a token, as a title and lines. */
function tokenLines(prompt, token, told, { layer, k }) {
  const { view, content } = prompt;
  const title = content.texts ? quoted([content.texts[token]]) : `token ${token}`;
  const lines = [`token ${token + 1} of ${prompt.tokens}`];
  if (told.verdict === "out") return [title, [...lines, WORDS.out]];
  if (prompt.percentile && isRanked(view, token)) lines.push(`${TRUTH}: more important than ${prompt.percentile[token] === 255 ? "nearly all" : `${Math.round((100 * prompt.percentile[token]) / 255)} %`} of the tokens`);
  lines.push(`${TRUTH}: ${percentWords(view, told.truth)}`);
  if (told.ranked !== null) lines.push(`${prompt.ranking}, layer ${layer}: ${percentWords(view, told.ranked)}`);
  const judged = told.verdict ? WORDS[told.verdict] : "neither important nor kept";
  if (prompt.levels || prompt.kept) lines.push(`${prompt.kept ? `${prompt.ranking} %` : `at ${k} %`}: ${judged}`);
  return [title, lines];
}

/** The chosen view in words. */
function statusOf(prompt, told, view) {
  const count = (verdict) => told.filter((each) => each.verdict === verdict).length;
  const [found, missed, wrong] = [count("found"), count("missed"), count("wrong")];
  if (!prompt.levels && !prompt.kept) return `${prompt.id}, ${prompt.tokens} tokens: the ${TRUTH}.`;
  const who = prompt.kept ? `${prompt.ranking} %` : `${view.ranking} at layer ${view.layer}, best ${view.k} %`;
  const spans = prompt.facts.evidence ?? [];
  const evidence = told.filter((_, token) => isEvidence(prompt, token));
  const seen = evidence.filter((each) => ["found", "wrong", "always"].includes(each.verdict)).length;
  const share = found + missed ? ` (recall ${fixed(found / (found + missed))})` : "";
  return `${prompt.id}, ${who}: found ${found} of the ${found + missed} most important tokens${DATA.truth ? ` by ${DATA.truth}` : ""}${share}, missed ${missed}, wrongly kept ${wrong}.`
    + (spans.length ? ` Of the evidence’s ${evidence.length} tokens${spans.length > 1 ? ` in ${spans.length} spans` : ""} ${seen} are kept.` : "");
}

function legendOf(prompt, mode) {
  const { view, facts } = prompt;
  const key = (classes, text) => el("li", {}, el("span", { class: `key ${classes}` }, "token"), text);
  const items = [];
  if (mode === "difference") {
    items.push(key("found", "found: important and kept"), key("missed", "missed: important, not kept (double underline)"), key("wrong", "wrongly kept (dashed, struck through)"));
    if (prompt.kept) items.push(key("always", "always kept, not judged (dotted line)"));
  } else if (mode === "ranking" && prompt.kept) items.push(key("s s10 ranking", "kept"), key("always", "always kept (dotted line)"));
  else view.k.forEach((k, place) => items.push(key(`s s${Math.round((10 * (view.k.length - place)) / view.k.length)} ${mode}`, `best ${k} %`)));
  if (facts.evidence) items.push(key("evidence", "evidence: what answers the question (lines above and below)"));
  if (facts.question) items.push(key("question", "question (italic)"));
  if (facts.context) items.push(key("frame", `outside of the context, as the chat template (dimmed)${prompt.kept ? "" : "; these tokens count too"}`));
  if (facts.context && mode === "difference") items.push(key("missed frame", "missed outside of the context (wavy underline)"));
  if (!prompt.kept && view.ranked[1] - view.ranked[0] < prompt.tokens) items.push(key("out", "not ranked: outside of the universe (dotted line)"));
  return el("ul", { class: "legend", "aria-label": "Legend" }, ...items);
}
