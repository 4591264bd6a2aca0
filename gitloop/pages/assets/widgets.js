// One way to answer per kind of label. Each is built of native inputs, so that keyboards, screen
// readers and forms know them; `read` returns the answer as text, "" where there is none yet.

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function radios(options, value, changed, look = "") {
  const row = element("div", { class: `choices ${look}` });
  for (const option of options) {
    const input = element("input", {
      type: "radio",
      name: "label",
      value: option.value,
      checked: option.value === value,
      "aria-keyshortcuts": option.key,
      onchange: changed,
    });
    row.append(
      element(
        "label",
        { class: `choice ${option.tone || ""}`, title: option.title || null },
        input,
        option.mark ? element("span", { class: "mark", "aria-hidden": "true" }, option.mark) : null,
        element("span", { class: "word" }, option.word),
        option.key ? element("kbd", { "aria-hidden": "true" }, option.key) : null,
      ),
    );
  }
  const read = () => row.querySelector("input:checked")?.value || "";
  const keys = Object.fromEntries(
    options.filter((option) => option.key).map((option) => [
      option.key,
      () => {
        const input = [...row.querySelectorAll("input")].find((one) => one.value === option.value);
        input.checked = true;
        input.focus();
        changed();
      },
    ]),
  );
  const words = Object.fromEntries(
    options.filter((option) => option.key).map((option) => [option.key, option.word]),
  );
  return { node: row, read, keys, words, first: () => row.querySelector("input") };
}

const thumbs = (form, value, changed) =>
  radios(
    [
      { value: "pass", word: "Pass", mark: "✓", key: "p", tone: "pass" },
      { value: "fail", word: "Fail", mark: "✕", key: "f", tone: "fail" },
    ],
    value,
    changed,
    "two",
  );

const categorical = (form, value, changed) =>
  radios(
    form.choices.map((choice, place) => ({
      value: choice,
      word: choice,
      key: place < 9 ? String(place + 1) : null,
      tone: { pass: "pass", fail: "fail" }[choice],
    })),
    value,
    changed,
    "many",
  );

function star(form, value, changed) {
  const options = Array.from({ length: form.stars }, (_, place) => ({
    value: String(place + 1),
    word: `${place + 1} ${place ? "stars" : "star"}`,
    mark: "★",
    key: place < 9 ? String(place + 1) : "0",
  }));
  const widget = radios(options, value, () => {
    paint();
    changed();
  }, "stars");
  const paint = () => {
    const chosen = Number(widget.read());
    [...widget.node.children].forEach((label, place) => {
      label.classList.toggle("lit", place < chosen);
    });
  };
  paint();
  return widget;
}

function numeric(form, value, changed) {
  const low = Math.min(form.worst, form.best);
  const high = Math.max(form.worst, form.best);
  const input = element("input", {
    type: "number", id: "number", min: low, max: high, step: form.step ?? "any", value,
    inputmode: "decimal", "aria-label": `A number from ${low} to ${high}`,
  });
  const slider = element("input", {
    type: "range", min: low, max: high, step: form.step ?? (high - low) / 100,
    value: value || (low + high) / 2, "aria-hidden": "true", tabindex: "-1",
  });
  const answered = () => { slider.classList.toggle("unset", !input.value); changed(); };
  slider.classList.toggle("unset", !value);
  input.addEventListener("input", () => { slider.value = input.value; answered(); });
  slider.addEventListener("input", () => { input.value = slider.value; answered(); });
  const ends = element("div", { class: "ends soft small" },
    element("span", {}, `${low}${low === form.best ? " (best)" : " (worst)"}`),
    element("span", {}, `${high}${high === form.best ? " (best)" : " (worst)"}`));
  const node = element("div", { class: "numeric" },
    element("div", { class: "row" }, input, element("kbd", {}, "n")), slider, ends);
  return { node, read: () => input.value, keys: { n: () => input.focus() },
    words: { n: "Type a number" }, first: () => input };
}

function text(form, value, changed) {
  const area = element("textarea", {
    id: "words", rows: 3, dir: "auto", "aria-label": "Your answer", oninput: changed,
  });
  area.value = value;
  const node = element("div", { class: "row" }, area, element("kbd", {}, "n"));
  return { node, read: () => area.value, keys: { n: () => area.focus() },
    words: { n: "Type your answer" }, first: () => area };
}

function preference(form, value, changed) {
  const words = { first: "The first", second: "The second", tie: "Neither, alike" };
  const keys = { first: "1", second: "2", tie: "0" };
  const options = form.choices.map((choice) => ({
    value: choice, word: words[choice] || choice, key: keys[choice] || null,
  }));
  return radios(options, value, changed, "many");
}

export function widget(kind, form, value, changed) {
  if (kind === "pair") return preference(form, value, changed);
  return { thumbs, categorical, star, numeric, text }[form.type](form, value || "", changed);
}

export const QUESTIONS = {
  thumbs: "Does it pass?",
  categorical: "Which is it?",
  numeric: "How much?",
  star: "How many stars?",
  text: "What do you say?",
};

// A word diff for the edited reference: what a person reads back before they save it.
export function changes(before, after) {
  const one = before.split(/(\s+)/), other = after.split(/(\s+)/);
  if (one.length * other.length > 4e6) return null;
  const width = other.length + 1;
  const table = new Uint32Array((one.length + 1) * width);
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = other.length - 1; j >= 0; j -= 1) {
      table[i * width + j] = one[i] === other[j]
        ? table[(i + 1) * width + j + 1] + 1
        : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const parts = [];
  const add = (tag, word) => {
    const last = parts.at(-1);
    if (last && last[0] === tag) last[1] += word;
    else parts.push([tag, word]);
  };
  let i = 0, j = 0;
  while (i < one.length || j < other.length) {
    if (i < one.length && j < other.length && one[i] === other[j]) {
      add("span", one[i]); i += 1; j += 1;
    } else if (j >= other.length
      || (i < one.length && table[(i + 1) * width + j] >= table[i * width + j + 1])) {
      add("del", one[i]); i += 1;
    } else { add("ins", other[j]); j += 1; }
  }
  return parts.map(([tag, word]) => element(tag, {}, word));
}
