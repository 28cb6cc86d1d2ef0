// The missed and the wrongly kept passages of a prompt as text, with buttons and keys that go from one missed to the next.

/** Runs of missed tokens, or of those of another verdict, as [first, number]. */
function passagesOf(told, which = "missed") {
  const runs = [];
  told.forEach(({ verdict }, token) => {
    if (verdict !== which) return;
    const last = runs[runs.length - 1];
    if (last && last[0] + last[1] === token) last[1] += 1;
    else runs.push([token, 1]);
  });
  return runs;
}

/** The first token of the next missed passage after a token, or (step -1) of the one before it; the list goes round. */
function nextMissed(told, current, step) {
  const starts = passagesOf(told).map(([first]) => first);
  if (step > 0) return starts.find((first) => first > current) ?? starts[0];
  return starts.findLast((first) => first < current) ?? starts[starts.length - 1];
}

/** Buttons and the passages; go(token) moves there, move(step) to the next or the one before. */
function missedList(prompt, told, go, move) {
  const [runs, wrong] = [passagesOf(told), passagesOf(told, "wrong")];
  if (!prompt.levels && !prompt.kept) return [];
  const { texts } = prompt.content;
  const outside = (token) => prompt.facts.context && partClass(prompt, token).split(" ").includes("frame");
  const inEvidence = ([first, count]) => Array.from({ length: count }, (_, place) => first + place).some((token) => isEvidence(prompt, token));
  const said = ([first, count]) => (texts ? quoted(texts.slice(first, first + count)) : `tokens ${first + 1} to ${first + count}`);
  const passages = (name, those, id) => el("details", {}, el("summary", {}, `${name} passages: ${those.length}`), el("ol", { id, class: "passages" },
    ...those.map((run) => el("li", {}, el("button", { type: "button", onclick: () => go(run[0]) }, said(run)), inEvidence(run) ? " evidence" : outside(run[0]) ? " outside of the context" : ""))));
  return [el("div", { class: "controls" }, el("button", { type: "button", id: "missed-before", onclick: () => move(-1) }, "previous missed (p)"), el("button", { type: "button", id: "missed-next", onclick: () => move(1) }, "next missed (n)")),
    passages("Missed", runs, "missed-list"), passages("Wrongly kept", wrong, "wrong-list")];
}

/** Where a key moves to among the tokens; undefined: nowhere. */
function tokenAfter(key, current, tokens) {
  const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -50, PageDown: 50 }[key];
  if (step) return Math.max(0, Math.min(tokens - 1, current + step));
  if (key === "Home" || key === "End") return key === "Home" ? 0 : tokens - 1;
  return undefined;
}
