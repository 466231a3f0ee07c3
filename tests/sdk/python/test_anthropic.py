"""The official `anthropic` library through the gateway, in front of providers of every protocol."""

import asyncio

import anthropic
import pytest
from pydantic import BaseModel

from conftest import BREAKS, FAULTS, KINDS
from stage import TEXT, tokens

HELLO = [{"role": "user", "content": "Where is Paris?"}]

WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

ASKED = {"model": "default", "max_tokens": 200, "messages": HELLO}


class City(BaseModel):
    city: str
    population: int


def client(stage, **more):
    return anthropic.Anthropic(
        base_url=stage.gateway, api_key=more.pop("api_key", "unused"), **{"max_retries": 0, **more}
    )


def text_of(events):
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    return "".join(delta.text for delta in deltas if delta.type == "text_delta")


# Messages


@pytest.mark.parametrize("kind", KINDS)
def test_answers_whole(stage, kind):
    scene = stage(alpha="answer", kinds={"alpha": kind})

    message = client(scene).messages.create(**ASKED)

    assert [(block.type, block.text) for block in message.content] == [("text", TEXT)]
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert message.usage.output_tokens > 0


@pytest.mark.parametrize("kind", KINDS)
def test_answers_in_a_stream(stage, kind):
    scene = stage(alpha="answer", kinds={"alpha": kind})

    events = list(client(scene).messages.create(**ASKED, stream=True))

    kinds = [event.type for event in events]
    assert text_of(events) == TEXT
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert events[-2].delta.stop_reason == "end_turn"
    assert events[-2].usage.output_tokens > 0


@pytest.mark.parametrize("kind", KINDS)
def test_gathers_a_stream_with_the_librarys_own_helper(stage, kind):
    scene = stage(alpha="answer", kinds={"alpha": kind})

    with client(scene).messages.stream(**ASKED) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()

    assert "".join(pieces) == TEXT and len(pieces) > 5
    assert final.content[0].text == TEXT


def test_answers_many_at_once(stage):
    scene = stage(alpha="paced:5")

    async def one(asker):
        async with asker.messages.stream(**ASKED) as stream:
            return await stream.get_final_text()

    async def all_of_them():
        async with anthropic.AsyncAnthropic(base_url=scene.gateway, api_key="unused", max_retries=0) as asker:
            return await asyncio.gather(*[one(asker) for _ in range(20)])

    assert asyncio.run(all_of_them()) == [TEXT] * 20


def test_has_a_providers_own_system_prompt(stage):
    scene = stage(alpha="answer", beta="answer", kinds={"beta": "anthropic"})
    asker = client(scene)

    asker.messages.create(**ASKED, system="Be brief.")
    asker.messages.create(**ASKED, system="Be brief.", extra_headers={"x-backstop-provider": "beta"})

    assert scene.calls("alpha")[0]["body"]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert "Be brief." in str(scene.calls("beta")[0]["body"]["system"])


# Tools


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_has_a_tool_called_and_told_about(stage, kind, streams):
    scene = stage(alpha="tools", kinds={"alpha": kind})
    asker, messages = client(scene), list(HELLO)

    def ask():
        asked = {**ASKED, "messages": messages, "tools": [WEATHER]}
        if not streams:
            return asker.messages.create(**asked)
        with asker.messages.stream(**asked) as stream:
            return stream.get_final_message()

    first = ask()
    [call] = [block for block in first.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"}
    messages.append({"role": "assistant", "content": first.content})
    messages.append({"role": "user", "content": [result]})
    second = ask()

    assert first.stop_reason == "tool_use"
    assert (call.name, call.input) == ("get_weather", {"city": "Paris"})
    assert "18 degrees" in second.content[0].text
    assert second.stop_reason == "end_turn"


def test_insists_on_a_tool(stage):
    scene = stage(alpha="json", beta="json", kinds={"beta": "anthropic"})
    asker = client(scene)
    choice = {"type": "tool", "name": "get_weather"}

    for provider in ["alpha", "beta"]:
        message = asker.messages.create(
            **ASKED, tools=[WEATHER], tool_choice=choice, extra_headers={"x-backstop-provider": provider}
        )
        assert [block.input["city"] for block in message.content if block.type == "tool_use"] == ["Paris"]


# JSON


@pytest.mark.parametrize("kind", KINDS)
def test_reads_an_answer_into_a_model(stage, kind):
    scene = stage(alpha="json", kinds={"alpha": kind})

    message = client(scene).messages.parse(**ASKED, output_format=City)

    assert message.parsed_output == City(city="Paris", population=2102650)


def test_reads_a_stream_into_a_model(stage):
    scene = stage(alpha="json")

    with client(scene).messages.stream(**ASKED, output_format=City) as stream:
        final = stream.get_final_message()

    assert final.parsed_output == City(city="Paris", population=2102650)


# Models


def test_lists_models(stage):
    scene = stage(alpha="answer", beta="answer", kinds={"beta": "anthropic"})

    listed = client(scene).models.list()

    assert [model.id for model in listed] == ["default", "alpha/alpha-model", "beta/beta-model"]


# Failing over


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_does_not_notice_that_a_provider_fails(stage, fault, streams):
    scene = stage(alpha=fault, beta="answer", kinds={"beta": "anthropic"})

    reply = client(scene).messages.with_raw_response.create(**ASKED, stream=streams)

    answer = reply.parse()
    assert (text_of(answer) if streams else answer.content[0].text) == TEXT
    assert scene.counts() == {"alpha": 1, "beta": 1}
    assert reply.headers["x-backstop-provider"] == "beta"
    assert reply.headers["x-backstop-attempts"] == "2"


@pytest.mark.parametrize("first", ["openai", "anthropic"])
@pytest.mark.parametrize("second", ["openai", "anthropic"])
@pytest.mark.parametrize("fault", BREAKS)
def test_does_not_notice_that_a_stream_breaks(stage, fault, first, second):
    scene = stage(alpha=fault, beta="answer", kinds={"alpha": first, "beta": second})

    with client(scene).messages.stream(**ASKED) as stream:
        final = stream.get_final_message()

    assert [block.text for block in final.content] == [TEXT]
    assert final.stop_reason == "end_turn"
    assert scene.counts() == {"alpha": 1, "beta": 1}


# Errors


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", BREAKS)
def test_raises_where_a_broken_stream_cannot_go_on(stage, fault, kind):
    scene = stage(alpha=fault, kinds={"alpha": kind})
    heard = []

    with pytest.raises(anthropic.APIStatusError) as raised:
        for event in client(scene).messages.create(**ASKED, stream=True):
            heard.append(event)

    assert text_of(heard).strip() == tokens(3)
    assert "message_stop" not in [event.type for event in heard]
    assert raised.value.type == raised.value.body["error"]["type"]
    assert raised.value.type


def test_raises_in_the_streaming_helper_too(stage):
    scene = stage(alpha="cut:3")

    with pytest.raises(anthropic.APIError):
        with client(scene).messages.stream(**ASKED) as stream:
            stream.get_final_message()


def test_raises_in_an_asynchronous_stream_too(stage):
    scene = stage(alpha="cut:3")

    async def ask():
        async with anthropic.AsyncAnthropic(base_url=scene.gateway, api_key="unused", max_retries=0) as asker:
            async with asker.messages.stream(**ASKED) as stream:
                await stream.get_final_message()

    with pytest.raises(anthropic.APIError):
        asyncio.run(ask())


def test_knows_no_such_model(stage):
    scene = stage(alpha="answer")

    with pytest.raises(anthropic.NotFoundError) as raised:
        client(scene).messages.create(**{**ASKED, "model": "no-such-model"})

    assert raised.value.type == "not_found_error"
    assert "no-such-model" in raised.value.body["error"]["message"]
    assert scene.counts() == {"alpha": 0}


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_has_the_providers_own_words_for_a_bad_request(stage, kind):
    scene = stage(alpha="400:temperature must be at most 1", beta="answer", kinds={"alpha": kind})

    with pytest.raises(anthropic.BadRequestError) as raised:
        client(scene).messages.create(**ASKED, extra_body={"temperature": 3})

    assert "temperature must be at most 1" in raised.value.body["error"]["message"]
    assert raised.value.type == "invalid_request_error"
    assert scene.counts() == {"alpha": 1, "beta": 0}


def test_has_the_gateways_own_words_for_a_bad_request(stage):
    scene = stage(alpha="answer")

    with pytest.raises(anthropic.BadRequestError) as raised:
        client(scene).messages.create(**{**ASKED, "messages": "hi"})

    assert raised.value.type == "invalid_request_error"
    assert scene.counts() == {"alpha": 0}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_says_that_everyone_failed(stage, streams):
    scene = stage(alpha="500", beta="reset", kinds={"alpha": "anthropic"})

    with pytest.raises(anthropic.InternalServerError) as raised:
        client(scene).messages.create(**ASKED, stream=streams)

    assert raised.value.body["type"] == "error"
    assert raised.value.type
    assert "alpha" in raised.value.body["error"]["message"]
    assert raised.value.response.headers["x-backstop-attempts"] == "2"


def test_says_when_to_come_again_where_everyone_is_rate_limited(stage):
    scene = stage(alpha="429:30", beta="429:40", kinds={"alpha": "anthropic"})

    with pytest.raises(anthropic.APIStatusError) as raised:
        client(scene).messages.create(**ASKED)

    assert raised.value.status_code in (429, 503, 529)
    assert 25 <= int(raised.value.response.headers["retry-after"]) <= 30


def test_says_that_time_ran_out(stage):
    scene = stage(alpha="silence", patient=True, route='deadline = "300ms"')

    with pytest.raises(anthropic.InternalServerError) as raised:
        client(scene).messages.create(**ASKED)

    assert raised.value.status_code == 504


def test_says_that_the_budget_is_spent(stage):
    price = 'price = { input_per_mtok = "1000", output_per_mtok = "1000" }'
    scene = stage(alpha="answer", lines={"alpha": price}, settings='[budget]\nper_request_usd = "0.000001"')

    with pytest.raises(anthropic.APIStatusError) as raised:
        client(scene).messages.create(**ASKED)

    assert raised.value.status_code == 402
    assert scene.counts() == {"alpha": 0}


# Time and repetition


def test_leaves_the_provider_when_its_own_time_is_over(stage):
    scene = stage(alpha="silence", patient=True)

    with pytest.raises(anthropic.APITimeoutError):
        client(scene, timeout=0.5).messages.create(**ASKED)

    assert scene.counts() == {"alpha": 1}
    scene.until(lambda: scene.disconnects("alpha") == 1)


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_does_not_repeat_what_the_gateway_has_tried_everywhere(stage, streams):
    scene = stage(alpha="500", beta="503", kinds={"alpha": "anthropic"})
    asker = anthropic.Anthropic(base_url=scene.gateway, api_key="unused")

    with pytest.raises(anthropic.InternalServerError):
        asker.messages.create(**ASKED, stream=streams)

    assert asker.max_retries > 0
    assert scene.counts() == {"alpha": 1, "beta": 1}


# Headers


def test_says_how_an_answer_came_about(stage):
    scene = stage(alpha="500", beta="answer")

    headers = client(scene).messages.with_raw_response.create(**ASKED).headers

    assert headers["x-backstop-request-id"].startswith("bs-")
    assert headers["x-backstop-provider"] == "beta"
    assert headers["x-backstop-model"] == "beta-model"
    assert headers["x-backstop-attempts"] == "2"
    assert headers["x-backstop-strategy"] == "smart"


def test_takes_an_idempotency_key(stage):
    scene = stage(alpha="answer")

    message = client(scene).messages.create(**ASKED, extra_headers={"Idempotency-Key": "order-66"})

    assert message.content[0].text == TEXT


def test_gives_a_provider_its_own_key_and_nothing_of_the_clients(stage):
    scene = stage(alpha="answer", kinds={"alpha": "anthropic"})

    client(scene, api_key="sk-of-the-client").messages.create(**ASKED)

    headers = scene.calls("alpha")[0]["headers"]
    assert headers["x-api-key"].startswith("sk-alpha-")
    assert not [value for value in headers.values() if "of-the-client" in value]
    assert not [name for name in headers if name.startswith("x-stainless")]
