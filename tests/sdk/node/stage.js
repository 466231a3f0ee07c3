// The stage: scripted providers, and the real gateway in front of them (`stage --help` says what they can be told).

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** Each target is asked once, so that the calls of a request can be counted. */
const ROUTE = 'options = { retries = 0, base_delay = "20ms", max_delay = "200ms" }\ndeadline = "20s"';

/** What every provider answers unless it is told otherwise. */
export const TEXT = 'Paris is the capital of France and lies on the Seine.';

/** How much of `TEXT` has come after so many tokens. */
export const tokens = (count) => TEXT.split(' ').slice(0, count).join(' ');

/** Every protocol that a provider may speak behind the gateway. */
export const KINDS = ['openai', 'anthropic', 'gemini', 'ollama'];

/** What can befall a provider before it has said anything. */
export const FAULTS = ['500', '503', '429:60', 'quota', 'reset', 'silence'];

/** What can befall a stream after three tokens. */
export const BREAKS = ['cut:3', 'end:3', 'stall:3', 'error:3'];

/** Where the gateways' logs go: between the lines of the runner they would only be in the way. */
const log = openSync(process.env.BACKSTOP_STAGE_LOG, 'a');

/** No key and no address of the machine's own reaches an SDK. */
for (const name of ['OPENAI_API_KEY', 'OPENAI_BASE_URL', 'ANTHROPIC_API_KEY', 'ANTHROPIC_BASE_URL']) {
  delete process.env[name];
}

/**
 * Sets a stage up, which ends with the test. `cast` has each provider's reply or replies: `{alpha: '500', beta: 'answer'}`;
 * by provider, `more` has their protocols in `kinds` and further lines of their tables in `lines`; besides, `settings` and `patient`.
 */
export async function begin(test, cast, more = {}) {
  const flags = [];
  for (const [name, replies] of Object.entries(cast)) {
    flags.push('--provider', `${name}:${more.kinds?.[name] ?? 'openai'}`);
    if (more.lines?.[name]) flags.push('--with', `${name}=${more.lines[name]}`);
    for (const reply of [replies].flat()) flags.push('--reply', `${name}=${reply}`);
  }
  flags.push('--route', ROUTE);
  if (more.settings) flags.push('--settings', more.settings);
  if (more.patient) flags.push('--patient');
  const child = spawn(process.env.BACKSTOP_STAGE, flags, { stdio: ['pipe', 'pipe', log] });
  const ended = once(child, 'exit');
  const failed = ended.then(() => assert.fail(`the stage has not begun: ${flags.join(' ')}`));
  const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), failed]);
  failed.catch(() => {});
  test.after(async () => {
    child.stdin.end();
    const [code] = await ended;
    assert.equal(code, 0, 'the gateway did not end well; see its log');
  });
  return new Stage(JSON.parse(line));
}

class Stage {
  constructor({ gateway, control }) {
    this.gateway = gateway;
    this.openai = `${gateway}/v1`;
    this.control = control;
  }

  /** The calls a provider has received, with `path`, `headers` and `body`. */
  async calls(name) {
    return (await this.#ask(`/providers/${name}/calls`)).calls;
  }

  /** How many calls each provider has received. */
  async counts() {
    const { providers } = await this.#ask('/providers');
    return Object.fromEntries(providers.map((provider) => [provider.name, provider.calls]));
  }

  /** Ends when so many callers have left a provider before its reply was complete: asked again and again. */
  async disconnected(name, count) {
    const deadline = Date.now() + 10_000;
    for (;;) {
      const { providers } = await this.#ask('/providers');
      if (providers.find((provider) => provider.name === name).disconnects >= count) return;
      if (Date.now() > deadline) throw new Error('nobody has left');
    }
  }

  async #ask(path) {
    return (await fetch(this.control + path)).json();
  }
}
