// Who is next: the quickest target that can be asked in time, those with little quota left after all others, each once.

#include <stdlib.h>
#include <string.h>

#include "bindings/described_strategy.h"

#define DEFAULT_RESERVE 0.1
#define SCHEMA                                                                                                       \
  "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"reserve\":{\"type\":\"number\","            \
  "\"minimum\":0,\"maximum\":1,\"default\":0.1,\"description\":"                                                     \
  "\"Share of its quota (0 to 1) below which a target is asked only after all others.\"}}}"

// Set by `configure`, which is called once before all else, and never again.
static double reserve = DEFAULT_RESERVE;

// How good a choice a target is: no probe, then the least wait, then a quota that is not short, then the quickest first token.
struct rank {
  uint32_t target;
  bool is_probing;
  uint32_t wait_ms;
  bool is_short;
  float first_token_ms;
};

static bool is_before(struct rank one, struct rank other) {
  if (one.is_probing != other.is_probing) return other.is_probing;
  if (one.wait_ms != other.wait_ms) return one.wait_ms < other.wait_ms;
  if (one.is_short != other.is_short) return other.is_short;
  return one.first_token_ms < other.first_token_ms;
}

// Whether the host will admit a target after a wait that is known; if so, stores its milliseconds. For a probe it waits by itself.
static bool has_wait(backstop_strategy_types_standing_t standing, uint32_t *ms) {
  switch (standing.tag) {
    case BACKSTOP_STRATEGY_TYPES_STANDING_READY:
    case BACKSTOP_STRATEGY_TYPES_STANDING_PROBING: *ms = 0; return true;
    case BACKSTOP_STRATEGY_TYPES_STANDING_COOLING_DOWN: *ms = standing.val.cooling_down; return true;
    case BACKSTOP_STRATEGY_TYPES_STANDING_TRIPPED: *ms = standing.val.tripped; return true;
    case BACKSTOP_STRATEGY_TYPES_STANDING_LIMITED: *ms = standing.val.limited; return true;
    case BACKSTOP_STRATEGY_TYPES_STANDING_OUT_OF_QUOTA: *ms = standing.val.out_of_quota; return true;
    default: return false;
  }
}

static bool was_tried(const exports_backstop_strategy_choose_ask_t *ask, uint32_t target) {
  for (size_t i = 0; i < ask->attempts.len; i++) {
    if (ask->attempts.ptr[i].target == target) return true;
  }
  return false;
}

static void decide(const exports_backstop_strategy_choose_ask_t *ask,
                   exports_backstop_strategy_choose_decision_t *ret) {
  ret->reason.is_some = false;
  if (ask->in_flight.len > 0) { // Only who asks for hedges has a second attempt to make.
    ret->verdict.tag = BACKSTOP_STRATEGY_TYPES_VERDICT_HOLD;
    return;
  }
  bool found = false;
  struct rank best = {0};
  for (uint32_t target = 0; target < ask->states.len; target++) {
    const backstop_strategy_types_state_t *state = &ask->states.ptr[target];
    bool is_probing = state->standing.tag == BACKSTOP_STRATEGY_TYPES_STANDING_PROBING;
    struct rank one = {.target = target, .is_probing = is_probing};
    if (!has_wait(state->standing, &one.wait_ms) || was_tried(ask, target)) continue;
    if (ask->remaining_ms.is_some && one.wait_ms > ask->remaining_ms.val) continue;
    one.is_short = state->quota_left.is_some && state->quota_left.val < reserve;
    one.first_token_ms = state->first_token_ms.is_some ? state->first_token_ms.val : 0; // Who was never timed is tried.
    if (!found || is_before(one, best)) best = one;
    found = true;
  }
  ret->reason.is_some = true;
  if (!found) {
    ret->verdict.tag = BACKSTOP_STRATEGY_TYPES_VERDICT_GIVE_UP;
    described_strategy_string_dup(&ret->reason.val, "nobody is left who could be asked in time");
    return;
  }
  ret->verdict.tag = BACKSTOP_STRATEGY_TYPES_VERDICT_ATTEMPT;
  ret->verdict.val.attempt =
      (backstop_strategy_types_attempt_t){.target = best.target, .after_ms = best.wait_ms};
  described_strategy_string_dup(&ret->reason.val, best.is_probing    ? "another request finds out whether it is back"
                                                  : best.wait_ms > 0 ? "the first to be back"
                                                  : best.is_short    ? "has little quota left"
                                                                     : "quickest");
}

// The question is ours to free; the answer the bindings free, so texts in it are copies.
void exports_backstop_strategy_choose_next(exports_backstop_strategy_choose_ask_t *ask,
                                           exports_backstop_strategy_choose_decision_t *ret) {
  memset(ret, 0, sizeof *ret);
  decide(ask, ret);
  exports_backstop_strategy_choose_ask_free(ask);
}

// The host has checked the options' names against the schema, and writes them without spaces: a value follows its name.
bool exports_backstop_strategy_choose_configure(exports_backstop_strategy_choose_list_target_t *roster,
                                                described_strategy_string_t *options,
                                                described_strategy_string_t *err) {
  char *text = strndup((const char *)options->ptr, options->len);
  const char *name = strstr(text, "\"reserve\":");
  const char *value = name == NULL ? NULL : name + strlen("\"reserve\":");
  char *end = NULL;
  reserve = value == NULL ? DEFAULT_RESERVE : strtod(value, &end);
  bool is_share = value == NULL || (end != value && (*end == '}' || *end == ',') && reserve >= 0 && reserve <= 1);
  if (!is_share) described_strategy_string_dup(err, "`reserve` must be a number from 0 to 1");
  free(text);
  described_strategy_string_free(options);
  exports_backstop_strategy_choose_list_target_free(roster);
  return is_share;
}

void exports_backstop_strategy_about_describe(exports_backstop_strategy_about_description_t *ret) {
  described_strategy_string_dup(&ret->name, "my-strategy");
  described_strategy_string_dup(&ret->version, "0.1.0");
  described_strategy_string_dup(&ret->summary, "The quickest target first, with an eye on quotas that run low.");
  described_strategy_string_dup(&ret->options_schema, SCHEMA);
}
