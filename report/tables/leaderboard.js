"use strict";
// Sorts the rows by a column: numbers best first, texts from a to z, the other way round at the next click; rows without a value stay last.
const board = document.querySelector("#board");
const body = board.tBodies[0];
const headings = [...board.tHead.rows[0].cells];
const status = document.querySelector("#status");

function compared(one, other, numeric) {
  return numeric ? Number(one) - Number(other) : one.localeCompare(other, "en");
}

function sort(place) {
  const heading = headings[place], numeric = !heading.classList.contains("text");
  const before = heading.getAttribute("aria-sort");
  const direction = before === null ? heading.dataset.first : before === "ascending" ? "descending" : "ascending";
  const sign = direction === "ascending" ? 1 : -1;
  const value = (row) => row.cells[place].dataset.value;
  const rows = [...body.rows].sort((a, b) => {
    if (value(a) === "" || value(b) === "") return (value(a) === "") - (value(b) === "");
    return sign * compared(value(a), value(b), numeric);
  });
  body.append(...rows);
  for (const each of headings) each.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", direction);
  status.textContent = `sorted by ${heading.textContent.trim()}, ${direction}`;
}

headings.forEach((heading, place) => heading.querySelector("button").addEventListener("click", () => sort(place)));
