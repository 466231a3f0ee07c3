"""Processes of the benchmark: started on a core of their own, watched through /proc, and ended whatever happens."""

import http.client
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

# Whoever is measured has a core to itself; whoever asks and answers shares the other.
SUBJECT_CORE = "0"
OTHER_CORE = "1"

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class NotReady(Exception):
    """A process that ended, or did not answer in time."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A process and all it starts, in a session of its own, its output in a file."""

    def __init__(self, command, core, log, environment=None, folder=None):
        self.log = Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.began = time.monotonic()
        with open(self.log, "ab") as output:
            self.child = subprocess.Popen(
                ["taskset", "-c", core, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                start_new_session=True,
            )

    def wait_until_ready(self, port, path, patience):
        """Seconds from the start to the first answer of status 200."""
        while time.monotonic() - self.began < patience:
            if self.child.poll() is not None:
                raise NotReady(f"ended with {self.child.returncode}; {self.log} has its last words")
            try:
                asked = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
                asked.request("GET", path)
                status = asked.getresponse().status
                asked.close()
                if status == 200:
                    return time.monotonic() - self.began
            except OSError:
                pass
            time.sleep(0.0005 if patience < 30 else 0.05)
        raise NotReady(f"not ready within {patience} s; {self.log} has its last words")

    def members(self):
        """The process and its offspring."""
        parents = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    parents[int(entry)] = int(stat_of(entry)[1])
                except (OSError, IndexError):
                    continue
        family = {self.child.pid}
        grown = True
        while grown:
            born = {pid for pid, parent in parents.items() if parent in family} - family
            family |= born
            grown = bool(born)
        return family

    def cpu_seconds(self):
        """What the process and its offspring have used: utime and stime, and those of children that have ended."""
        total = 0
        for pid in self.members():
            try:
                fields = stat_of(pid)
            except OSError:
                continue
            total += sum(int(field) for field in fields[11:15])
        return total / TICKS

    def resident(self):
        """Bytes in memory, of all of them together."""
        total = 0
        for pid in self.members():
            try:
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
            except OSError:
                continue
        return total

    def stop(self):
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self.child.poll() is not None:
                break
            try:
                os.killpg(self.child.pid, sign)
                self.child.wait(timeout=5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def stat_of(pid):
    """The fields of /proc/PID/stat behind the name, which may hold blanks: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
