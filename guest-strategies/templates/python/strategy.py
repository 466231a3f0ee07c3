"""Who is next: the quickest target that can be asked in time, those with little quota left after all others."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.about import Description
from wit_world.imports.types import (
    Ask, Attempt, Decision, Standing, Standing_CoolingDown, Standing_Limited, Standing_OutOfQuota, Standing_Probing,
    Standing_Ready, Standing_Tripped, Target, Verdict_Attempt, Verdict_GiveUp, Verdict_Hold,
)

DEFAULT_RESERVE = 0.1
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "reserve": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": DEFAULT_RESERVE,
            "description": "Share of its quota (0 to 1) below which a target is asked only after all others.",
        },
    },
}
HAVE_A_WAIT = (Standing_CoolingDown, Standing_Tripped, Standing_Limited, Standing_OutOfQuota)
NEVER = 1 << 32


class Choose(exports.Choose):
    # Of the class: each call has an instance of its own.
    reserve = DEFAULT_RESERVE

    def configure(self, roster: list[Target], options: str) -> None:
        reserve = json.loads(options).get("reserve", DEFAULT_RESERVE)
        if isinstance(reserve, bool) or not isinstance(reserve, (int, float)) or not 0 <= reserve <= 1:
            # The error that the operator reads.
            raise Err(f"`reserve` is {json.dumps(reserve)}, but must be a number from 0 to 1")
        Choose.reserve = reserve

    def next(self, ask: Ask) -> Decision:
        if ask.in_flight:
            return Decision(Verdict_Hold(), None, b"")  # Only who asks for hedges has a second attempt to make.
        deadline = NEVER - 1 if ask.remaining_ms is None else ask.remaining_ms
        tried = {past.target for past in ask.attempts}
        ranks = []
        for target, state in enumerate(ask.states):
            wait = wait_of(state.standing)
            if wait <= deadline and target not in tried:
                is_short = state.quota_left is not None and state.quota_left < self.reserve
                # The least is best; who was never timed is tried.
                is_probing = isinstance(state.standing, Standing_Probing)
                ranks.append((is_probing, wait, is_short, state.first_token_ms or 0.0, target))
        if not ranks:
            return Decision(Verdict_GiveUp(), "nobody is left who could be asked in time", b"")
        is_probing, wait, is_short, _, target = min(ranks)
        reason = "the first to be back" if wait > 0 else "has little quota left" if is_short else "quickest"
        if is_probing:
            reason = "another request finds out whether it is back"
        return Decision(Verdict_Attempt(Attempt(target, wait, None, None)), reason, b"")


class About(exports.About):
    def describe(self) -> Description:
        summary = "The quickest target first, with an eye on quotas that run low."
        return Description("my-strategy", "0.1.0", summary, json.dumps(SCHEMA))


def wait_of(standing: Standing) -> int:
    """Milliseconds until the host would admit a target; NEVER where waiting is of no use. For a probe it waits by itself."""
    if isinstance(standing, (Standing_Ready, Standing_Probing)):
        return 0
    return standing.value if isinstance(standing, HAVE_A_WAIT) else NEVER
