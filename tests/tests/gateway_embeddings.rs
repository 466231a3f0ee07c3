//! Embeddings through the gateway, as its clients see it: one model, whoever has it, and never another.

#![cfg(unix)]

use std::time::Duration;

use backstop::scripted::{Answer, Reply, Script};
use backstop_tests::{HttpReply, Served, Stage, exchange, post};
use serde_json::{Value, json};

/// A request as bytes.
fn to_embeddings(body: &Value) -> Vec<u8> {
    let post = String::from_utf8(post(&body.to_string(), &[])).unwrap();
    post.replacen("/v1/chat/completions", "/v1/embeddings", 1).into_bytes()
}

async fn embed(gateway: &Served, body: &Value) -> HttpReply {
    gateway.send(&to_embeddings(body)).await
}

fn hello() -> Value {
    json!({"model": "embed-2", "input": ["one", "two"], "encoding_format": "float", "dimensions": 3, "user": "u"})
}

/// `alpha` and `gamma` have the same model under two ids, and `beta`, between them, has another.
async fn three(alpha: impl Into<Script>, gamma: impl Into<Script>) -> Stage {
    let beta = Script::always(Answer::new("another model's"));
    Stage::new([("alpha", alpha.into()), ("beta", beta), ("gamma", gamma.into())])
        .await
        .with_provider_settings("alpha", r#"embedding_models = [{ id = "embed-2", price = { input_per_mtok = "1" } }]"#)
        .with_provider_settings("beta", r#"embedding_models = ["embed-1"]"#)
        .with_provider_settings("gamma", r#"embedding_models = [{ id = "g/embed-2", same_as = "embed-2" }]"#)
}

fn vectors() -> Script {
    Script::always(Answer::new("vectors").usage(12, 0))
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_a_reply_on_byte_for_byte() {
    let stage = three(vectors(), vectors()).await;
    let gateway = Served::start(&stage).await;

    let reply = embed(&gateway, &hello()).await;

    let address = stage.provider("alpha").base_url().socket_addrs(|| None).unwrap()[0];
    let own = exchange(address, &to_embeddings(&hello())).await;
    assert_eq!((reply.status, reply.text()), (200, own.text()));
    assert_eq!(reply.json()["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    insta::assert_snapshot!(reply.origin(), @"
    x-backstop-attempts: 1
    x-backstop-provider: alpha
    x-backstop-model: embed-2
    x-backstop-strategy: smart
    x-backstop-cost-usd: 0.000012
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_to_the_same_model_elsewhere_and_asks_it_the_same() {
    for failing in [Reply::server_error(), Reply::rate_limited(Duration::from_secs(20)), Reply::unauthorized()] {
        let stage = three(Script::always(failing), vectors()).await;
        let gateway = Served::start(&stage).await;

        let reply = embed(&gateway, &hello()).await;

        assert_eq!((reply.status, reply.header("x-backstop-provider")), (200, Some("gamma")), "{}", reply.text());
        assert_eq!(reply.header("x-backstop-model"), Some("g/embed-2"));
        assert_eq!(stage.attempts()[1], 0, "beta has another model");
        let call = stage.provider("gamma").last_call().unwrap();
        let sent = r#"{"model":"g/embed-2","input":["one","two"],"encoding_format":"float","dimensions":3,"user":"u"}"#;
        assert_eq!((call.path.as_str(), &*call.raw), ("/v1/embeddings", sent.as_bytes()));
        assert_eq!(call.bearer_key(), Some(&*Stage::key("gamma")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fails_rather_than_mix_the_vectors_of_two_models() {
    let stage = three(Script::always(Reply::unauthorized()), Script::always(Reply::model_not_found("g/embed-2"))).await;
    let gateway = Served::start(&stage).await;

    let reply = embed(&gateway, &hello()).await;

    let error = &reply.json()["error"];
    assert_eq!((reply.status, &error["code"]), (502, &json!("all_providers_failed")));
    let tried: Vec<_> =
        error["attempts"].as_array().unwrap().iter().map(|attempt| attempt["provider"].as_str().unwrap()).collect();
    assert_eq!((tried, stage.attempts()), (vec!["alpha", "gamma"], vec![1, 0, 1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_a_target_alone_that_asked_for_it() {
    let stage = three(Script::always(Reply::rate_limited(Duration::from_secs(60))), vectors()).await;
    let gateway = Served::start(&stage).await;

    for _ in 0..3 {
        assert_eq!(embed(&gateway, &hello()).await.status, 200);
    }

    assert_eq!(stage.attempts(), [1, 0, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_no_success_for_one_that_is_not_the_vectors_asked_for() {
    let one_for_two = json!({"object": "list", "data": [{"index": 0, "embedding": [0.5]}], "model": "embed-2"});
    for malformed in [
        Reply::json(200, &json!({"object": "list", "data": []})),
        Reply::json(200, &one_for_two),
        Reply::raw(200, "text/html", "<html>Sign in</html>"),
        Reply::json(200, &json!({"error": {"message": "Upstream broke", "code": 502}})),
    ] {
        let stage = three(Script::always(malformed), vectors()).await;
        let gateway = Served::start(&stage).await;

        let reply = embed(&gateway, &hello()).await;

        assert_eq!((reply.status, reply.header("x-backstop-provider")), (200, Some("gamma")), "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_the_target_named_first_and_the_others_after_it() {
    let stage = three(vectors(), Script::new().then(Answer::new("first")).then(Reply::unauthorized()).forever()).await;
    let gateway = Served::start(&stage).await;
    let mut body = hello();

    let mut served_by = Vec::new();
    for model in ["gamma/g/embed-2", "g/embed-2", "alpha/embed-2"] {
        body["model"] = json!(model);
        served_by.push(embed(&gateway, &body).await.header("x-backstop-provider").unwrap_or_default().to_owned());
    }

    assert_eq!((served_by, stage.attempts()), (["gamma", "alpha", "alpha"].map(str::to_owned).to_vec(), vec![2, 0, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_to_the_provider_a_client_insists_on() {
    let stage = three(vectors(), vectors()).await;
    let gateway = Served::start(&stage).await;
    let mut body = hello();

    body["backstop"] = json!({"provider": "gamma", "context": "search"});
    let gamma = embed(&gateway, &body).await;
    body["backstop"] = json!({"provider": "beta"});
    let beta = embed(&gateway, &body).await;

    assert_eq!((gamma.status, gamma.header("x-backstop-provider")), (200, Some("gamma")));
    assert_eq!((beta.status, stage.attempts()), (404, vec![0, 0, 1]), "{}", beta.text());
    assert!(!String::from_utf8_lossy(&stage.provider("gamma").last_call().unwrap().raw).contains("backstop"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_to_the_operators_limits() {
    let stage = three(vectors(), vectors()).await.with_settings("[providers.alpha.limits]\nrpm = 1");
    let gateway = Served::start(&stage).await;

    for _ in 0..3 {
        assert_eq!(embed(&gateway, &hello()).await.status, 200);
    }

    assert_eq!(stage.attempts(), [1, 0, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_to_the_budget_and_leaves_out_what_has_no_price() {
    let stage = three(vectors(), vectors()).await.with_settings("[budget]\nper_request_usd = \"0.00001\"");
    let gateway = Served::start(&stage).await;

    let reply = embed(&gateway, &hello()).await;

    insta::assert_snapshot!(reply.json()["error"]["message"].as_str().unwrap(), @"the request does not fit the budget: the per-request budget of $0.00001 has $0.00001 left and the request may cost $0.000022");
    assert_eq!((reply.status, stage.attempts()), (402, vec![0, 0, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn says_that_an_embedding_model_is_unknown() {
    let stage = three(vectors(), vectors()).await;
    let gateway = Served::start(&stage).await;
    let mut body = hello();

    let mut said = Vec::new();
    for model in ["embd-2", "alpha-model", "default", "zzz"] {
        body["model"] = json!(model);
        let reply = embed(&gateway, &body).await;
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &json!("model_not_found")));
        said.push(reply.json()["error"]["message"].as_str().unwrap().to_owned());
    }

    insta::assert_snapshot!(said.join("\n"), @r#"
    no embedding model is called "embd-2"; did you mean "embed-2"?
    no embedding model is called "alpha-model"; did you mean "alpha/embed-2"?
    no embedding model is called "default"; they are named in providers.NAME.embedding_models
    no embedding model is called "zzz"; they are named in providers.NAME.embedding_models
    "#);
    assert_eq!(stage.attempts(), [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_with_no_embedding_model() {
    let stage = three(vectors(), vectors()).await;
    let gateway = Served::start(&stage).await;
    let chat = |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});

    let named = gateway.chat(&chat("embed-2")).await;
    let default = gateway.chat(&chat("default")).await;

    assert_eq!((named.status, &named.json()["error"]["code"]), (404, &json!("model_not_found")), "{}", named.text());
    assert_eq!((default.status, default.header("x-backstop-model")), (200, Some("alpha-model")));
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_is_no_request_for_embeddings() {
    let stage = three(vectors(), vectors()).await;
    let gateway = Served::start(&stage).await;

    for (body, param) in [
        (json!({"model": "embed-2"}), "input"),
        (json!({"model": "embed-2", "input": ""}), "input"),
        (json!({"model": "embed-2", "input": []}), "input"),
        (json!({"model": "embed-2", "input": [["a"]]}), "input"),
        (json!({"input": "hi"}), "model"),
        (json!({"model": "embed-2", "input": "hi", "backstop": {"fallback_text": "later"}}), "fallback_text"),
    ] {
        let reply = embed(&gateway, &body).await;
        assert_eq!((reply.status, &reply.json()["error"]["param"]), (400, &json!(param)), "{body}: {}", reply.text());
    }
    let unsound = to_embeddings(&json!("BODY"));
    let unsound =
        String::from_utf8(unsound).unwrap().replace(r#""BODY""#, r#"{"a":"#).replace("length: 6", "length: 5");
    assert_eq!(gateway.send(unsound.as_bytes()).await.status, 400);
    assert_eq!(gateway.get("/v1/embeddings").await.status, 405);
    assert_eq!(stage.attempts(), [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_embedding_models_after_the_others() {
    let gateway = Served::start(&three(vectors(), vectors()).await).await;

    let models = gateway.get("/v1/models").await.json();

    let ids: Vec<_> = models["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "default",
            "alpha/alpha-model",
            "beta/beta-model",
            "gamma/gamma-model",
            "embed-2",
            "alpha/embed-2",
            "gamma/g/embed-2",
            "embed-1",
            "beta/embed-1"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_gemini_and_ollama_at_their_address_of_openais_shape() {
    let stage = Stage::new([("gemini", Script::always(Reply::server_error())), ("ollama", vectors())])
        .await
        .with_kind("gemini", "gemini")
        .with_kind("ollama", "ollama")
        .with_provider_settings("gemini", r#"embedding_models = ["embed-2"]"#)
        .with_provider_settings("ollama", r#"embedding_models = ["embed-2"]"#)
        .with_route("options = { retries = 0 }\ntargets = [\"gemini\", \"ollama\"]");
    let gateway = Served::start(&stage).await;

    let mut body = hello();
    body["model"] = json!("gemini/embed-2");
    let reply = embed(&gateway, &body).await;

    assert_eq!((reply.status, reply.header("x-backstop-provider")), (200, Some("ollama")), "{}", reply.text());
    let asked = ["gemini", "ollama"].map(|name| stage.provider(name).last_call().unwrap());
    assert_eq!(asked.each_ref().map(|call| call.path.as_str()), ["/v1beta/openai/embeddings", "/v1/embeddings"]);
    assert_eq!(asked[0].bearer_key(), Some(&*Stage::key("gemini")));
}
