// Reads a stream of events. `EventSource` would do it, but cannot send the admin key in a header.

/**
 * Takes text as it comes and gives the events that are complete: `{event, data}`, or `{comment}` for a sign of life.
 */
export class Splitter {
  #rest = "";

  take(text) {
    const blocks = (this.#rest + text).replaceAll("\r\n", "\n").split("\n\n");
    this.#rest = blocks.pop();
    return blocks.map(parse).filter(Boolean);
  }
}

function parse(block) {
  let event = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "event") event = value;
    if (field === "data") data.push(value);
  }
  if (data.length === 0) return { comment: block };
  try {
    return { event, data: JSON.parse(data.join("\n")) };
  } catch {
    return null; // Not for us; the next poll brings what it may have said.
  }
}

/** Every event of a reply's body, until it ends or nothing has come for `patience` milliseconds. */
export async function* events(response, patience) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const splitter = new Splitter();
  try {
    for (;;) {
      const { done, value } = await inTime(reader.read(), patience);
      if (done) return;
      yield* splitter.take(value);
    }
  } finally {
    reader.cancel().catch(() => {}); // It may have broken off already.
  }
}

function inTime(promise, ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the stream went silent")), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
