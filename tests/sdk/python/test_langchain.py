"""LangChain through the gateway, by either of its two packages."""

import anthropic
import openai
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from conftest import BREAKS
from stage import TEXT, tokens

QUESTION = "Where is Paris?"

EMBEDDER = 'embedding_models = ["embedder"]'


class City(BaseModel):
    """A city."""

    city: str
    population: int


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"18 degrees in {city}"


def by_openai(stage, **more):
    return ChatOpenAI(base_url=stage.openai, **{"api_key": "unused", "model": "default", "max_retries": 0, **more})


def by_anthropic(stage, **more):
    asked = {"api_key": "unused", "model": "default", "max_retries": 0, "max_tokens": 200, **more}
    return ChatAnthropic(base_url=stage.gateway, **asked)


@pytest.fixture(params=[by_openai, by_anthropic], ids=["openai", "anthropic"])
def model(request):
    """Both packages, each with the errors of the library beneath it."""
    model = request.param
    model.errors = {by_openai: openai, by_anthropic: anthropic}[model]
    return model


def test_answers_whole(stage, model):
    scene = stage(alpha="answer")

    message = model(scene).invoke(QUESTION)

    assert message.text == TEXT
    assert message.usage_metadata["output_tokens"] > 0


def test_answers_in_a_stream(stage, model):
    scene = stage(alpha="answer")

    chunks = list(model(scene).stream(QUESTION))

    assert "".join(chunk.text for chunk in chunks) == TEXT
    assert len(chunks) > 5


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_has_a_tool_called_and_told_about(stage, model, kind):
    scene = stage(alpha="tools", kinds={"alpha": kind})
    asker, messages = model(scene).bind_tools([get_weather]), [HumanMessage(QUESTION)]

    first = asker.invoke(messages)
    [call] = first.tool_calls
    messages += [first, get_weather.invoke(call)]
    second = asker.invoke(messages)

    assert isinstance(messages[-1], ToolMessage)
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
    assert "18 degrees in Paris" in second.text


def test_gathers_a_tool_call_from_a_stream(stage, model):
    scene = stage(alpha="tools")

    chunks = list(model(scene).bind_tools([get_weather]).stream(QUESTION))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk

    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("get_weather", {"city": "Paris"})]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_answers_by_a_schema(stage, model, method):
    scene = stage(alpha="json")

    answer = model(scene).with_structured_output(City, method=method).invoke(QUESTION)

    assert answer == City(city="Paris", population=2102650)


def test_embeds_texts(stage):
    scene = stage(alpha="answer", lines={"alpha": EMBEDDER})
    embedder = OpenAIEmbeddings(
        base_url=scene.openai, api_key="unused", model="embedder", check_embedding_ctx_length=False, max_retries=0
    )

    assert embedder.embed_documents(["one", "two"]) == [[0.0, 0.5, -0.25], [1.0, 0.5, -0.25]]
    assert embedder.embed_query("one") == [0.0, 0.5, -0.25]


@pytest.mark.parametrize("fault", ["500", "429:60", "reset"])
def test_does_not_notice_that_a_provider_fails(stage, model, fault):
    scene = stage(alpha=fault, beta="answer")

    assert model(scene).invoke(QUESTION).text == TEXT
    assert scene.counts() == {"alpha": 1, "beta": 1}


@pytest.mark.parametrize("fault", BREAKS)
def test_does_not_notice_that_a_stream_breaks(stage, model, fault):
    scene = stage(alpha=fault, beta="answer")

    assert "".join(chunk.text for chunk in model(scene).stream(QUESTION)) == TEXT
    assert scene.counts() == {"alpha": 1, "beta": 1}


@pytest.mark.parametrize("fault", BREAKS)
def test_raises_where_a_broken_stream_cannot_go_on(stage, model, fault):
    scene = stage(alpha=fault)
    heard = []

    with pytest.raises(model.errors.APIError):
        for chunk in model(scene).stream(QUESTION):
            heard.append(chunk.text)

    assert "".join(heard).strip() == tokens(3)


def test_raises_the_librarys_own_errors(stage, model):
    scene = stage(alpha="400:temperature is too high")

    with pytest.raises(model.errors.BadRequestError, match="temperature is too high"):
        model(scene).invoke(QUESTION)

    scene.told("alpha", "500")
    with pytest.raises(model.errors.InternalServerError):
        model(scene).invoke(QUESTION)


def test_knows_no_such_model(stage, model):
    scene = stage(alpha="answer")

    with pytest.raises(model.errors.NotFoundError, match="no-such-model"):
        model(scene, model="no-such-model").invoke(QUESTION)


def test_does_not_repeat_what_the_gateway_has_tried_everywhere(stage, model):
    scene = stage(alpha="500", beta="503")

    with pytest.raises(model.errors.InternalServerError):
        model(scene, max_retries=2).invoke(QUESTION)

    assert scene.counts() == {"alpha": 1, "beta": 1}


def test_says_how_an_answer_came_about(stage):
    scene = stage(alpha="500", beta="answer")

    message = by_openai(scene, include_response_headers=True).invoke(QUESTION)

    assert message.response_metadata["headers"]["x-backstop-provider"] == "beta"
