// `make test`: the strategy by itself, on questions made by hand. `backstop strategy check` has more of them.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bindings/described_strategy.h"

// In a component, the types of the contract are in an object file for WebAssembly alone.
void __component_type_object_force_link_described_strategy(void) {}

static int failures = 0;

#define EXPECT(condition)                                                   \
  do {                                                                      \
    if (!(condition)) {                                                     \
      printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);        \
      failures++;                                                           \
    }                                                                       \
  } while (0)

typedef backstop_strategy_types_state_t state;

static state ready(void) {
  return (state){.standing = {.tag = BACKSTOP_STRATEGY_TYPES_STANDING_READY}};
}

static state timed(float first_token_ms) {
  state timed = ready();
  timed.first_token_ms = (described_strategy_option_f32_t){true, first_token_ms};
  return timed;
}

static state resting(uint32_t ms) {
  return (state){.standing = {.tag = BACKSTOP_STRATEGY_TYPES_STANDING_COOLING_DOWN, .val.cooling_down = ms}};
}

static bool configure(const char *options) {
  exports_backstop_strategy_choose_list_target_t roster = {0};
  described_strategy_string_t text, error;
  described_strategy_string_dup(&text, options);
  return exports_backstop_strategy_choose_configure(&roster, &text, &error);
}

// Asks about two targets, of which the second, or both, were tried already. The strategy frees the question.
static backstop_strategy_types_verdict_t decide(state first, state second, uint32_t remaining_ms, int tried) {
  exports_backstop_strategy_choose_ask_t ask = {.remaining_ms = {true, remaining_ms}};
  ask.states.ptr = malloc(2 * sizeof first);
  ask.states.ptr[0] = first;
  ask.states.ptr[1] = second;
  ask.states.len = 2;
  ask.attempts.len = tried;
  ask.attempts.ptr = calloc(2, sizeof *ask.attempts.ptr);
  for (int i = 0; i < tried; i++) ask.attempts.ptr[i].target = 1 - i;
  exports_backstop_strategy_choose_decision_t decision;
  exports_backstop_strategy_choose_next(&ask, &decision);
  return decision.verdict;
}

static bool chose(backstop_strategy_types_verdict_t verdict, uint32_t target, uint32_t after_ms) {
  return verdict.tag == BACKSTOP_STRATEGY_TYPES_VERDICT_ATTEMPT && verdict.val.attempt.target == target &&
         verdict.val.attempt.after_ms == after_ms;
}

static bool gave_up(backstop_strategy_types_verdict_t verdict) {
  return verdict.tag == BACKSTOP_STRATEGY_TYPES_VERDICT_GIVE_UP;
}

static void asks_the_quickest_first_and_each_once(void) {
  configure("{}");

  EXPECT(chose(decide(timed(900), timed(200), 60000, 0), 1, 0));
  EXPECT(chose(decide(timed(900), timed(200), 60000, 1), 0, 0));
  EXPECT(gave_up(decide(timed(900), timed(200), 60000, 2)));
}

static void spares_a_quota_that_runs_low(void) {
  state low = timed(200);
  low.quota_left = (described_strategy_option_f32_t){true, 0.05f};

  configure("{}");
  EXPECT(chose(decide(timed(900), low, 60000, 0), 0, 0));
  configure("{\"reserve\":0.01}");
  EXPECT(chose(decide(timed(900), low, 60000, 0), 1, 0));
}

static void waits_for_the_first_to_be_back_within_the_deadline(void) {
  configure("{}");

  EXPECT(chose(decide(resting(900), resting(300), 60000, 0), 1, 300));
  EXPECT(gave_up(decide(resting(900), resting(300), 200, 0)));
}

static void waits_for_a_probe_where_nobody_else_is_left(void) {
  state probing = {.standing = {.tag = BACKSTOP_STRATEGY_TYPES_STANDING_PROBING}};
  state disabled = {.standing = {.tag = BACKSTOP_STRATEGY_TYPES_STANDING_DISABLED}};

  configure("{}");
  EXPECT(chose(decide(disabled, probing, 60000, 0), 1, 0));
  EXPECT(chose(decide(resting(300), probing, 60000, 0), 0, 300));
}

static void says_what_an_option_must_be(void) {
  EXPECT(configure("{\"reserve\":0.5}"));
  EXPECT(!configure("{\"reserve\":7}"));
  EXPECT(!configure("{\"reserve\":\"much\"}"));
}

int main(void) {
  asks_the_quickest_first_and_each_once();
  spares_a_quota_that_runs_low();
  waits_for_the_first_to_be_back_within_the_deadline();
  waits_for_a_probe_where_nobody_else_is_left();
  says_what_an_option_must_be();
  printf(failures == 0 ? "5 tests passed\n" : "%d expectations were not met\n", failures);
  return failures != 0;
}
