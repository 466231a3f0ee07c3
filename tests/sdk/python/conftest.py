import pytest

from stage import Stage

#: Every protocol that a provider may speak behind the gateway.
KINDS = ["openai", "anthropic", "gemini", "ollama"]

#: What can befall a provider before it has said anything.
FAULTS = ["500", "503", "429:60", "429", "quota", "401", "reset", "silence"]

#: What can befall a stream after three tokens.
BREAKS = ["cut:3", "end:3", "stall:3", "error:3"]


@pytest.fixture
def stage():
    """Sets stages up, and ends them with the test."""
    running = []

    def begin(**cast):
        running.append(Stage(**cast))
        return running[-1]

    yield begin
    for each in running:
        each.close()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No key and no address of the machine's own reaches an SDK."""
    for name in ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"]:
        monkeypatch.delenv(name, raising=False)
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path / "llm"))
    monkeypatch.setenv("LANGSMITH_TRACING", "false")


def pytest_sessionfinish(session, exitstatus):
    """Nothing is skipped in silence: a skipped test is a failed run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and any(reporter.stats.get(kind) for kind in ["skipped", "xfailed", "xpassed"]):
        session.exitstatus = 1
