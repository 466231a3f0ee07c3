"""Who is compared: how each is installed, configured and started."""

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .machine import SUBJECT_CORE, Process, free_port

MODEL = "gpt-4o-mini"


@dataclass
class Plan:
    """What a subject is to do: ask the first upstream, and the second where the first fails."""

    first: str
    second: str | None = None
    cooldowns: bool = True


@dataclass
class Start:
    """How a subject is started and spoken to."""

    command: list
    environment: dict = field(default_factory=dict)
    ready: str = "/healthz"
    patience: float = 20
    model: str = MODEL
    headers: tuple = ()


class Subject:
    """One of those compared."""

    name = ""
    missing = "not installed"
    # Whether it can be told to ask a second upstream by the plan's rules.
    falls_back = False

    def __init__(self, places):
        self.places = places

    def is_installed(self):
        return True

    def start(self, plan, port, folder):
        raise NotImplementedError

    def run(self, plan):
        """A running subject: the process, its port, and how it is spoken to."""
        port = free_port()
        folder = self.places.work / f"{self.name}-{port}"
        folder.mkdir(parents=True)
        start = self.start(plan, port, folder)
        process = Process(start.command, SUBJECT_CORE, folder / "log", start.environment, folder)
        return Running(self, process, port, start)


class Running:
    """A subject that runs."""

    def __init__(self, subject, process, port, start):
        self.subject, self.process, self.port, self.start = subject, process, port, start

    def wait_until_ready(self):
        return self.process.wait_until_ready(self.port, self.start.ready, self.start.patience)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()


class Bare(Subject):
    """The measure: axum and reqwest, and nothing a gateway does."""

    name = "bare"
    falls_back = True

    def start(self, plan, port, folder):
        command = [self.places.binaries / "bare", "--listen", f"127.0.0.1:{port}", "--upstream", plan.first]
        return Start(command + (["--fallback", plan.second] if plan.second else []))


class Backstop(Subject):
    """Ourselves, as `serve` comes: the `smart` component, guard rails and record on, a line a request in a file."""

    name = "backstop"
    falls_back = True

    def start(self, plan, port, folder):
        (folder / "backstop.toml").write_text(self.config(plan))
        command = [self.places.backstop, "serve", "--listen", f"127.0.0.1:{port}", "--config", folder / "backstop.toml"]
        # A warm compile cache, as on any start but the first.
        # Records and ledger of its own: those of whoever measures stay as they are.
        folders = {"XDG_CACHE_HOME": str(self.places.work / "cache"), "XDG_DATA_HOME": str(folder / "data")}
        return Start(command, {**folders, "BENCH_KEY": "sk-bench"}, model="default")

    @staticmethod
    def config(plan):
        urls = [url for url in (plan.first, plan.second) if url]
        names = ["first", "second"][: len(urls)]
        providers = "".join(
            f'[providers.{name}]\nbase_url = "{url}"\napi_key_env = "BENCH_KEY"\nmodels = ["{MODEL}"]\n\n'
            for name, url in zip(names, urls)
        )
        route = f"[routes.default]\ntargets = {json.dumps(names)}\nstrategy = \"smart\"\n"
        if plan.cooldowns:
            return providers + route
        off = "[cooldown]\nrate_limited = \"0s\"\n\n[breaker]\nfailures = 0\nsuccess_rate = 0.0\n"
        # Every request meets the failing one first and goes on at once, as the bare proxy does: no retry, which would wait.
        route += "prefer_for = \"0s\"\noptions = { retries = 0 }\n\n"
        return f"{providers}{route}{off}"


class Nginx(Subject):
    """Passes on what comes, unread."""

    name = "nginx"

    def is_installed(self):
        return shutil.which("nginx") is not None

    def start(self, plan, port, folder):
        address = plan.first.removeprefix("http://").removesuffix("/v1")
        (folder / "nginx.conf").write_text(
            f"""daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    keepalive_requests 100000000;
    upstream provider {{ server {address}; keepalive 1024; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port};
        location = /healthz {{ return 200; }}
        location / {{
            proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_buffering off; proxy_read_timeout 60s;
        }}
    }}
}}
"""
        )
        return Start(["nginx", "-c", folder / "nginx.conf"])


class Rolter(Subject):
    name = "rolter"

    def program(self):
        return self.places.installed / "rolter/bin/rolter"

    def is_installed(self):
        return self.program().exists()

    def start(self, plan, port, folder):
        (folder / "rolter.toml").write_text(
            f"""[server]
host = "127.0.0.1"
port = {port}

[[providers]]
name = "first"
kind = "openai_compatible"
api_base = "{plan.first.removesuffix('/v1')}"

[[routes]]
model = "{MODEL}"
strategy = "round_robin"
[[routes.targets]]
provider = "first"
model = "{MODEL}"
"""
        )
        command = [self.program(), "gateway", "--config", folder / "rolter.toml"]
        return Start(command, {"ROLTER_UPDATE_CHECK": "false"}, ready="/healthz")


class Ferrogw(Subject):
    name = "ferrogw"

    def program(self):
        return self.places.installed / "ferrogw/bin/ferrogw"

    def is_installed(self):
        return self.program().exists()

    def start(self, plan, port, folder):
        (folder / "config.yaml").write_text("strategy:\n  mode: single\ntargets:\n  - virtual_key: openai\n")
        environment = {
            "GATEWAY_CONFIG": str(folder / "config.yaml"),
            "PORT": str(port),
            "OPENAI_API_KEY": "sk-bench",
            "OPENAI_BASE_URL": plan.first.removesuffix("/v1"),
            "MASTER_KEY": "sk-bench",
            "ALLOW_UNAUTHENTICATED_PROXY": "true",
            # Its own default turns away more than a hundred requests a second from one address.
            "RATE_LIMIT_RPS": "1000000000",
            "RATE_LIMIT_BURST": "1000000000",
        }
        return Start([self.program(), "serve"], environment, ready="/health")


class LiteLlm(Subject):
    name = "litellm"

    def program(self):
        return self.places.installed / "litellm/bin/litellm"

    def is_installed(self):
        return self.program().exists()

    def start(self, plan, port, folder):
        parameters = {"model": f"openai/{MODEL}", "api_base": plan.first, "api_key": "sk-bench"}
        config = {"model_list": [{"model_name": MODEL, "litellm_params": parameters}]}
        (folder / "config.yaml").write_text(json.dumps(config))
        command = [self.program(), "--config", folder / "config.yaml", "--host", "127.0.0.1", "--port", port]
        command += ["--telemetry", "False"]
        # Its table of prices from the package, not from the network.
        environment = {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
            "DISABLE_ADMIN_UI": "True",
        }
        return Start(command, environment, ready="/health/liveliness", patience=90)


class Portkey(Subject):
    name = "portkey"

    def program(self):
        return self.places.installed / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"

    def is_installed(self):
        return shutil.which("node") is not None and self.program().exists()

    def start(self, plan, port, folder):
        headers = ("x-portkey-provider: openai", f"x-portkey-custom-host: {plan.first}")
        command = ["node", self.program(), f"--port={port}", "--headless"]
        return Start(command, {"NODE_ENV": "production"}, ready="/", patience=60, headers=headers)


ALL = [Bare, Backstop, Nginx, Rolter, Ferrogw, LiteLlm, Portkey]


@dataclass
class Places:
    """Where things are."""

    binaries: Path
    backstop: Path
    installed: Path
    work: Path


def cache_folder():
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "backstop-bench"
