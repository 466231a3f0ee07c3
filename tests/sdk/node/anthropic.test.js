// The official `@anthropic-ai/sdk` package through the gateway, in front of providers of every protocol.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { z } from 'zod';

import { BREAKS, FAULTS, KINDS, TEXT, begin, tokens } from './stage.js';

const asked = { model: 'default', max_tokens: 200, messages: [{ role: 'user', content: 'Where is Paris?' }] };

const weather = {
  name: 'get_weather',
  description: 'The weather in a city.',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

const City = z.object({ city: z.string(), population: z.number() });
const PARIS = { city: 'Paris', population: 2102650 };

const client = (stage, more = {}) =>
  new Anthropic({ baseURL: stage.gateway, apiKey: 'unused', maxRetries: 0, ...more });

/** The text and the events of a stream, and what broke it. */
async function heard(stream) {
  let text = '';
  const events = [];
  try {
    for await (const event of await stream) {
      events.push(event.type);
      if (event.type === 'content_block_delta') text += event.delta.text ?? '';
    }
  } catch (error) {
    return { text, events, error };
  }
  return { text, events };
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

    const message = await client(stage).messages.create(asked);

    assert.equal(message.content[0].text, TEXT);
    assert.equal(message.stop_reason, 'end_turn');
    assert.ok(message.usage.output_tokens > 0);
  });

  test(`answers in a stream (${kind})`, async (t) => {
    const stage = await begin(t, { alpha: 'answer' }, { kinds });

    const { text, events, error } = await heard(client(stage).messages.create({ ...asked, stream: true }));

    assert.deepEqual([text, error], [TEXT, undefined]);
    assert.equal(events.at(-1), 'message_stop');
  });

  test(`has a tool called and told about (${kind})`, async (t) => {
    const stage = await begin(t, { alpha: 'tools' }, { kinds });
    const asker = client(stage);

    const first = await asker.messages.stream({ ...asked, tools: [weather] }).finalMessage();
    const call = first.content.find((block) => block.type === 'tool_use');
    const result = { type: 'tool_result', tool_use_id: call.id, content: '18 degrees' };
    const second = await asker.messages.create({
      ...asked,
      tools: [weather],
      messages: [
        ...asked.messages,
        { role: 'assistant', content: first.content },
        { role: 'user', content: [result] },
      ],
    });

    assert.equal(first.stop_reason, 'tool_use');
    assert.deepEqual([call.name, call.input], ['get_weather', { city: 'Paris' }]);
    assert.match(second.content[0].text, /18 degrees/);
  });

  test(`reads an answer by a schema (${kind})`, async (t) => {
    const stage = await begin(t, { alpha: 'json' }, { kinds });

    const message = await client(stage).messages.parse({ ...asked, output_config: { format: zodOutputFormat(City) } });

    assert.deepEqual(message.parsed_output, PARIS);
  });

  for (const fault of BREAKS) {
    test(`throws where a broken stream cannot go on (${kind}, ${fault})`, async (t) => {
      const stage = await begin(t, { alpha: fault }, { kinds });

      const { text, events, error } = await heard(client(stage).messages.create({ ...asked, stream: true }));

      assert.equal(text.trim(), tokens(3));
      assert.ok(!events.includes('message_stop'));
      assert.ok(error instanceof Anthropic.APIError, `${error}`);
    });
  }
}

test('throws in the streaming helper too', async (t) => {
  const stage = await begin(t, { alpha: 'cut:3' });

  const error = await refusal(client(stage).messages.stream(asked).finalMessage());

  assert.ok(error instanceof Anthropic.AnthropicError, `${error}`);
});

test('lists models', async (t) => {
  const stage = await begin(t, { alpha: 'answer', beta: 'answer' });

  const ids = [];
  for await (const model of client(stage).models.list()) ids.push(model.id);

  assert.deepEqual(ids, ['default', 'alpha/alpha-model', 'beta/beta-model']);
});

for (const fault of FAULTS) {
  test(`does not notice that a provider fails (${fault})`, async (t) => {
    const stage = await begin(t, { alpha: fault, beta: 'answer' }, { kinds: { beta: 'anthropic' } });

    const { data, response } = await client(stage).messages.create(asked).withResponse();

    assert.equal(data.content[0].text, TEXT);
    assert.equal(response.headers.get('x-backstop-provider'), 'beta');
    assert.equal(response.headers.get('x-backstop-attempts'), '2');
    assert.deepEqual(await stage.counts(), { alpha: 1, beta: 1 });
  });
}

for (const fault of BREAKS) {
  test(`does not notice that a stream breaks (${fault})`, async (t) => {
    const stage = await begin(t, { alpha: fault, beta: 'answer' }, { kinds: { alpha: 'anthropic' } });

    const message = await client(stage).messages.stream(asked).finalMessage();

    assert.deepEqual(message.content.map((block) => block.text), [TEXT]);
    assert.deepEqual(await stage.counts(), { alpha: 1, beta: 1 });
  });
}

test('knows no such model', async (t) => {
  const stage = await begin(t, { alpha: 'answer' });

  const error = await refusal(client(stage).messages.create({ ...asked, model: 'no-such-model' }));

  assert.ok(error instanceof Anthropic.NotFoundError, `${error}`);
  assert.equal(error.error.error.type, 'not_found_error');
});

test("has the provider's own words for a bad request", async (t) => {
  const stage = await begin(t, { alpha: '400:temperature must be at most 1', beta: 'answer' });

  const error = await refusal(client(stage).messages.create(asked));

  assert.ok(error instanceof Anthropic.BadRequestError, `${error}`);
  assert.match(error.message, /temperature must be at most 1/);
  assert.deepEqual(await stage.counts(), { alpha: 1, beta: 0 });
});

test('says that everyone failed, and does not repeat it', async (t) => {
  const stage = await begin(t, { alpha: '500', beta: 'reset' }, { kinds: { alpha: 'anthropic' } });

  const error = await refusal(client(stage, { maxRetries: 2 }).messages.create(asked));

  assert.ok(error instanceof Anthropic.InternalServerError, `${error}`);
  assert.equal(error.error.type, 'error');
  assert.deepEqual(await stage.counts(), { alpha: 1, beta: 1 });
});

test('says that the budget is spent', async (t) => {
  const lines = { alpha: 'price = { input_per_mtok = "1000", output_per_mtok = "1000" }' };
  const settings = '[budget]\nper_request_usd = "0.000001"';
  const stage = await begin(t, { alpha: 'answer' }, { lines, settings });

  const error = await refusal(client(stage).messages.create(asked));

  assert.ok(error instanceof Anthropic.APIError, `${error}`);
  assert.equal(error.status, 402);
});

test('leaves the provider when its own time is over', async (t) => {
  const stage = await begin(t, { alpha: 'silence' }, { patient: true });

  const error = await refusal(client(stage, { timeout: 500 }).messages.create(asked));

  assert.ok(error instanceof Anthropic.APIConnectionTimeoutError, `${error}`);
  await stage.disconnected('alpha', 1);
});

test('takes an idempotency key and wishes', async (t) => {
  const stage = await begin(t, { alpha: 'answer:from alpha', beta: 'answer:from beta' });
  const headers = { 'idempotency-key': 'order-66', 'x-backstop-provider': 'beta' };

  const message = await client(stage).messages.create(asked, { headers });

  assert.equal(message.content[0].text, 'from beta');
});

test("gives a provider its own key and nothing of the client's", async (t) => {
  const stage = await begin(t, { alpha: 'answer' }, { kinds: { alpha: 'anthropic' } });

  await client(stage, { apiKey: 'sk-of-the-client' }).messages.create(asked);

  const [{ headers }] = await stage.calls('alpha');
  assert.match(headers['x-api-key'], /^sk-alpha-/);
  assert.doesNotMatch(JSON.stringify(headers), /of-the-client|x-stainless/);
});
