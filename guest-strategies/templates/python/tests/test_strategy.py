"""`python3 -m unittest`: the strategy by itself, on questions made by hand. `backstop strategy check` has more."""

import json
import unittest

from componentize_py_types import Err
from wit_world.imports.types import (
    Ask, Failure, PastAttempt, Standing_CoolingDown, Standing_Probing, Standing_Ready, State,
)

from strategy import About, Choose


def state(standing=Standing_Ready(), first_token_ms=None, quota_left=None):
    return State(standing, None, 0, 0, 1.0, first_token_ms, quota_left)


def resting(ms):
    return state(Standing_CoolingDown(ms))


def failed(target):
    return PastAttempt(target, Failure.SERVER_ERROR, 20, None)


def decide(states, attempts=(), remaining_ms=60_000, **options):
    # Two instances, as in a component.
    Choose().configure([], json.dumps(options))
    return Choose().next(Ask(
        sequence=0, entropy=0, now_ms=0, input_tokens=100, max_output_tokens=500, streaming=False, labels=[],
        states=states, attempts=list(attempts), in_flight=[], preferred=None, emergency=False, attempts_left=3,
        retries_left=3, elapsed_ms=0, remaining_ms=remaining_ms, note=b"", extras=[],
    ))


def chosen(decision):
    attempt = getattr(decision.verdict, "value", None)
    return (attempt.target, attempt.after_ms) if attempt else type(decision.verdict).__name__


class TheStrategy(unittest.TestCase):
    def test_asks_the_quickest_first_and_each_once(self):
        states = [state(first_token_ms=900.0), state(first_token_ms=200.0)]

        self.assertEqual(chosen(decide(states)), (1, 0))
        self.assertEqual(chosen(decide(states, [failed(1)])), (0, 0))
        self.assertEqual(chosen(decide(states, [failed(1), failed(0)])), "Verdict_GiveUp")

    def test_spares_a_quota_that_runs_low(self):
        states = [state(first_token_ms=900.0), state(first_token_ms=200.0, quota_left=0.05)]

        self.assertEqual(chosen(decide(states)), (0, 0))
        self.assertEqual(chosen(decide(states, reserve=0.01)), (1, 0))

    def test_waits_for_the_first_to_be_back_within_the_deadline(self):
        states = [resting(900), resting(300)]

        self.assertEqual(chosen(decide(states)), (1, 300))
        self.assertEqual(chosen(decide(states, remaining_ms=200)), "Verdict_GiveUp")

    def test_waits_for_a_probe_where_nobody_else_is_left(self):
        probing = state(Standing_Probing())

        self.assertEqual(chosen(decide([probing])), (0, 0))
        self.assertEqual(chosen(decide([probing, resting(300)])), (1, 300))

    def test_says_what_an_option_must_be(self):
        with self.assertRaises(Err) as refused:
            decide([], reserve=7)

        self.assertEqual(refused.exception.value, "`reserve` is 7, but must be a number from 0 to 1")
        self.assertIn("reserve", json.loads(About().describe().options_schema)["properties"])
