// The label page: shows one question, keeps every keystroke, saves an answer when told to.

import { Problem, enter, get, post } from "/api.js";
import { QUESTIONS, changes, element, widget } from "/widgets.js";

const KEEP_AFTER_MS = 250;
const LONGEST_TEXT = 20000;
const LONGEST_WRAPPED = 100000;
const KINDS = {
  trace: "trace", span: "span", session: "session", tool_call: "tool call",
  prototype_run: "prototype run", golden_row: "golden row", pair: "pair",
};
const SPEAKERS = { it: "assistant" };

const $ = (id) => document.getElementById(id);
const page = {
  overview: null, number: 0, wanted: 0, shown: null, form: null, base: null,
  timer: 0, keeping: Promise.resolve(), dirty: false, busy: false, ended: false,
};

/* ------------------------------------------------------------------ what is said to the person */

function say(words, tone = "") {
  $("state").textContent = words;
  $("state").dataset.tone = tone;
}

function notice(words, ...extra) {
  $("notice").replaceChildren(words, ...extra);
  $("notice").hidden = !words;
}

function fault(words) {
  $("fault").textContent = words;
  $("fault").hidden = !words;
}

function trouble(problem) {
  if (!(problem instanceof Problem)) throw problem;
  if (problem.status === 401) {
    notice(`${problem.message[0].toUpperCase()}${problem.message.slice(1)}. `
      + "Paste the link that the terminal shows into this window's address bar; nothing you typed is lost.");
    say("not connected", "bad");
  } else if (problem.status === 0) {
    notice("The terminal session has ended. What the page called kept or saved is on disk; "
      + "leave this window open, and start gitloop label again to go on.");
    say("not kept", "bad");
  } else {
    fault([problem.message, problem.hint].filter(Boolean).join(" → "));
    say("not saved", "bad");
  }
}

/* ------------------------------------------------------------------------- one question, drawn */

function block(name, text, options = {}) {
  const body = element("div", { class: "text", dir: "auto" });
  const long = text.length > LONGEST_TEXT;
  body.textContent = long ? `${text.slice(0, LONGEST_TEXT)}…` : text;
  const node = element("section", { class: `block ${options.look || ""}`, "aria-label": name },
    element("h3", {}, name), body);
  if (long) {
    node.append(element("button", {
      type: "button", class: "quiet",
      onclick: (event) => { body.textContent = text; event.target.remove(); },
    }, `Show all ${text.length.toLocaleString("en")} characters`));
  }
  return node;
}

function drawCase(view) {
  const facts = [KINDS[view.kind] || view.kind, view.route, view.user_cohort, view.cluster];
  $("meta").replaceChildren(...facts.filter(Boolean)
    .map((fact, place) => element("span", { class: place ? "tag" : "tag kind" }, fact)));
  $("title").textContent = view.title || `Question ${page.number + 1}`;
  $("passages").replaceChildren(...view.passages.map((passage) => {
    const name = SPEAKERS[passage.name] || passage.name;
    return block(name, passage.text, { look: passage.name === "user" ? "user" : passage.name });
  }));
  const one = view.kind === "tool_call" ? "Result" : "Answer";
  const names = view.kind === "pair" ? ["The first", "The second"] : [one];
  $("texts").classList.toggle("pair", view.kind === "pair");
  $("texts").replaceChildren(...view.texts.map((text, place) =>
    block(names[place], text || `(no ${one.toLowerCase()})`, { look: "output" })));
}

function drawOpinions(view) {
  const box = $("opinions");
  box.hidden = !view.opinions.length;
  if (box.hidden) return;
  const cards = view.opinions.map((opinion) => {
    const card = element("article", { class: "opinion" },
      element("header", { class: "row" }, element("b", {}, opinion.annotator),
        element("span", { class: `verdict ${opinion.label}` }, opinion.label)));
    if (opinion.comment) card.append(element("p", { class: "text", dir: "auto" }, opinion.comment));
    if (opinion.sections.length) {
      card.append(element("p", { class: "soft small" }, `decided by ${opinion.sections.map((name) => sectionName(view, name)).join(", ")}`));
    }
    if (opinion.reference) {
      card.append(block("would have said", opinion.reference), element("button", {
        type: "button", class: "quiet",
        onclick: () => { $("reference").value = opinion.reference; typed(); $("reference").focus(); },
      }, `Use ${opinion.annotator}'s words`));
    }
    return card;
  });
  box.replaceChildren(element("h2", {}, "They disagree"), element("div", { class: "cards" }, ...cards));
}

function sectionName(view, name) {
  const sections = page.overview.rules[view.rubric]?.sections || [];
  const place = sections.findIndex((section) => section.section_id === name);
  return place < 0 ? name : `§${place + 1} ${sections[place].title}`;
}

function drawSections(view, cited) {
  const rules = page.overview.rules[view.rubric];
  const sections = rules ? rules.sections : [];
  $("rubric").replaceChildren(view.rubric, rules?.version
    ? element("span", { class: "tag" }, `version ${rules.version}`) : "");
  $("description").textContent = rules?.description || "";
  $("guidance").hidden = !sections.length;
  $("guidance-version").textContent = `version ${page.overview.guidance_version}`;
  $("sections").replaceChildren(...sections.map((section, place) => element("label",
    { class: "guide" },
    element("input", {
      type: "checkbox", name: "section", value: section.section_id, onchange: typed,
      checked: cited.includes(section.section_id),
    }),
    element("span", { class: "text" },
      element("b", {}, `§${place + 1} `,
        section.text.startsWith(section.title.replace(/ …$/, "")) ? "" : `${section.title}. `),
      section.text))));
}

function drawAnswer(view) {
  const values = view.draft || view.own || {};
  const form = view.form;
  page.form = widget(view.kind, form, values.label || "", typed);
  $("question").textContent = form.question || QUESTIONS[form.type];
  $("widget").replaceChildren(page.form.node);
  $("comment").value = values.comment || "";
  $("reference").value = values.reference || "";
  $("reference-field").hidden = view.kind === "pair";
  $("copy").hidden = !view.texts[0] || view.kind === "pair";
  drawSections(view, values.sections || []);
  drawOthers(view);
  edited();
  $("own").textContent = view.own
    ? `Your label in force: ${view.own.label}, ${view.own.created_at.replace("T", " ").replace("Z", " UTC")}`
    : "";
  say(view.draft ? "draft kept" : view.own ? "saved" : "");
}

function drawOthers(view) {
  $("others").hidden = !view.others.length;
  $("others").replaceChildren(...view.others.map((values) => element("div", { class: "row" },
    element("p", { class: "text small", dir: "auto" },
      `Unsaved in another window: ${[values.label, values.comment, values.reference].filter(Boolean).join(" · ")}`),
    element("button", {
      type: "button", class: "quiet",
      onclick: () => { page.shown.draft = values; drawAnswer(page.shown); typed(); },
    }, "Take it"))));
}

function drawProgress() {
  const { states, annotator, role } = page.overview;
  const saved = states.filter((state) => state.saved).length;
  $("who").textContent = `· ${annotator}${role === "senior" ? ", senior" : ""}`;
  $("progress").max = Math.max(1, states.length);
  $("progress").value = saved;
  $("count").textContent = `${saved} of ${states.length}`;
}

function drawList() {
  const { states, questions, gone } = page.overview;
  $("questions").replaceChildren(...questions.map((question, place) => {
    const state = states[place];
    const word = state.saved ? "saved" : state.draft ? "draft" : "open";
    return element("li", {}, element("button", {
      type: "button", class: "line", "aria-current": place === page.number ? "true" : null,
      onclick: () => { $("list").close(); go(place); },
    }, element("span", { class: `dot ${word}`, title: word }),
    element("span", { class: "grow", dir: "auto" }, question.line || question.id),
    element("span", { class: "tag" }, question.rubric),
    element("span", { class: "unseen" }, word)));
  }));
  if (gone.length) {
    $("questions").append(element("li", { class: "soft small" },
      `${gone.length} more are gone: their traces were retired, first ${gone[0]}`));
  }
}

// A box that wraps a megabyte of text and checks its spelling stops the browser for seconds.
function ease(box) {
  const isLong = box.value.length > LONGEST_WRAPPED;
  box.wrap = isLong ? "off" : "soft";
  box.spellcheck = !isLong;
}

function edited() {
  ease($("reference"));
  ease($("comment"));
  const reference = $("reference").value;
  const answer = page.shown?.texts[0] || "";
  const mark = $("edited");
  mark.hidden = !reference.trim();
  mark.textContent = reference === answer ? "unchanged: no reference" : "becomes the reference";
  const parts = reference.trim() && answer && reference !== answer ? changes(answer, reference) : null;
  $("changes").hidden = !parts;
  $("changes").replaceChildren(...(parts || []));
}

/* --------------------------------------------------------------------- keeping, saving, moving */

function values() {
  return {
    label: page.form.read(),
    comment: $("comment").value,
    reference: $("reference").value,
    sections: [...document.querySelectorAll("[name=section]:checked")].map((box) => box.value),
  };
}

// Which question an answer is for: numbers change when the session is started anew.
const name = (question) => `${question.kind}:${question.id}:${question.rubric}`;

function typed() {
  fault("");
  edited();
  page.dirty = true;
  say("…");
  page.timer ||= setTimeout(keep, KEEP_AFTER_MS);  // whoever types without a pause is kept as well
}

function keep(options = {}) {
  clearTimeout(page.timer);
  page.timer = 0;
  if (!page.dirty || !page.shown) return page.keeping;
  page.dirty = false;
  const number = page.number;
  const body = { values: values(), base: page.base, question: name(page.shown) };
  page.keeping = page.keeping.then(async () => {
    try {
      const answer = await post(`/api/questions/${number}/keep`, body, options);
      if (number === page.number) page.base = answer.base;
      page.overview.states[number].draft = true;
      if (!page.dirty) say("draft kept");
      if ($("notice").textContent) notice("");
    } catch (problem) {
      page.dirty = true;
      trouble(problem);
      if (problem.status === 0) page.timer = setTimeout(keep, 2000);
    }
  });
  return page.keeping;
}

async function save(event) {
  event?.preventDefault();
  if (page.busy || !page.shown) return;
  const answer = values();
  if (!answer.label.trim()) {
    fault("Nothing is chosen yet.");
    page.form.first()?.focus();
    return;
  }
  page.busy = true;
  $("save").disabled = true;
  try {
    await keep();
    const number = page.number;
    const { revision } = page.shown;
    const body = { values: answer, base: page.base, question: name(page.shown), revision };
    await post(`/api/questions/${number}/save`, body);
    page.overview.states[number] = { saved: true, draft: false };
    say("saved", "good");
    await go(nextOpen(number));
    say("saved", "good");
  } catch (problem) {
    if (problem.conflict) await conflict(answer);
    else trouble(problem);
  } finally {
    page.busy = false;
    $("save").disabled = false;
  }
}

async function conflict(answer) {
  const view = await get(address(page.number));
  page.shown.revision = view.revision;
  const theirs = [view.own?.label, view.own?.comment, view.own?.reference].filter(Boolean).join(" · ");
  notice(`Another window answered this meanwhile: ${theirs}. `,
    element("button", { type: "button", onclick: () => { notice(""); save(); } }, "Save mine over it"),
    element("button", {
      type: "button",
      onclick: async () => {
        notice("");
        await post(`/api/questions/${page.number}/drop`);
        page.dirty = false;
        await go(page.number);
      },
    }, "Keep that one"));
  say(`not saved: yours is ${answer.label}`, "bad");
}

const address = (number) => `/api/questions/${number}?window=${sessionStorage.getItem("gitloop-window")}`;

function nextOpen(from) {
  const { states } = page.overview;
  for (let step = 1; step <= states.length; step += 1) {
    const place = (from + step) % states.length;
    if (!states[place].saved) return place;
  }
  return -1;
}

async function go(number) {
  page.wanted = number;
  await keep();
  if (page.wanted !== number) return undefined;
  fault("");
  if (number < 0 || !page.overview.questions.length) return end();
  try {
    const view = await get(address(number));
    if (page.wanted !== number) return undefined;
    page.number = number;
    page.shown = view;
    page.base = view.base;
    page.dirty = false;
    $("end").hidden = true;
    $("main").hidden = false;
    drawCase(view);
    drawOpinions(view);
    drawAnswer(view);
    drawProgress();
    document.title = `${number + 1}/${page.overview.questions.length} · gitloop label`;
    scrollTo(0, 0);
    if (!matchMedia("(pointer: coarse)").matches) $("title").focus({ preventScroll: true });
  } catch (problem) {
    page.wanted = page.number;
    trouble(problem);
  }
  return undefined;
}

function end() {
  const { states, gone } = page.overview;
  const drafts = states.filter((state) => state.draft && !state.saved).length;
  const saved = states.filter((state) => state.saved).length;
  page.shown = null;
  drawProgress();
  $("main").hidden = true;
  $("end").hidden = false;
  $("end").replaceChildren(
    element("h1", {}, states.length ? "That was the last one." : "There is nothing to label."),
    element("p", {}, `${saved} of ${states.length} are labelled.`
      + (drafts ? ` ${drafts} have a draft that is not saved.` : "")
      + (gone.length ? ` ${gone.length} are gone.` : "")),
    element("p", { class: "soft" }, "Finish commits your labels under your Git identity and ends the session."),
    element("div", { class: "acts" },
      states.length ? element("button", { type: "button", onclick: () => go(0) }, "Look through them again") : null,
      element("button", { type: "button", class: "main", onclick: finish }, "Finish")));
  $("end").focus();
}

async function finish() {
  await keep();
  try {
    const done = await post("/api/finish");
    page.ended = true;
    page.shown = null;
    $("main").hidden = true;
    $("end").hidden = false;
    document.querySelectorAll(".tools button").forEach((button) => { button.disabled = true; });
    const committed = done.commit
      ? `Committed as ${done.commit.slice(0, 10)}, by ${done.author}.`
      : `Your labels are on disk and not committed: ${done.reason}.`;
    $("end").replaceChildren(element("h1", {}, "Finished."), element("p", {}, committed),
      element("p", { class: "soft" }, "You can close this window; the terminal tells what comes next."));
    $("end").focus();
    say("");
  } catch (problem) {
    trouble(problem);
  }
}

/* ------------------------------------------------------------------------------------ the keys */

const KEYS = {
  c: ["Why?", () => $("comment").focus()],
  e: ["What it should have said", editReference],
  g: ["Open or close the guidance", () => { $("guidance").open = !$("guidance").open; }],
  j: ["Next question", () => move(1)],
  k: ["Previous question", () => move(-1)],
  s: ["Next open question", () => go(nextOpen(page.number))],
  l: ["All questions", openList],
  "?": ["These keys", openHelp],
};

function editReference() {
  if ($("reference-field").hidden) return;
  const box = $("reference");
  if (!box.value && page.shown.texts[0]) {
    box.value = page.shown.texts[0];
    edited();
  }
  box.focus();
}

function move(step) {
  const place = page.wanted + step;
  if (place >= 0 && place < page.overview.questions.length) go(place);
}

function openList() {
  drawList();
  $("list").showModal();
  document.querySelector("#questions [aria-current]")?.scrollIntoView({ block: "center" });
}

function openHelp() {
  const rows = [
    ...Object.entries(page.form?.words || {}),
    ["Enter", "Save and go on"], ["Ctrl Enter", "The same, from a text field"],
    ["Esc", "Leave a text field"],
    ...Object.entries(KEYS).map(([key, [words]]) => [key, words]),
  ];
  $("keys").replaceChildren(...rows.flatMap(([key, words]) =>
    [element("dt", {}, element("kbd", {}, key)), element("dd", {}, words)]));
  $("help").showModal();
}

function pressed(event) {
  if (page.ended || document.querySelector("dialog[open]")) return;
  const isText = event.target.matches("textarea, input[type=number], input:not([type])");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return save(event);
  if (event.key === "Escape" && isText) return event.target.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || isText) return undefined;
  if (!page.shown) return undefined;
  if (event.key === "Enter" && !event.target.matches("button, summary, a")) return save(event);
  if (!$("use-keys").checked) return undefined;
  const act = page.form?.keys[event.key] || KEYS[event.key]?.[1];
  if (act) {
    event.preventDefault();
    act();
  }
  return undefined;
}

/* ----------------------------------------------------------------------------------- the start */

async function resume() {
  const place = page.overview.questions.findIndex((one) => name(one) === name(page.shown));
  if (place < 0) {
    notice("This question is not asked any more: copy what you typed, and reload the page.");
    return;
  }
  page.number = place;
  page.wanted = place;
  page.shown.revision = (await get(address(place))).revision;
  page.dirty = true;
  await keep();
  drawProgress();
}

async function start() {
  try {
    await enter();
    page.overview = await get("/api/overview");
    notice("");
    if (page.shown) await resume();
    else await go(page.overview.states.findIndex((state) => !state.saved));
  } catch (problem) {
    trouble(problem);
  }
}

$("answer").addEventListener("submit", save);
$("back").addEventListener("click", () => move(-1));
$("skip").addEventListener("click", () => go(nextOpen(page.number)));
$("copy").addEventListener("click", () => {
  $("reference").value = page.shown.texts[0];
  typed();
  $("reference").focus();
});
$("comment").addEventListener("input", typed);
$("reference").addEventListener("input", typed);
$("open-list").addEventListener("click", openList);
$("open-help").addEventListener("click", openHelp);
$("finish").addEventListener("click", () => { if (page.overview) keep().then(end); });
$("invite").addEventListener("click", async () => {
  const { link } = await post("/api/link");
  $("invited").hidden = false;
  $("invited").textContent = link;
});
$("use-keys").checked = localStorage.getItem("gitloop-keys") !== "off";
$("use-keys").addEventListener("change", (event) => {
  localStorage.setItem("gitloop-keys", event.target.checked ? "on" : "off");
});
document.querySelectorAll("dialog .close").forEach((button) => {
  button.addEventListener("click", () => button.closest("dialog").close());
});
document.addEventListener("keydown", pressed);
addEventListener("hashchange", start);
addEventListener("pagehide", () => keep({ keepalive: true }));
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") keep({ keepalive: true });
});
start();
