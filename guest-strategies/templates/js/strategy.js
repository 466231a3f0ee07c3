// Who is next: the quickest target that can be asked in time, those with little quota left after all others, each once.

const SCHEMA = {
  type: "object",
  additionalProperties: false,
  properties: {
    reserve: {
      type: "number",
      minimum: 0,
      maximum: 1,
      default: 0.1,
      description: "Share of its quota (0 to 1) below which a target is asked only after all others.",
    },
  },
};

// Set by `configure`, which is called once before all else, and never again.
let reserve = SCHEMA.properties.reserve.default;

export const choose = {
  configure(roster, options) {
    reserve = JSON.parse(options).reserve ?? SCHEMA.properties.reserve.default;
    const isShare = typeof reserve === "number" && reserve >= 0 && reserve <= 1;
    // What is thrown is the error that the operator reads: a string.
    if (!isShare) throw `\`reserve\` is ${JSON.stringify(reserve)}, but must be a number from 0 to 1`;
  },

  next(ask) {
    // Only who asks for hedges has a second attempt to make.
    if (ask.inFlight.length > 0) return { verdict: { tag: "hold" }, note: [] };
    const deadline = ask.remainingMs ?? Number.MAX_VALUE;
    let best = null;
    for (let target = 0; target < ask.states.length; target++) {
      const { standing } = ask.states[target];
      const wait = waitOf(standing);
      if (wait > deadline || ask.attempts.some((past) => past.target === target)) continue;
      const { quotaLeft, firstTokenMs } = ask.states[target];
      const isShort = quotaLeft != null && quotaLeft < reserve;
      const isProbing = standing.tag === "probing";
      const one = { target, isProbing, wait, isShort, firstTokenMs: firstTokenMs ?? 0 }; // Who was never timed is tried.
      if (best === null || isBefore(one, best)) best = one;
    }
    if (best === null) {
      return { verdict: { tag: "give-up" }, reason: "nobody is left who could be asked in time", note: [] };
    }
    let reason = best.wait > 0 ? "the first to be back" : best.isShort ? "has little quota left" : "quickest";
    if (best.isProbing) reason = "another request finds out whether it is back";
    return { verdict: { tag: "attempt", val: { target: best.target, afterMs: best.wait } }, reason, note: [] };
  },
};

export const about = {
  describe: () => ({
    name: "my-strategy",
    version: "0.1.0",
    summary: "The quickest target first, with an eye on quotas that run low.",
    optionsSchema: JSON.stringify(SCHEMA),
  }),
};

// Milliseconds until the host would admit a target; Infinity where waiting is of no use. For a probe it waits by itself.
function waitOf(standing) {
  return standing.tag === "ready" || standing.tag === "probing" ? 0 : (standing.val ?? Infinity);
}

function isBefore(one, other) {
  if (one.isProbing !== other.isProbing) return other.isProbing;
  if (one.wait !== other.wait) return one.wait < other.wait;
  if (one.isShort !== other.isShort) return other.isShort;
  return one.firstTokenMs < other.firstTokenMs;
}
