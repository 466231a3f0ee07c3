// The official `openai` package through the gateway.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';

import { BREAKS, FAULTS, KINDS, TEXT, begin, tokens } from './stage.js';

const messages = [{ role: 'user', content: 'Where is Paris?' }];
const asked = { model: 'default', messages };

const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather in a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

const City = z.object({ city: z.string(), population: z.number() });
const PARIS = { city: 'Paris', population: 2102650 };

const client = (stage, more = {}) =>
  new OpenAI({ baseURL: stage.openai, apiKey: 'unused', maxRetries: 0, ...more });

/** The text of a stream, and what broke it. */
async function heard(stream) {
  let text = '';
  try {
    for await (const chunk of await stream) text += chunk.choices[0]?.delta?.content ?? '';
  } catch (error) {
    return { text, error };
  }
  return { text };
}

/** What a request is refused with. */
async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail('it was answered');
}

for (const kind of KINDS) {
  const kinds = { alpha: kind };

  test(`answers whole (${kind})`, async (t) => {
    const stage = await begin(t, { alpha: 'answer' }, { kinds });

    const answer = await client(stage).chat.completions.create(asked);

    assert.equal(answer.choices[0].message.content, TEXT);
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.ok(answer.usage.total_tokens > 0);
  });

  test(`answers in a stream (${kind})`, async (t) => {
    const stage = await begin(t, { alpha: 'answer' }, { kinds });

    const { text, error } = await heard(client(stage).chat.completions.create({ ...asked, stream: true }));

    assert.deepEqual([text, error], [TEXT, undefined]);
  });

  test(`has a tool called and told about (${kind})`, async (t) => {
    const stage = await begin(t, { alpha: 'tools' }, { kinds });
    const told = [];
    const tool = {
      type: 'function',
      function: {
        ...weather.function,
        parse: JSON.parse,
        function: ({ city }) => {
          told.push(city);
          return `18 degrees in ${city}`;
        },
      },
    };

    const runner = client(stage).chat.completions.runTools({ ...asked, tools: [tool] });
    const content = await runner.finalContent();

    assert.deepEqual(told, ['Paris']);
    assert.match(content, /^The tool said: .*18 degrees in Paris/);
  });

  test(`gathers a tool call from a stream (${kind})`, async (t) => {
    const stage = await begin(t, { alpha: 'tools' }, { kinds });

    const stream = client(stage).chat.completions.stream({ ...asked, tools: [weather] });
    const { choices } = await stream.finalChatCompletion();

    assert.equal(choices[0].finish_reason, 'tool_calls');
    assert.equal(choices[0].message.tool_calls[0].function.name, 'get_weather');
    assert.deepEqual(JSON.parse(choices[0].message.tool_calls[0].function.arguments), { city: 'Paris' });
  });

  test(`reads an answer by a schema (${kind})`, async (t) => {
    const stage = await begin(t, { alpha: 'json' }, { kinds });

    const answer = await client(stage).chat.completions.parse({
      ...asked,
      response_format: zodResponseFormat(City, 'city'),
    });

    assert.deepEqual(answer.choices[0].message.parsed, PARIS);
  });
}

test('embeds texts', async (t) => {
  const embedder = 'embedding_models = ["embedder"]';
  const stage = await begin(t, { alpha: '500', beta: 'answer' }, { lines: { alpha: embedder, beta: embedder } });

  const { data } = await client(stage).embeddings.create({ model: 'embedder', input: ['one', 'two'] });

  assert.deepEqual(data.map((each) => each.embedding), [[0, 0.5, -0.25], [1, 0.5, -0.25]]);
  assert.deepEqual(await stage.counts(), { alpha: 1, beta: 1 });
});

test('lists models', async (t) => {
  const stage = await begin(t, { alpha: 'answer', beta: 'answer' });

  const ids = [];
  for await (const model of client(stage).models.list()) ids.push(model.id);

  assert.deepEqual(ids, ['default', 'alpha/alpha-model', 'beta/beta-model']);
});

for (const fault of FAULTS) {
  test(`does not notice that a provider fails (${fault})`, async (t) => {
    const stage = await begin(t, { alpha: fault, beta: 'answer' });

    const { data, response } = await client(stage).chat.completions.create(asked).withResponse();

    assert.equal(data.choices[0].message.content, TEXT);
    assert.equal(response.headers.get('x-backstop-provider'), 'beta');
    assert.equal(response.headers.get('x-backstop-attempts'), '2');
    assert.deepEqual(await stage.counts(), { alpha: 1, beta: 1 });
  });
}

for (const fault of BREAKS) {
  test(`does not notice that a stream breaks (${fault})`, async (t) => {
    const stage = await begin(t, { alpha: fault, beta: 'answer' });

    const { text, error } = await heard(client(stage).chat.completions.create({ ...asked, stream: true }));

    assert.deepEqual([text, error], [TEXT, undefined]);
    assert.deepEqual(await stage.counts(), { alpha: 1, beta: 1 });
  });

  test(`throws where a broken stream cannot go on (${fault})`, async (t) => {
    const stage = await begin(t, { alpha: fault });

    const { text, error } = await heard(client(stage).chat.completions.create({ ...asked, stream: true }));

    assert.equal(text.trim(), tokens(3));
    assert.ok(error instanceof OpenAI.APIError, `${error}`);
    assert.ok(!(error instanceof OpenAI.APIConnectionError), `${error}`);
    assert.match(error.message, /alpha/);
  });
}

test('throws in the streaming helper too', async (t) => {
  const stage = await begin(t, { alpha: 'cut:3' });

  const error = await refusal(client(stage).chat.completions.stream(asked).finalContent());

  assert.ok(error instanceof OpenAI.OpenAIError, `${error}`);
});

test('knows no such model', async (t) => {
  const stage = await begin(t, { alpha: 'answer' });

  const error = await refusal(client(stage).chat.completions.create({ ...asked, model: 'no-such-model' }));

  assert.ok(error instanceof OpenAI.NotFoundError, `${error}`);
  assert.match(error.message, /no-such-model/);
});

test("has the provider's own words for a bad request", async (t) => {
  const stage = await begin(t, { alpha: '400:temperature must be at most 2', beta: 'answer' });

  const error = await refusal(client(stage).chat.completions.create(asked));

  assert.ok(error instanceof OpenAI.BadRequestError, `${error}`);
  assert.match(error.message, /temperature must be at most 2/);
  assert.deepEqual(await stage.counts(), { alpha: 1, beta: 0 });
});

test('lists every attempt where everyone failed, and does not repeat them', async (t) => {
  const stage = await begin(t, { alpha: '500', beta: 'reset' });

  const error = await refusal(client(stage, { maxRetries: 2 }).chat.completions.create(asked));

  assert.ok(error instanceof OpenAI.InternalServerError, `${error}`);
  assert.equal(error.status, 502);
  assert.equal(error.code, 'all_providers_failed');
  assert.deepEqual(error.error.attempts.map((each) => each.provider), ['alpha', 'beta']);
  assert.deepEqual(await stage.counts(), { alpha: 1, beta: 1 });
});

test('says when to come again where everyone is rate-limited', async (t) => {
  const stage = await begin(t, { alpha: '429:30', beta: '429:40' });

  const error = await refusal(client(stage).chat.completions.create(asked));

  assert.equal(error.status, 503);
  const seconds = Number(error.headers.get('retry-after'));
  assert.ok(seconds >= 25 && seconds <= 30, `${seconds}`);
});

test('says that the budget is spent', async (t) => {
  const lines = { alpha: 'price = { input_per_mtok = "1000", output_per_mtok = "1000" }' };
  const settings = '[budget]\nper_request_usd = "0.000001"';
  const stage = await begin(t, { alpha: 'answer' }, { lines, settings });

  const error = await refusal(client(stage).chat.completions.create(asked));

  assert.ok(error instanceof OpenAI.APIError, `${error}`);
  assert.equal(error.status, 402);
  assert.deepEqual(await stage.counts(), { alpha: 0 });
});

test('leaves the provider when its own time is over', async (t) => {
  const stage = await begin(t, { alpha: 'silence' }, { patient: true });

  const error = await refusal(client(stage, { timeout: 500 }).chat.completions.create(asked));

  assert.ok(error instanceof OpenAI.APIConnectionTimeoutError, `${error}`);
  await stage.disconnected('alpha', 1);
  assert.deepEqual(await stage.counts(), { alpha: 1 });
});

test('leaves the provider when the stream is aborted', async (t) => {
  const stage = await begin(t, { alpha: 'paced:100' });

  for await (const _ of await client(stage).chat.completions.create({ ...asked, stream: true })) break;

  await stage.disconnected('alpha', 1);
});

test('takes an idempotency key and wishes', async (t) => {
  const stage = await begin(t, { alpha: 'answer:from alpha', beta: 'answer:from beta' });
  const headers = { 'idempotency-key': 'order-66', 'x-backstop-provider': 'beta' };

  const answer = await client(stage).chat.completions.create(asked, { headers });

  assert.equal(answer.choices[0].message.content, 'from beta');
});

test("gives a provider its own key and nothing of the client's", async (t) => {
  const stage = await begin(t, { alpha: 'answer' });

  await client(stage, { apiKey: 'sk-of-the-client', organization: 'org-of-the-client' }).chat.completions.create(asked);

  const [{ headers }] = await stage.calls('alpha');
  assert.match(headers.authorization, /^Bearer sk-alpha-/);
  assert.doesNotMatch(JSON.stringify(headers), /of-the-client|x-stainless/);
});
