// The interactive page: asks the server as one types, and puts the pieces of the answer in place.
"use strict";

const DELAY = 60; // ms after the last key
const PAUSE = 400; // ms without a key before what takes long is begun
const LEFT = "Shown below is the last that could be computed.";
const OPEN = "Looking for a gradient with more digits…";

const by = (id) => document.getElementById(id);
const spec = by("spec");
const controls = by("controls");
const answer = by("answer");
const texts = {};
let declared = null; // the names of the fields that are shown
let running = null; // the question that is being answered
let timer = 0;
let last = "";

function question() {
  const fields = {};
  for (const field of controls.querySelectorAll("[data-symbol]")) {
    fields[field.dataset.symbol] = field.value;
  }
  const along = by("along");
  return { spec: spec.value, fields, along: along ? along.value : "", dtype: by("dtype").value };
}

function names(node) {
  return [...node.querySelectorAll("[data-symbol], [data-slides], #along option")]
    .map((field) => `${field.dataset.symbol ?? ""}/${field.dataset.slides ?? ""}/${field.value && field.tagName === "OPTION" ? field.value : ""}/${field.min ?? ""}/${field.max ?? ""}`)
    .join(" ");
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(ask, DELAY);
}

async function ask(force = false) {
  const asked = question();
  const body = JSON.stringify(asked);
  if (body === last && force !== true) return;
  last = body;
  running?.abort();
  const mine = (running = new AbortController());
  answer.classList.add("waiting");
  try {
    const found = await answered({ ...asked, effort: "hurried" }, mine.signal);
    show(found);
    if (found.open) {
      by("state").textContent ||= OPEN;
      await new Promise((done) => setTimeout(done, PAUSE));
      if (mine.signal.aborted) return;
      const rest = await answered({ ...asked, effort: "rest" }, mine.signal);
      if (by("state").textContent === OPEN) by("state").textContent = "";
      if (rest.pieces) show(rest);
    }
  } catch (error) {
    if (mine.signal.aborted) return;
    by("state").textContent = `No answer: ${error.message}`;
  }
  if (running === mine) {
    running = null;
    answer.classList.remove("waiting");
  }
}

async function answered(asked, signal) {
  const response = await fetch("answer", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(asked),
    signal,
  });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

function show(found) {
  problems(found.problems);
  by("state").textContent = found.problems.length > 0 ? LEFT : "";
  if (!found.pieces) return;
  document.title = `${found.title} · losscodegen`;
  by("title").textContent = found.title;
  const { controls: fields, ...pieces } = found.pieces;
  const fresh = document.createElement("form");
  fresh.innerHTML = fields ?? "";
  if (fields !== undefined && names(fresh) !== declared) {
    declared = names(fresh);
    const reached = document.activeElement?.id;
    controls.replaceChildren(...fresh.childNodes);
    if (reached) by(reached)?.focus();
  }
  for (const [name, html] of Object.entries(pieces)) {
    const place = by(name);
    if (place) place.innerHTML = html;
  }
  Object.assign(texts, found.texts);
  if (found.token) history.replaceState(null, "", `?q=${found.token}`);
  document.body.dataset.answered = String(Number(document.body.dataset.answered ?? 0) + 1);
}

// ---------------------------------------------------------------- problems

function problems(found) {
  const list = by("problems");
  list.replaceChildren(
    ...found.map((problem) => {
      const item = document.createElement("li");
      const line = document.createElement("p");
      line.textContent = (problem.line ? `Line ${problem.line}: ` : "") + problem.message;
      item.append(line);
      if (problem.excerpt) {
        const excerpt = document.createElement("pre");
        excerpt.textContent = problem.excerpt;
        excerpt.tabIndex = 0;
        excerpt.setAttribute("role", "group");
        excerpt.setAttribute("aria-label", "Where it is");
        item.append(excerpt);
      }
      if (problem.hint) {
        const hint = document.createElement("p");
        hint.textContent = `Hint: ${problem.hint}`;
        item.append(hint);
      }
      return item;
    }),
  );
  spec.toggleAttribute("aria-invalid", false);
  if (found.length > 0) spec.setAttribute("aria-invalid", "true");
  underline(found.filter((problem) => problem.line > 0));
}

function underline(found) {
  const marks = by("marks");
  marks.replaceChildren();
  const lines = spec.value.split("\n");
  lines.forEach((line, index) => {
    const characters = [...line];
    let at = 0;
    const here = found.filter((p) => p.line === index + 1).sort((a, b) => a.column - b.column);
    for (const problem of here) {
      const start = Math.max(at, problem.column - 1);
      const end = Math.max(start + 1, problem.end_column - 1);
      marks.append(characters.slice(at, start).join(""));
      const mark = document.createElement("mark");
      mark.textContent = characters.slice(start, end).join("") || " ";
      marks.append(mark);
      at = end;
    }
    marks.append(characters.slice(at).join("") + "\n");
  });
  follow();
}

function follow() {
  by("marks").scrollTop = spec.scrollTop;
  by("marks").scrollLeft = spec.scrollLeft;
}

// ---------------------------------------------------------------- what one does

spec.addEventListener("input", () => {
  underline([]);
  later();
});
spec.addEventListener("scroll", follow);

controls.addEventListener("submit", (event) => event.preventDefault());
controls.addEventListener("input", (event) => {
  const { symbol, slides } = event.target.dataset;
  if (slides) by(`field-${slides}`).value = event.target.value;
  if (symbol) {
    const slider = controls.querySelector(`[data-slides="${CSS.escape(symbol)}"]`);
    if (slider && event.target.value.trim() !== "") slider.value = event.target.value;
  }
  later();
});
by("dtype").addEventListener("change", later);

by("pick").addEventListener("change", async (event) => {
  if (!event.target.value) return;
  const response = await fetch(`specs/${event.target.value}`);
  if (!response.ok) return;
  spec.value = await response.text();
  controls.replaceChildren();
  declared = null;
  ask();
});
by("open").hidden = true;
by("compile").hidden = true;

// Pointing at a plot moves the entry that runs there.
answer.addEventListener("click", (event) => {
  const plot = event.target.closest("svg[data-places]");
  if (!plot) return;
  const box = plot.getBoundingClientRect();
  const at = ((event.clientX - box.left) / box.width) * plot.viewBox.baseVal.width;
  const places = plot.dataset.places.split(" ").map(Number);
  const numbers = plot.dataset.numbers.split(" ");
  let nearest = 0;
  places.forEach((place, k) => {
    if (Math.abs(place - at) < Math.abs(places[nearest] - at)) nearest = k;
  });
  const along = by("along");
  const fields = [...controls.querySelectorAll("[data-symbol]")];
  const [symbol, entry] = (along?.value ?? plot.dataset.runs ?? "").split(":");
  const field = by(`field-${symbol}`) ?? fields.find((f) => f.dataset.symbol === symbol);
  if (!field) return;
  const entries = field.value.split(",");
  entries[Number(entry ?? 0)] = String(Number(Number(numbers[nearest]).toPrecision(6)));
  field.value = entries.map((text) => text.trim()).join(", ");
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

const copies = document.querySelector(".copies");
copies.hidden = false;
copies.addEventListener("click", async (event) => {
  const key = event.target.dataset.copies;
  if (!key) return;
  const text = key === "link" ? location.href : texts[key];
  if (text === undefined) return;
  try {
    await navigator.clipboard.writeText(text);
    by("state").textContent = "Copied.";
  } catch {
    by("state").textContent = "The browser does not allow copying.";
  }
});

declared = names(controls);
ask();
