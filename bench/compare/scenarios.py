"""What is measured. Within a scenario the subjects take turns, so that noise meets all of them alike."""

import time
from dataclasses import dataclass

from .machine import NotReady
from .subjects import MODEL, Backstop, Plan
from .tools import Load

HELD_STREAMS = 512


@dataclass
class Case:
    """A load and its name."""

    name: str
    connections: int
    stream: bool = False


CASES = [
    Case("1 at once", 1),
    Case("16 at once", 16),
    Case("64 at once", 64),
    Case("streams, 1 at once", 1, stream=True),
    Case("streams, 16 at once", 16, stream=True),
]


class Bench:
    """One run of the benchmark over some subjects."""

    def __init__(self, places, upstream, subjects, seconds, repetitions, say):
        self.places, self.urls, self.subjects = places, upstream.urls, subjects
        self.seconds, self.repetitions, self.say = seconds, repetitions, say

    def healthy(self):
        """Every subject before a healthy upstream, and the upstream alone."""
        results = {}
        with Running(self) as running:
            for subject in self.subjects:
                running.start(subject.name, subject, Plan(self.urls["ok"]))
            for _ in range(self.repetitions):
                for case in CASES:
                    self.say(f"  {case.name}")
                    add(results, case.name, "direct", self.direct(case))
                    for name, one in running.items():
                        add(results, case.name, name, self.measure(one, case))
        return results

    def failing(self):
        """A primary that always fails, for those who fall back by the same rules."""
        results = {}
        subjects = [subject for subject in self.subjects if subject.falls_back]
        backstop = next((subject for subject in subjects if isinstance(subject, Backstop)), None)
        case = CASES[1]
        with Running(self) as running:
            for subject in subjects:
                running.start(f"{subject.name}, healthy", subject, Plan(self.urls["ok"]))
                for status in ("500", "429"):
                    plan = Plan(self.urls[status], self.urls["ok"], cooldowns=False)
                    running.start(f"{subject.name}, {status}", subject, plan)
            for status in ("500", "429") if backstop else ():
                plan = Plan(self.urls[status], self.urls["ok"], cooldowns=True)
                running.start(f"backstop, {status}, cooldowns on", backstop, plan)
            for _ in range(self.repetitions):
                for name, one in running.items():
                    add(results, "16 at once", name, self.measure(one, case))
        return results

    def footprint(self):
        """Each subject alone: how soon it is ready, how much memory it takes, idle and with streams held open."""
        results = {}
        for subject in self.subjects:
            self.say(f"  {subject.name}")
            for repetition in range(self.repetitions):
                try:
                    add(results, "process", subject.name, self.alone(subject, is_last=repetition + 1 == self.repetitions))
                except NotReady as error:
                    add(results, "process", subject.name, {"fault": str(error)})
                    break
        return results

    def alone(self, subject, is_last):
        with subject.run(Plan(self.urls["paced"])) as one:
            found = {"ready_ms": one.wait_until_ready() * 1_000}
            if not is_last:
                return found
            time.sleep(1)
            found["idle_mib"] = one.process.resident() / 2**20
            self.load(one, Case("", 1), requests=20).result()
            before = one.process.resident()
            load = self.load(one, Case("", HELD_STREAMS, stream=True), requests=HELD_STREAMS, seconds=40)
            most = before
            while load.is_running():
                most = max(most, one.process.resident())
                time.sleep(0.1)
            held = load.result()
            found["stream_kib"] = (most - before) / HELD_STREAMS / 2**10
            found["streams_held"] = held["requests"]
            found["streams_lost"] = HELD_STREAMS - held["requests"]
            found["first_error"] = held["first_error"]
            return found

    def direct(self, case):
        port = self.urls["ok"].split(":")[2].split("/")[0]
        load = Load(
            self.places.binaries, port, connections=case.connections, seconds=self.seconds, stream=case.stream, model=MODEL
        )
        return load.result()

    def measure(self, one, case):
        before = one.process.cpu_seconds()
        found = self.load(one, case).result()
        used = one.process.cpu_seconds() - before
        found["cpu_us"] = used * 1e6 / found["requests"] if found["requests"] else None
        return found

    def load(self, one, case, requests=None, seconds=None):
        start = one.start
        return Load(
            self.places.binaries,
            one.port,
            connections=case.connections,
            seconds=seconds or self.seconds,
            requests=requests,
            stream=case.stream,
            model=start.model,
            headers=start.headers,
        )


class Running:
    """Subjects that run at the same time; only one of them has work at any moment."""

    def __init__(self, bench):
        self.bench, self.running = bench, {}

    def start(self, name, subject, plan):
        one = subject.run(plan)
        try:
            one.wait_until_ready()
        except NotReady as error:
            self.bench.say(f"  {name}: {error}")
            one.process.stop()
            return
        self.running[name] = one
        for case in (CASES[1], CASES[4]):
            self.bench.load(one, case, requests=2_000, seconds=1).result()

    def items(self):
        return self.running.items()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.running.values():
            one.process.stop()


def add(results, case, name, found):
    results.setdefault(case, {}).setdefault(name, []).append(found)
