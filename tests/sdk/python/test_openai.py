"""The official `openai` library through the gateway."""

import asyncio
import json

import openai
import pytest
from pydantic import BaseModel

from conftest import BREAKS, FAULTS, KINDS
from stage import TEXT, tokens

HELLO = [{"role": "user", "content": "Where is Paris?"}]

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}

EMBEDDER = 'embedding_models = ["embedder"]'


class City(BaseModel):
    city: str
    population: int


def client(stage, **more):
    return openai.OpenAI(base_url=stage.openai, api_key=more.pop("api_key", "unused"), **{"max_retries": 0, **more})


def text_of(stream):
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


# Chat


@pytest.mark.parametrize("kind", KINDS)
def test_answers_whole(stage, kind):
    scene = stage(alpha="answer", kinds={"alpha": kind})

    answer = client(scene).chat.completions.create(model="default", messages=HELLO)

    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.role == "assistant"
    assert answer.object == "chat.completion"
    assert answer.model == "alpha-model"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@pytest.mark.parametrize("kind", KINDS)
def test_answers_in_a_stream(stage, kind):
    scene = stage(alpha="answer", kinds={"alpha": kind})

    chunks = list(client(scene).chat.completions.create(model="default", messages=HELLO, stream=True))

    assert text_of(chunks) == TEXT
    assert len([chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]) > 5
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert all(chunk.usage is None for chunk in chunks)


@pytest.mark.parametrize("kind", KINDS)
def test_tells_the_usage_of_a_stream_to_those_who_ask(stage, kind):
    scene = stage(alpha="answer", kinds={"alpha": kind})

    chunks = list(
        client(scene).chat.completions.create(
            model="default", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )

    assert [chunk.usage.total_tokens > 0 for chunk in chunks if chunk.usage] == [True]


def test_gathers_a_stream_with_the_librarys_own_helper(stage):
    scene = stage(alpha="answer")

    with client(scene).chat.completions.stream(model="default", messages=HELLO) as stream:
        events = list(stream)
        final = stream.get_final_completion()

    assert final.choices[0].message.content == TEXT
    assert [event.content for event in events if event.type == "content.done"] == [TEXT]


def test_answers_many_at_once(stage):
    scene = stage(alpha="paced:5")

    async def one(asker):
        stream = await asker.chat.completions.create(model="default", messages=HELLO, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=scene.openai, api_key="unused", max_retries=0) as asker:
            return await asyncio.gather(*[one(asker) for _ in range(20)])

    assert asyncio.run(all_of_them()) == [TEXT] * 20


def test_passes_images_on(stage):
    scene = stage(alpha="answer")
    picture = "data:image/png;base64,iVBORw0KGgo="
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": picture}}]

    client(scene).chat.completions.create(model="default", messages=[{"role": "user", "content": content}])

    assert scene.calls("alpha")[0]["body"]["messages"][0]["content"] == content


# Tools


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_has_a_tool_called_and_told_about(stage, kind, streams):
    scene = stage(alpha="tools", kinds={"alpha": kind})
    asker, messages = client(scene), list(HELLO)

    def ask():
        if not streams:
            return asker.chat.completions.create(model="default", messages=messages, tools=[WEATHER]).choices[0]
        with asker.chat.completions.stream(model="default", messages=messages, tools=[WEATHER]) as stream:
            return stream.get_final_completion().choices[0]

    first = ask()
    [call] = first.message.tool_calls
    messages.append(first.message.to_dict())
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "18 degrees"})
    second = ask()

    assert first.finish_reason == "tool_calls"
    assert (call.type, call.function.name) == ("function", "get_weather")
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    assert second.message.content.startswith("The tool said: ") and "18 degrees" in second.message.content


def test_reads_a_tools_arguments_into_a_model(stage):
    class GetWeather(BaseModel):
        """The weather in a city."""

        city: str

    scene = stage(alpha="tools")

    answer = client(scene).chat.completions.parse(
        model="default", messages=HELLO, tools=[openai.pydantic_function_tool(GetWeather)]
    )

    assert answer.choices[0].message.tool_calls[0].function.parsed_arguments == GetWeather(city="Paris")


# JSON


@pytest.mark.parametrize("kind", KINDS)
def test_answers_by_a_schema(stage, kind):
    scene = stage(alpha="json", kinds={"alpha": kind})
    schema = {"name": "city", "strict": True, "schema": {**City.model_json_schema(), "additionalProperties": False}}

    answer = client(scene).chat.completions.create(
        model="default", messages=HELLO, response_format={"type": "json_schema", "json_schema": schema}
    )

    assert City.model_validate_json(answer.choices[0].message.content) == City(city="Paris", population=2102650)
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("kind", KINDS)
def test_reads_an_answer_into_a_model(stage, kind):
    scene = stage(alpha="json", kinds={"alpha": kind})

    answer = client(scene).chat.completions.parse(model="default", messages=HELLO, response_format=City)

    assert answer.choices[0].message.parsed == City(city="Paris", population=2102650)


@pytest.mark.parametrize("kind", KINDS)
def test_reads_a_stream_into_a_model(stage, kind):
    scene = stage(alpha="json", kinds={"alpha": kind})

    with client(scene).chat.completions.stream(model="default", messages=HELLO, response_format=City) as stream:
        final = stream.get_final_completion()

    assert final.choices[0].message.parsed == City(city="Paris", population=2102650)


# Embeddings and models


def test_embeds_texts(stage):
    scene = stage(alpha="answer", lines={"alpha": EMBEDDER})

    answer = client(scene).embeddings.create(model="embedder", input=["one", "two"])

    assert [each.embedding for each in answer.data] == [[0.0, 0.5, -0.25], [1.0, 0.5, -0.25]]
    assert answer.usage.total_tokens > 0


def test_embeds_as_numbers(stage):
    scene = stage(alpha="answer", lines={"alpha": EMBEDDER})

    answer = client(scene).embeddings.create(model="embedder", input="one", encoding_format="float")

    assert [each.embedding for each in answer.data] == [[0.0, 0.5, -0.25]]


@pytest.mark.parametrize("fault", ["500", "429:60", "reset"])
def test_embeds_with_the_next_provider_of_the_same_model(stage, fault):
    scene = stage(alpha=fault, beta="answer", gamma="answer", lines=dict.fromkeys(["alpha", "beta"], EMBEDDER))

    reply = client(scene).embeddings.with_raw_response.create(model="embedder", input="one")

    assert reply.parse().data[0].embedding == [0.0, 0.5, -0.25]
    assert reply.headers["x-backstop-provider"] == "beta"
    assert scene.counts() == {"alpha": 1, "beta": 1, "gamma": 0}


def test_never_embeds_with_another_model(stage):
    scene = stage(alpha="500", beta="answer", lines={"alpha": EMBEDDER})

    with pytest.raises(openai.InternalServerError):
        client(scene).embeddings.create(model="embedder", input="one")

    assert scene.counts()["beta"] == 0


def test_lists_models(stage):
    scene = stage(alpha="answer", beta="answer")

    listed = client(scene).models.list()

    assert [model.id for model in listed] == ["default", "alpha/alpha-model", "beta/beta-model"]
    assert {model.object for model in listed.data} == {"model"}


# Failing over


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_does_not_notice_that_a_provider_fails(stage, fault, streams):
    scene = stage(alpha=fault, beta="answer")

    reply = client(scene).chat.completions.with_raw_response.create(model="default", messages=HELLO, stream=streams)

    answer = reply.parse()
    assert (text_of(answer) if streams else answer.choices[0].message.content) == TEXT
    assert scene.counts() == {"alpha": 1, "beta": 1}
    assert reply.headers["x-backstop-provider"] == "beta"
    assert reply.headers["x-backstop-attempts"] == "2"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", BREAKS)
def test_does_not_notice_that_a_stream_breaks(stage, fault, kind):
    scene = stage(alpha=fault, beta="answer", kinds={"beta": kind})

    chunks = list(client(scene).chat.completions.create(model="default", messages=HELLO, stream=True))

    assert text_of(chunks) == TEXT
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert scene.counts() == {"alpha": 1, "beta": 1}


def test_calls_a_tool_although_the_first_provider_failed(stage):
    scene = stage(alpha="500", beta="tools", kinds={"beta": "anthropic"})

    answer = client(scene).chat.completions.create(model="default", messages=HELLO, tools=[WEATHER])

    assert answer.choices[0].message.tool_calls[0].function.name == "get_weather"


# Errors


@pytest.mark.parametrize("fault", BREAKS)
def test_raises_where_a_broken_stream_cannot_go_on(stage, fault):
    scene = stage(alpha=fault)
    heard = []

    with pytest.raises(openai.APIError) as raised:
        for chunk in client(scene).chat.completions.create(model="default", messages=HELLO, stream=True):
            heard.append(chunk)

    assert text_of(heard).strip() == tokens(3)
    assert not isinstance(raised.value, openai.APIConnectionError)
    assert "alpha" in raised.value.message
    assert raised.value.code


def test_raises_in_the_streaming_helper_too(stage):
    scene = stage(alpha="cut:3")

    with pytest.raises(openai.APIError):
        with client(scene).chat.completions.stream(model="default", messages=HELLO) as stream:
            stream.until_done()


def test_raises_where_two_answers_do_not_fit_together(stage):
    scene = stage(alpha="cut:3", beta="answer:Something else altogether.")

    with pytest.raises(openai.APIError):
        list(client(scene).chat.completions.create(model="default", messages=HELLO, stream=True))


def test_raises_in_an_asynchronous_stream_too(stage):
    scene = stage(alpha="cut:3")

    async def ask():
        async with openai.AsyncOpenAI(base_url=scene.openai, api_key="unused", max_retries=0) as asker:
            stream = await asker.chat.completions.create(model="default", messages=HELLO, stream=True)
            return [chunk async for chunk in stream]

    with pytest.raises(openai.APIError):
        asyncio.run(ask())


def test_knows_no_such_model(stage):
    scene = stage(alpha="answer")

    with pytest.raises(openai.NotFoundError) as raised:
        client(scene).chat.completions.create(model="no-such-model", messages=HELLO)

    assert "no-such-model" in raised.value.message
    assert scene.counts() == {"alpha": 0}


def test_knows_no_such_path(stage):
    scene = stage(alpha="answer")

    with pytest.raises(openai.NotFoundError):
        client(scene).responses.create(model="default", input="hi")


def test_has_the_providers_own_words_for_a_bad_request(stage):
    scene = stage(alpha="400:temperature must be at most 2", beta="answer")

    with pytest.raises(openai.BadRequestError) as raised:
        client(scene).chat.completions.create(model="default", messages=HELLO, temperature=3)

    assert "temperature must be at most 2" in raised.value.message
    assert scene.counts() == {"alpha": 1, "beta": 0}


def test_has_the_gateways_own_words_for_a_bad_request(stage):
    scene = stage(alpha="answer")

    with pytest.raises(openai.BadRequestError) as raised:
        client(scene).chat.completions.create(model="default", messages="hi")

    assert (raised.value.param, raised.value.type) == ("messages", "invalid_request_error")
    assert scene.counts() == {"alpha": 0}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_lists_every_attempt_where_everyone_failed(stage, streams):
    scene = stage(alpha="500", beta="reset")

    with pytest.raises(openai.InternalServerError) as raised:
        client(scene).chat.completions.create(model="default", messages=HELLO, stream=streams)

    error = raised.value
    assert (error.status_code, error.code) == (502, "all_providers_failed")
    assert [each["provider"] for each in error.body["attempts"]] == ["alpha", "beta"]
    assert error.response.headers["x-backstop-attempts"] == "2"


def test_says_when_to_come_again_where_everyone_is_rate_limited(stage):
    scene = stage(alpha="429:30", beta="429:40")

    with pytest.raises(openai.InternalServerError) as raised:
        client(scene).chat.completions.create(model="default", messages=HELLO)

    assert raised.value.status_code == 503
    assert 25 <= int(raised.value.response.headers["retry-after"]) <= 30


def test_says_that_time_ran_out(stage):
    scene = stage(alpha="silence", patient=True, route='deadline = "300ms"')

    with pytest.raises(openai.InternalServerError) as raised:
        client(scene).chat.completions.create(model="default", messages=HELLO)

    assert (raised.value.status_code, raised.value.code) == (504, "deadline_exceeded")


def test_says_that_the_budget_is_spent(stage):
    price = 'price = { input_per_mtok = "1000", output_per_mtok = "1000" }'
    scene = stage(alpha="answer", lines={"alpha": price}, settings='[budget]\nper_request_usd = "0.000001"')

    with pytest.raises(openai.APIStatusError) as raised:
        client(scene).chat.completions.create(model="default", messages=HELLO)

    assert raised.value.status_code == 402
    assert raised.value.type
    assert scene.counts() == {"alpha": 0}


# Time and repetition


def test_leaves_the_provider_when_its_own_time_is_over(stage):
    scene = stage(alpha="silence", patient=True)

    with pytest.raises(openai.APITimeoutError):
        client(scene, timeout=0.5).chat.completions.create(model="default", messages=HELLO)

    assert scene.counts() == {"alpha": 1}


def test_leaves_the_provider_when_it_has_heard_enough(stage):
    scene = stage(alpha="paced:100")

    stream = client(scene).chat.completions.create(model="default", messages=HELLO, stream=True)
    next(iter(stream))
    stream.close()

    scene.until(lambda: scene.disconnects("alpha") == 1)


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_does_not_repeat_what_the_gateway_has_tried_everywhere(stage, streams):
    scene = stage(alpha="500", beta="503")
    asker = openai.OpenAI(base_url=scene.openai, api_key="unused")

    with pytest.raises(openai.InternalServerError):
        asker.chat.completions.create(model="default", messages=HELLO, stream=streams)

    assert asker.max_retries > 0
    assert scene.counts() == {"alpha": 1, "beta": 1}


def test_waits_out_a_short_rate_limit_in_one_request(stage):
    scene = stage(alpha=["429:1", "answer"])

    reply = client(scene).chat.completions.with_raw_response.create(model="default", messages=HELLO)

    assert reply.parse().choices[0].message.content == TEXT
    assert reply.headers["x-backstop-attempts"] == "2"
    assert scene.counts() == {"alpha": 2}


# Headers


def test_says_how_an_answer_came_about(stage):
    price = 'price = { input_per_mtok = "1", output_per_mtok = "2" }'
    scene = stage(alpha="500", beta="answer", lines={"beta": price})

    headers = client(scene).chat.completions.with_raw_response.create(model="default", messages=HELLO).headers

    assert headers["x-backstop-request-id"].startswith("bs-")
    assert headers["x-backstop-provider"] == "beta"
    assert headers["x-backstop-model"] == "beta-model"
    assert headers["x-backstop-attempts"] == "2"
    assert headers["x-backstop-strategy"] == "smart"
    assert 0 < float(headers["x-backstop-cost-usd"]) < 0.01


def test_takes_an_idempotency_key(stage):
    scene = stage(alpha="answer")

    answer = client(scene).chat.completions.create(
        model="default", messages=HELLO, extra_headers={"Idempotency-Key": "order-66"}
    )

    assert answer.choices[0].message.content == TEXT
    assert "idempotency-key" not in scene.calls("alpha")[0]["headers"]


def test_takes_wishes_in_headers_and_in_the_body(stage):
    scene = stage(alpha="answer:from alpha", beta="answer:from beta")
    asker = client(scene)

    by_header = asker.chat.completions.create(
        model="default", messages=HELLO, extra_headers={"x-backstop-provider": "beta"}
    )
    by_body = asker.chat.completions.create(
        model="default", messages=HELLO, extra_body={"backstop": {"provider": "beta", "context": "a test"}}
    )

    assert by_header.choices[0].message.content == "from beta"
    assert by_body.choices[0].message.content == "from beta"
    assert "backstop" not in scene.calls("beta")[1]["body"]


def test_answers_with_the_callers_own_text_and_says_so(stage):
    scene = stage(alpha="500")

    reply = client(scene).chat.completions.with_raw_response.create(
        model="default", messages=HELLO, extra_body={"backstop": {"fallback_text": "Please come again later."}}
    )

    assert reply.parse().choices[0].message.content == "Please come again later."
    assert reply.headers["x-backstop-degraded"] == "true"


def test_gives_a_provider_its_own_key_and_nothing_of_the_clients(stage):
    scene = stage(alpha="answer")
    asker = client(scene, api_key="sk-of-the-client", organization="org-of-the-client", project="proj-of-the-client")

    asker.chat.completions.create(model="default", messages=HELLO)

    headers = scene.calls("alpha")[0]["headers"]
    assert headers["authorization"].startswith("Bearer sk-alpha-")
    assert not [value for value in headers.values() if "of-the-client" in value]
    assert not [name for name in headers if name.startswith("x-stainless")]
