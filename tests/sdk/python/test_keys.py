"""A gateway with keys of its own, as each SDK finds it."""

import anthropic
import openai
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI

from stage import TEXT

HELLO = [{"role": "user", "content": "hi"}]


def by_openai(stage, key):
    client = openai.OpenAI(base_url=stage.openai, api_key=key, max_retries=0)
    return client.chat.completions.create(model="default", messages=HELLO).choices[0].message.content


def by_anthropic(stage, key):
    client = anthropic.Anthropic(base_url=stage.gateway, api_key=key, max_retries=0)
    return client.messages.create(model="default", max_tokens=99, messages=HELLO).content[0].text


def by_anthropic_bearer(stage, key):
    client = anthropic.Anthropic(base_url=stage.gateway, auth_token=key, max_retries=0)
    return client.messages.create(model="default", max_tokens=99, messages=HELLO).content[0].text


def by_langchain_openai(stage, key):
    return ChatOpenAI(base_url=stage.openai, api_key=key, model="default", max_retries=0).invoke("hi").text


def by_langchain_anthropic(stage, key):
    asked = {"base_url": stage.gateway, "api_key": key, "model": "default", "max_tokens": 99, "max_retries": 0}
    return ChatAnthropic(**asked).invoke("hi").text


SDKS = {
    by_openai: openai,
    by_anthropic: anthropic,
    by_anthropic_bearer: anthropic,
    by_langchain_openai: openai,
    by_langchain_anthropic: anthropic,
}


@pytest.fixture(params=SDKS, ids=lambda ask: ask.__name__)
def ask(request):
    return request.param


def test_lets_a_key_in_and_no_other(stage, ask):
    scene = stage(alpha="answer", runs=["keys create app"])
    [key] = scene.runs

    answered = ask(scene, key.strip())
    with pytest.raises(SDKS[ask].AuthenticationError):
        ask(scene, "unused")

    assert answered == TEXT
    assert scene.counts() == {"alpha": 1}
    assert key.strip() not in str(scene.calls("alpha"))


def test_holds_a_key_to_its_limit(stage, ask):
    scene = stage(alpha="answer", runs=["keys create app --rpm 1"])
    [key] = scene.runs

    ask(scene, key.strip())
    with pytest.raises(SDKS[ask].RateLimitError) as raised:
        ask(scene, key.strip())

    assert 0 < int(raised.value.response.headers["retry-after"]) <= 60
    assert scene.counts() == {"alpha": 1}


def test_holds_a_key_to_its_routes(stage, ask):
    scene = stage(alpha="answer", settings='[routes.other]\ntargets = ["alpha"]', runs=["keys create app --route other"])
    [key] = scene.runs

    with pytest.raises(SDKS[ask].APIStatusError) as raised:
        ask(scene, key.strip())

    assert raised.value.status_code in (403, 404)
    assert scene.counts() == {"alpha": 0}


def test_lists_models_for_a_key_alone(stage):
    scene = stage(alpha="answer", runs=["keys create app"])
    [key] = scene.runs

    listed = openai.OpenAI(base_url=scene.openai, api_key=key.strip()).models.list()
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=scene.openai, api_key="unused").models.list()

    assert [model.id for model in listed] == ["default", "alpha/alpha-model"]
