// The real gateway before scripted providers, directed from here: `cargo run -p backstop-tests --bin stage -- --help`.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A gateway that runs until `end()`. */
export class Stage {
  #process;

  /**
   * Starts providers and gateway. The variable `BACKSTOP_STAGE` may name the program; else cargo is asked to build it.
   */
  static async start(...flags) {
    const program = process.env.BACKSTOP_STAGE;
    const [command, before] = program
      ? [program, []]
      : ["cargo", ["run", "--quiet", "--locked", "-p", "backstop-tests", "--bin", "stage", "--"]];
    const child = spawn(command, [...before, ...flags], { cwd: ROOT, stdio: ["pipe", "pipe", "pipe"] });
    let log = "";
    child.stderr.on("data", (text) => (log += text));
    for await (const line of createInterface({ input: child.stdout })) return new Stage(child, JSON.parse(line));
    throw new Error(`the stage did not start: ${log}`);
  }

  constructor(child, { gateway, control, home, runs }) {
    this.#process = child;
    Object.assign(this, { gateway, control, home, runs });
  }

  /** Has a provider answer so from its next call on. */
  async direct(provider, ...replies) {
    const response = await post(`${this.control}/providers/${provider}`, { replies });
    if (!response.ok) throw new Error(await response.text());
  }

  /** Asks the gateway a question: the status, the request's name and who answered. */
  async ask(key) {
    const messages = [{ role: "user", content: "Where does the Seine flow?" }];
    const body = { model: "default", messages, max_tokens: 200 };
    const response = await post(`${this.gateway}/v1/chat/completions`, body, key);
    await response.text();
    const said = (name) => response.headers.get(`x-backstop-${name}`);
    return { status: response.status, id: said("request-id"), provider: said("provider") };
  }

  /** Has the admin API do something. */
  async order(path) {
    const response = await post(`${this.gateway}/api/${path}`, {});
    if (!response.ok) throw new Error(await response.text());
  }

  async end() {
    const ended = once(this.#process, "exit");
    this.#process.stdin.end();
    await ended;
  }
}

function post(url, body, key) {
  const headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
  return fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
}
