"""The benchmark's own programs: the scripted upstream, and the load."""

import json
import subprocess
import time

from .machine import OTHER_CORE, NotReady, Process


class Upstream:
    """The scripted upstream; a URL for each way to answer."""

    def __init__(self, binaries, folder, pace_ms=200):
        log = folder / "upstream.log"
        log.unlink(missing_ok=True)
        self.process = Process([binaries / "upstream", "--pace", pace_ms], OTHER_CORE, log)
        self.urls = {}
        for _ in range(500):
            lines = [line.split() for line in log.read_text().splitlines()]
            if len(lines) >= 4:
                self.urls = {mode: f"http://{address}/v1" for mode, address in lines}
                return
            time.sleep(0.01)
        raise NotReady("the upstream did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()


class Load:
    """One run of the load generator against an address."""

    def __init__(self, binaries, port, *, connections, seconds, requests=None, stream=False, model, headers=()):
        command = ["taskset", "-c", OTHER_CORE, binaries / "load", f"127.0.0.1:{port}"]
        command += ["--connections", connections, "--seconds", seconds, "--model", model]
        command += ["--requests", requests] if requests else []
        command += ["--stream"] if stream else []
        command += [part for header in headers for part in ("--header", header)]
        self.child = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        self.patience = seconds + 60

    def is_running(self):
        return self.child.poll() is None

    def result(self):
        said, _ = self.child.communicate(timeout=self.patience)
        return json.loads(said)
