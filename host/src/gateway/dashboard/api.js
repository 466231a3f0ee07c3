// Calls of the admin API, with the admin key where one is needed.

const KEPT = "backstop.admin-key";

/** The gateway answered, and the answer is no. */
export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `the gateway answered with status ${status}`);
    this.status = status;
    this.code = error?.code;
    this.problems = error?.problems ?? [];
  }

  /** Whether a key, or another one, would help. */
  get wantsKey() {
    return this.status === 401 || (this.status === 403 && this.code !== "foreign_origin");
  }
}

/** Nobody answered. */
export class Gone extends Error {}

let memory = null;
let ask = async () => null;
let asking = null;
let declined = false;

/** The key, kept as long as the tab: never in the address, never on disk. */
export function key() {
  try {
    return sessionStorage.getItem(KEPT) ?? memory;
  } catch {
    return memory;
  }
}

/** Takes a key, or forgets it. */
export function useKey(text) {
  memory = text;
  declined = false;
  try {
    if (text) sessionStorage.setItem(KEPT, text);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // Storage is forbidden here; the key lasts as long as the page.
  }
}

/**
 * Who asks the operator for a key: called with the reason, answers with the key, or null where there is none to be
 * had.
 */
export function onLocked(asker) {
  ask = asker;
}

export function get(path) {
  return call("GET", path);
}

export function post(path, body = {}) {
  declined = false; // Whoever presses a button may be asked again.
  return call("POST", path, body);
}

/** A reply whose body has not been read: for what goes on for as long as the page is open. */
export async function open(path, signal) {
  return answered("GET", path, undefined, signal);
}

async function call(method, path, body) {
  const response = await answered(method, path, body);
  try {
    return await response.json();
  } catch {
    throw new Gone("the answer broke off");
  }
}

async function answered(method, path, body, signal) {
  const used = key();
  const response = await send(method, path, body, signal, used);
  if (response.ok) return response;
  const refused = new Refused(response.status, (await response.json().catch(() => null))?.error);
  if (!refused.wantsKey || declined) throw refused;
  if (key() === used) await askOnce(refused.message);
  if (key() === used) throw refused;
  return answered(method, path, body, signal);
}

async function send(method, path, body, signal, bearer) {
  const headers = { accept: "application/json" };
  if (bearer) headers.authorization = `Bearer ${bearer}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  try {
    return await fetch(`/api/${path}`, {
      method,
      headers,
      signal,
      cache: "no-store",
      body: body && JSON.stringify(body),
    });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Gone("the gateway does not answer");
  }
}

/** However many calls are refused at once, the operator is asked once. */
function askOnce(why) {
  asking ??= ask(why)
    .then((answer) => (answer ? useKey(answer) : (declined = true)))
    .finally(() => (asking = null));
  return asking;
}
