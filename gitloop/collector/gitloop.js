/* gitloop: what users do with an answer, sent to a gitloop collector. No dependencies, no cookies.
 *
 *   <script src="https://collector.example.com/gitloop.js" data-key="…"
 *           data-route="refund" data-user-cohort="pro" data-prompt-version="support@2"></script>
 *
 *   <article data-gitloop-trace="4bf92f…">
 *     The answer.
 *     <button data-gitloop="thumbs_up">Yes</button> <button data-gitloop="regenerate">Again</button>
 *     <textarea data-gitloop-edit>The answer, to be changed.</textarea>
 *   </article>
 *
 * Copying within an element with data-gitloop-trace is a copy, leaving a changed
 * data-gitloop-edit an edit. Or by hand: gitloop.rating(trace, 4, {comment: "…"}).
 *
 * An event is sent with sendBeacon when the page has a moment, at the latest when it is left. What
 * the browser does not take, and what happens offline, waits in localStorage and is sent again;
 * ids make sure that it counts once.
 */
(function () {
  "use strict";
  if (window.gitloop) return;

  var script = document.currentScript;
  var given = (script && script.dataset) || {};
  var BOX = "gitloop.outbox";
  var MOST_KEPT = 200, MOST_SENT = 50, LARGEST = 60000; /* a beacon holds 64 KB */
  var CONTEXT = ["session_id", "span_id", "prompt_version", "route", "user_cohort", "comment",
    "metadata", "value", "edited_output", "score_source", "created_at", "feedback_id"];
  var settings = {
    url: given.collector || (script && script.src ? new URL(script.src).origin : location.origin),
    key: given.key || "",
    context: {}
  };
  [["sessionId", "session_id"], ["promptVersion", "prompt_version"], ["route", "route"],
    ["userCohort", "user_cohort"]].forEach(function (pair) {
    if (given[pair[0]]) settings.context[pair[1]] = given[pair[0]];
  });

  var queue = [], timer = null, open = {};

  function id() {
    var bytes = new Uint8Array(16);
    crypto.getRandomValues(bytes);
    return "fb_" + Array.from(bytes, function (byte) {
      return (byte + 256).toString(16).slice(1);
    }).join("");
  }

  function stored() {
    try { return JSON.parse(localStorage.getItem(BOX)) || []; } catch (error) { return []; }
  }

  function store(events) {
    try {
      if (events.length) localStorage.setItem(BOX, JSON.stringify(events.slice(-MOST_KEPT)));
      else localStorage.removeItem(BOX);
    } catch (error) { /* private mode, or full: there is no place to keep them */ }
  }

  function address() {
    var url = settings.url.replace(/\/$/, "") + "/v1/feedback";
    return settings.key ? url + "?key=" + encodeURIComponent(settings.key) : url;
  }

  /* Text without a type is a request that needs no preflight, even while the page goes away. */
  function beacon(events) {
    try { return navigator.sendBeacon(address(), JSON.stringify(events)); }
    catch (error) { return false; }
  }

  /* The way for what no beacon takes: too large, or no beacons here. Keeps what fails. */
  function post(events) {
    fetch(address(), { method: "POST", body: JSON.stringify(events) }).then(function (answer) {
      if (answer.status === 429 || answer.status >= 500) store(stored().concat(events));
    }, function () { store(stored().concat(events)); });
  }

  function flush() {
    clearTimeout(timer);
    timer = null;
    var events = queue;
    queue = [];
    if (navigator.onLine === false) {
      if (events.length) store(stored().concat(events));
      return;
    }
    var kept = stored();
    if (kept.length) store([]);
    events = kept.concat(events);
    var batch = [], size = 2;
    events.forEach(function (event) {
      var length = new TextEncoder().encode(JSON.stringify(event)).length + 1;
      if (batch.length && (batch.length >= MOST_SENT || size + length > LARGEST)) {
        send(batch);
        batch = [];
        size = 2;
      }
      batch.push(event);
      size += length;
    });
    if (batch.length) send(batch);
  }

  function send(batch) {
    if (!beacon(batch)) post(batch);
  }

  function record(signal, trace, fields) {
    var event = { signal_type: signal, feedback_id: id(), created_at: new Date().toISOString() };
    Object.assign(event, settings.context);
    if (trace) event.trace_id = String(trace);
    Object.keys(fields || {}).forEach(function (name) {
      if (fields[name] === undefined || fields[name] === null) return;
      if (CONTEXT.indexOf(name) >= 0) event[name] = fields[name];
      else event.metadata = Object.assign({}, event.metadata, Object.fromEntries([[name, fields[name]]]));
    });
    queue.push(event);
    if (signal !== "abandon" && trace) delete open[trace];
    if (document.visibilityState === "hidden") flush();
    else if (timer === null) timer = setTimeout(flush, 200);
    return event.feedback_id;
  }

  function simple(signal) {
    return function (trace, fields) { return record(signal, trace, fields); };
  }

  var api = {
    configure: function (options) {
      if (options.url) settings.url = options.url;
      if (options.key !== undefined) settings.key = options.key;
      Object.assign(settings.context, options.context);
    },
    record: record,
    flush: flush,
    thumbsUp: simple("thumbs_up"),
    thumbsDown: simple("thumbs_down"),
    rating: function (trace, value, fields) {
      return record("rating", trace, Object.assign({}, fields, { value: Number(value) }));
    },
    comment: function (trace, text, fields) {
      return record("comment", trace, Object.assign({}, fields, { comment: String(text) }));
    },
    copy: simple("copy"),
    edit: function (trace, text, fields) {
      return record("edit", trace, Object.assign({}, fields, { edited_output: String(text) }));
    },
    retry: simple("retry"),
    regenerate: simple("regenerate"),
    abandon: simple("abandon"),
    escalate: simple("escalate"),
    /* The user waits for, or reads, this answer: leaving before `done` or any signal on it is an
     * abandon. */
    watch: function (trace, fields) { open[trace] = fields || {}; },
    done: function (trace) { delete open[trace]; }
  };

  /* What is said in the page itself. */

  function traceOf(node) {
    var element = node && (node.nodeType === 1 ? node : node.parentElement);
    var owner = element && element.closest("[data-gitloop-trace]");
    return owner ? owner.getAttribute("data-gitloop-trace") : "";
  }

  function valueOf(element) {
    return "value" in element ? element.value : element.innerText;
  }

  document.addEventListener("click", function (event) {
    var button = event.target instanceof Element && event.target.closest("[data-gitloop]");
    if (!button || button.tagName === "FORM") return;
    var fields = {}, value = button.getAttribute("data-gitloop-value");
    if (value !== null) fields.value = Number(value);
    record(button.getAttribute("data-gitloop"), traceOf(button), fields);
  });

  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.hasAttribute("data-gitloop")) return;
    event.preventDefault();
    var said = new FormData(form), value = said.get("value");
    var fields = { comment: said.get("comment") || undefined };
    if (value !== null && value !== "") fields.value = Number(value);
    record(form.getAttribute("data-gitloop"), traceOf(form), fields);
  });

  document.addEventListener("copy", function (event) {
    var selected = document.getSelection();
    var trace = traceOf((selected && selected.anchorNode) || event.target);
    if (trace) record("copy", trace, { n_characters: String(selected || "").length });
  });

  var before = new WeakMap();
  document.addEventListener("focusin", function (event) {
    if (event.target instanceof Element && event.target.hasAttribute("data-gitloop-edit")) {
      if (!before.has(event.target)) before.set(event.target, valueOf(event.target));
    }
  });
  document.addEventListener("focusout", function (event) {
    var target = event.target;
    if (!before.has(target) || before.get(target) === valueOf(target)) return;
    before.set(target, valueOf(target));
    api.edit(traceOf(target), valueOf(target));
  });

  /* A page may never come back from being hidden: this is the last moment that is certain. */
  document.addEventListener("visibilitychange", function () {
    if (document.visibilityState === "hidden") flush();
  });
  window.addEventListener("pagehide", function () {
    Object.keys(open).forEach(function (trace) { record("abandon", trace, open[trace]); });
    open = {};
    flush();
  });
  window.addEventListener("online", flush);

  window.gitloop = api;
  if (stored().length) timer = setTimeout(flush, 200);
})();
