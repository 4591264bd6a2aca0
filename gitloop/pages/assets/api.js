// Requests to our own server. A link's token is traded once for a key; the key stays in this browser.

const KEY = "gitloop-key";
const TIMEOUT_MS = 15000;

export class Problem extends Error {
  constructor(status, body) {
    super(body.error || "the server did not answer");
    this.status = status;
    this.hint = body.hint || "";
    this.conflict = Boolean(body.conflict);
  }
}

export const windowId = (() => {
  let id = sessionStorage.getItem("gitloop-window");
  if (!id) {
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem("gitloop-window", id);
  }
  return id;
})();

async function send(method, path, body, options = {}) {
  const headers = { "x-gitloop-key": localStorage.getItem(KEY) || "" };
  if (body) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body ? JSON.stringify(body) : undefined,
      signal: options.keepalive ? undefined : AbortSignal.timeout(TIMEOUT_MS),
      ...options,
    });
  } catch {
    throw new Problem(0, { error: "the terminal session is gone" });
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, answer);
  return answer;
}

export const get = (path) => send("GET", path);
export const post = (path, body = {}, options = {}) =>
  send("POST", path, { window: windowId, ...body }, options);

export async function enter() {
  const token = location.hash.slice(1);
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  const { key } = await post("/api/enter", { token });
  localStorage.setItem(KEY, key);
}
