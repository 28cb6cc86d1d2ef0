"use strict";
// Elements, packed data and the view in the address. Text enters the page as text alone, and visible.

const DATA = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

// As `visible` of records/visible_text.py, which also escapes letters for private use and those that Unicode has not assigned: what browsers obey or hide, but for line breaks and tabs; and what may stay, because it only shapes the letter or emoji before it.
const HIDDEN = String.raw`[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]--[\n\t]]`;
const shaped = (kinds) => String.raw`[${kinds}--[\x00-\x7f]--${HIDDEN}]`;
const UNSEEN = new RegExp(String.raw`(?<=${shaped(String.raw`[\p{L}\p{M}\p{S}]`)}|${shaped(String.raw`\p{S}`)}[\ufe00-\ufe0f])[\u200c\u200d]|(?<=${shaped(String.raw`\p{S}`)})[\ufe00-\ufe0f]|(${HIDDEN})`, "gv");

/** A text with the escape of every character that nobody sees, and that might reorder what is around it. */
function visible(text) {
  return text.replace(UNSEEN, (letter, hidden) => {
    if (hidden === undefined) return letter;
    const code = letter.codePointAt(0);
    if (letter === "\r") return "\\r";
    const [mark, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
    return `\\${mark}${code.toString(16).padStart(digits, "0")}`;
  });
}

/** Tokens in quotes on one line; each is made visible alone, so that no joiner of one hides behind another. */
const quoted = (texts) => `"${texts.map((text) => visible(JSON.stringify(text).slice(1, -1))).join("")}"`;

/** An element with attributes and children; children that are no nodes become text. */
function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same of SVG. */
function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "colour") {
      element.classList.add("method");
      element.style.setProperty("--c", value);
    } else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (child instanceof Node ? child : visible(String(child)))));
  return element;
}

/** A labelled select of [value, text] pairs. */
function select(label, options, value, choose) {
  const box = el("select", { onchange: (event) => choose(event.target.value) });
  for (const [each, text] of options) box.append(el("option", { value: each, selected: String(each) === String(value) }, text));
  return el("label", {}, label, box);
}

// Packed data: deflate in base64. What was read once is kept.
const unpacked = new Map();
function unpack(text) {
  if (!unpacked.has(text)) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    unpacked.set(text, new Response(stream).arrayBuffer().then((buffer) => new Uint8Array(buffer)));
    if (unpacked.size > 60) unpacked.delete(unpacked.keys().next().value);
  }
  return unpacked.get(text);
}
const unpackJson = async (text) => JSON.parse(new TextDecoder().decode(await unpack(text)));

/** Levels (tokens, rows), several digits of this base in a byte, the first one the highest. */
async function unpackLevels(text, base, count) {
  const bytes = await unpack(text);
  let perByte = 1;
  while (base ** (perByte + 1) <= 256) perByte += 1;
  const cells = new Uint8Array(bytes.length * perByte);
  for (let place = 0; place < bytes.length; place += 1) {
    let rest = bytes[place];
    for (let digit = perByte - 1; digit >= 0; digit -= 1) {
      cells[place * perByte + digit] = rest % base;
      rest = Math.floor(rest / base);
    }
  }
  return cells.subarray(0, count);
}

/** A number with so many decimals; exact halves go to the even digit, as in the printed tables. */
function fixed(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  const halves = value * 2 ** (digits + 1); // odd for exact halves alone: 0.5375 is none, as no binary number is 0.5375
  if (Math.abs(halves % 2) === 1) return ((2 * Math.round((value * 10 ** digits) / 2)) / 10 ** digits).toFixed(digits);
  return value.toFixed(digits);
}

/** Value and, beside it, its interval. */
function withInterval([value, low, high], digits = 3) {
  const ends = low === null && high === null ? "" : ` [${fixed(low, digits)}, ${fixed(high, digits)}]`;
  return [fixed(value, digits), el("span", { class: "interval" }, ends)];
}

/** A table under its caption, which is as wide as the page, however narrow the table is. */
function captioned(caption, made) {
  const id = `caption-${captioned.made = (captioned.made ?? 0) + 1}`;
  made.setAttribute("aria-labelledby", id);
  return el("figure", { class: "table" }, el("figcaption", { id }, caption), el("div", { class: "scroll" }, made));
}

/** A name in a cell: on one line unless it is long. */
const whole = (...children) => el("span", { class: "whole" }, ...children);

/** A table: columns are [heading, "text" or ""]; a cell is a text, a node or a list of them. */
function table(caption, columns, rows, attributes = {}) {
  const head = columns.map(([heading, kind]) => el("th", { scope: "col", class: kind }, heading));
  const body = rows.map(({ cells, ...more }) => {
    const made = cells.map((cell, place) => {
      const children = Array.isArray(cell) ? cell : [cell];
      if (place === 0) return el("th", { scope: "row" }, whole(...children));
      return el("td", { class: columns[place][1] }, ...(columns[place][1] === "name" ? [whole(...children)] : children));
    });
    return el("tr", more, ...made);
  });
  return captioned(caption, el("table", attributes, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body)));
}

// The view: what is chosen, in the address after the #, so that each view has a link.
const NAMES = ["metric", "prompt", "ranking", "layer", "mode", "k", "rows", "theme"];
function readView() {
  const given = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(NAMES.filter((name) => given.has(name)).map((name) => [name, given.get(name)]));
}
function linkTo(view) {
  const asked = new URLSearchParams();
  for (const name of NAMES) if (view[name] !== undefined && view[name] !== null) asked.set(name, view[name]);
  return `#${asked}`;
}

// The tooltip, beside the pointer or below an element.
function showTip(x, y, title, lines) {
  const tip = byId("tip");
  tip.replaceChildren(el("b", {}, title), visible(lines.join("\n")));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 6))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 12) : y + 18}px`;
}
function hideTip() {
  byId("tip").hidden = true;
}

/** The colour of a method; greys follow light and dark. */
function colourOf(name) {
  const colour = DATA.styles[name] || "#777777";
  const [red, green, blue] = [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
  if (red !== green || green !== blue) return colour;
  return red < 80 ? "var(--ink)" : "var(--soft)";
}
