"""The stage: scripted providers, and the real gateway in front of them (`stage --help` says what they can be told)."""

import json
import os
import subprocess
import time
import urllib.request

#: Each target is asked once, so that the calls of a request can be counted.
ROUTE = 'options = { retries = 0, base_delay = "20ms", max_delay = "200ms" }\ndeadline = "20s"'

#: What every provider answers unless it is told otherwise.
TEXT = "Paris is the capital of France and lies on the Seine."


def tokens(count):
    """How much of `TEXT` has come after so many tokens."""
    return " ".join(TEXT.split(" ")[:count])


class Stage:
    """A running stage. `cast` has each provider's replies: `alpha="500"`, `beta=["429:1", "answer"]`.

    By provider: `kinds` are their protocols, `lines` further lines of their tables.
    """

    def __init__(self, *, kinds=None, lines=None, route=ROUTE, settings=None, runs=(), patient=False, **cast):
        kinds, lines = kinds or {}, lines or {}
        flags = []
        for name, replies in cast.items():
            flags += ["--provider", f"{name}:{kinds.get(name, 'openai')}"]
            flags += ["--with", f"{name}={lines[name]}"] if name in lines else []
            for reply in [replies] if isinstance(replies, str) else replies:
                flags += ["--reply", f"{name}={reply}"]
        flags += ["--route", route]
        flags += ["--settings", settings] if settings else []
        flags += ["--patient"] if patient else []
        for run in runs:
            flags += ["--run", run]
        self._process = subprocess.Popen(
            [os.environ["BACKSTOP_STAGE"], *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self._process.stdout.readline()
        assert line, f"the stage has not begun: {flags}"
        said = json.loads(line)
        self.gateway, self.control, self.home = said["gateway"], said["control"], said["home"]
        self.runs = said["runs"]
        self.openai = f"{self.gateway}/v1"

    def told(self, name, *replies):
        """Tells a provider what to do from now on."""
        self._ask(f"/providers/{name}", {"replies": list(replies)})

    def calls(self, name):
        """The calls a provider has received, with `path`, `headers` and `body`."""
        return self._ask(f"/providers/{name}/calls")["calls"]

    def counts(self):
        """How many calls each provider has received."""
        return {provider["name"]: provider["calls"] for provider in self._ask("/providers")["providers"]}

    def disconnects(self, name):
        """How many callers left a provider before its reply was complete."""
        found = [p for p in self._ask("/providers")["providers"] if p["name"] == name]
        return found[0]["disconnects"]

    @staticmethod
    def until(holds):
        """Asks again and again until it holds; each question is a round trip, so that nothing spins."""
        deadline = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < deadline, "it has not come to that"

    def close(self):
        self._process.stdin.close()
        code = self._process.wait(timeout=60)
        self._process.stdout.close()
        assert code == 0, "the gateway did not end well; its log is on standard error"

    def _ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.control + path, data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)
