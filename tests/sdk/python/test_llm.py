"""The command-line tool `llm` through the gateway, set up by a file as its own manual says, or by an address."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import BREAKS, KINDS
from stage import TEXT, tokens

MODELS = """
- model_id: backstop
  model_name: default
  api_base: {base}
  supports_schema: true
  supports_tools: true
- model_id: unknown
  model_name: no-such-model
  api_base: {base}
"""

TOOL = '''
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"18 degrees in {city}"
'''


@pytest.fixture
def llm():
    """Runs the tool against a stage: its output, where it ends well."""

    def run(scene, *arguments, code=0):
        home = Path(os.environ["LLM_USER_PATH"])
        home.mkdir(exist_ok=True)
        (home / "extra-openai-models.yaml").write_text(MODELS.format(base=scene.openai))
        program = Path(sys.executable).with_name("llm")
        done = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done
        return done

    return run


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flags", [[], ["--no-stream"]], ids=["stream", "whole"])
def test_answers(stage, llm, kind, flags):
    scene = stage(alpha="answer", kinds={"alpha": kind})

    assert llm(scene, "-m", "backstop", "Where is Paris?", *flags).stdout.strip() == TEXT


def test_answers_at_an_address(stage, llm):
    scene = stage(alpha="answer")

    done = llm(scene, "openai", "endpoint", scene.openai, "Where is Paris?", "-m", "default", "--key", "unused")

    assert done.stdout.strip() == TEXT


def test_lists_models_at_an_address(stage, llm):
    scene = stage(alpha="answer")

    done = llm(scene, "openai", "endpoint", scene.openai, "--models", "--key", "unused")

    assert done.stdout.split() == ["default", "alpha/alpha-model"]


def test_goes_on_with_a_conversation(stage, llm):
    scene = stage(alpha="answer")

    llm(scene, "-m", "backstop", "Where is Paris?")
    llm(scene, "-c", "And Rome?")

    said = [(message["role"], message["content"]) for message in scene.calls("alpha")[1]["body"]["messages"]]
    assert said == [("user", "Where is Paris?"), ("assistant", TEXT), ("user", "And Rome?")]


@pytest.mark.parametrize("kind", KINDS)
def test_has_a_tool_called_and_told_about(stage, llm, kind):
    scene = stage(alpha="tools", kinds={"alpha": kind})

    done = llm(scene, "-m", "backstop", "--functions", TOOL, "How is the weather?")

    assert "The tool said: " in done.stdout and "18 degrees in Paris" in done.stdout
    assert scene.counts() == {"alpha": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_answers_by_a_schema(stage, llm, kind):
    scene = stage(alpha="json", kinds={"alpha": kind})

    done = llm(scene, "-m", "backstop", "--schema", "city, population int", "Where is Paris?")

    assert json.loads(done.stdout) == {"city": "Paris", "population": 2102650}


def test_embeds_a_text(stage, llm, monkeypatch):
    scene = stage(alpha="answer", lines={"alpha": 'embedding_models = ["text-embedding-3-small"]'})
    monkeypatch.setenv("OPENAI_BASE_URL", scene.openai)
    monkeypatch.setenv("OPENAI_API_KEY", "unused")

    done = llm(scene, "embed", "-m", "3-small", "-c", "one")

    assert json.loads(done.stdout) == [0.0, 0.5, -0.25]


@pytest.mark.parametrize("fault", ["500", "429:60", "reset", *BREAKS])
def test_does_not_notice_a_failure(stage, llm, fault):
    scene = stage(alpha=fault, beta="answer")

    assert llm(scene, "-m", "backstop", "Where is Paris?").stdout.strip() == TEXT
    assert scene.counts() == {"alpha": 1, "beta": 1}


@pytest.mark.parametrize("fault", BREAKS)
def test_fails_where_a_broken_stream_cannot_go_on(stage, llm, fault):
    scene = stage(alpha=fault)

    done = llm(scene, "-m", "backstop", "Where is Paris?", code=1)

    assert done.stdout.strip() == tokens(3)
    assert done.stderr.startswith("Error: ") and "alpha" in done.stderr


def test_tells_what_a_provider_said(stage, llm):
    scene = stage(alpha="400:the picture is too large")

    assert "the picture is too large" in llm(scene, "-m", "backstop", "hi", code=1).stderr


def test_knows_no_such_model(stage, llm):
    scene = stage(alpha="answer")

    assert "no-such-model" in llm(scene, "-m", "unknown", "hi", code=1).stderr


def test_tells_that_everyone_failed(stage, llm):
    scene = stage(alpha="500", beta="503")

    done = llm(scene, "-m", "backstop", "hi", code=1)

    assert "alpha" in done.stderr and "beta" in done.stderr
    assert scene.counts() == {"alpha": 1, "beta": 1}
