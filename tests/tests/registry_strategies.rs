//! Strategies from a real registry: pushed, named, kept, pinned, and refused where they are not what they say (F2, F6).

#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};

use backstop::scripted::{Answer, Script};
use backstop_tests::{CliRun, HttpReply, Registry, Served, Stage, exchange};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const HI: &str = r#"{"messages":[{"role":"user","content":"hi"}]}"#;

/// A password that must be found nowhere.
const PASSWORD: &str = "pw-canary-71c0e5";

/// `ann` with that password, as `htpasswd -B` writes it.
const ANN: &str = "ann:$2b$05$abcdefghijklmnopqrstuuZNmDea.t.ueCj4Dmu.i830SvyYmbAyG\n";

fn prebuilt(guest: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-strategies/prebuilt").join(guest).with_extension("wasm")
}

/// Two providers, of which `quality` asks alpha first and always.
async fn stage(route: &str) -> Stage {
    let scripts = [("alpha", Script::from(Answer::new("a"))), ("beta", Script::from(Answer::new("b")))];
    Stage::new(scripts).await.with_route(route).with_settings("[sandbox]\ncompile_time = \"60s\"")
}

async fn run(stage: &Stage, arguments: &[&str]) -> CliRun {
    stage.backstop(arguments.iter().copied()).run().await
}

/// Publishes a guest of ours; what the command says of it.
async fn push(stage: &Stage, guest: &str, reference: &str) -> Value {
    let file = prebuilt(guest);
    let pushed = run(stage, &["strategy", "push", file.to_str().unwrap(), reference, "--json"]).await;
    assert_eq!(pushed.code, Some(0), "{pushed:#?}");
    pushed.json()
}

async fn strategy(gateway: &Served) -> Value {
    gateway.get("/api/strategies").await.json()["strategies"][0].clone()
}

async fn reload(gateway: &Served) -> HttpReply {
    gateway.send(b"POST /api/reload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").await
}

/// The digest without `sha256:`, as the gateway shows it.
fn digits(digest: &Value) -> &str {
    digest.as_str().unwrap().trim_start_matches("sha256:")
}

fn assert_fails(ran: &CliRun, says: &[&str]) {
    assert!(ran.code.is_some_and(|code| code != 0), "{ran:#?}");
    for says in says {
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
    }
}

/// SHA-256 of bytes, as registries write it.
fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

fn described(kind: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": kind, "digest": sha256(bytes), "size": bytes.len()})
}

/// Puts something into a registry, whatever it is.
async fn put(registry: &Registry, repository: &str, tag: &str, manifest: &Value, blobs: &[&[u8]]) {
    let address = registry.host().parse().unwrap();
    let send = async |method: &str, path: &str, kind: &str, body: &[u8]| {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        exchange(address, &[head.as_bytes(), body].concat()).await
    };
    for blob in blobs {
        let begun = send("POST", &format!("/v2/{repository}/blobs/uploads/"), "text/plain", b"").await;
        let place = begun.header("location").unwrap();
        let (_, path) = place.split_once(&*registry.host()).unwrap();
        let put = send("PUT", &format!("{path}&digest={}", sha256(blob)), "application/octet-stream", blob).await;
        assert_eq!(put.status, 201, "{}", put.text());
    }
    let kind = manifest["mediaType"].as_str().unwrap();
    let path = format!("/v2/{repository}/manifests/{tag}");
    let put = send("PUT", &path, kind, manifest.to_string().as_bytes()).await;
    assert_eq!(put.status, 201, "{}", put.text());
}

/// Writes what `docker login` writes into the stage's home.
fn log_in(stage: &Stage, registry: &Registry, auth: &str) {
    let folder = stage.home().join(".docker");
    fs::create_dir_all(&folder).unwrap();
    let config = json!({"auths": {registry.host(): {"auth": auth}}});
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

// F2, F6
#[tokio::test(flavor = "multi_thread")]
async fn lets_a_pushed_component_decide_by_its_tag_and_by_its_digest() {
    let registry = Registry::start();
    let stage = stage("strategy = \"smart\"").await;
    let stage =
        stage.with_settings("[sandbox]\ncompile_time = \"60s\"\n[recording]\nenabled = true\nfolder = \"decisions\"");
    let reference = registry.reference("acme/mine:1.2");

    let pushed = push(&stage, "quality", &reference).await;
    let lasting = pushed["lasting"].as_str().unwrap();
    let by_tag = run(&stage, &["ask", "hi", "--strategy", &reference, "--json"]).await;
    let by_digest = run(&stage, &["ask", "hi", "--strategy", lasting]).await;
    let inspected = run(&stage, &["strategy", "inspect", &reference, "--json"]).await;
    let checked = run(&stage, &["strategy", "check", lasting]).await;
    fs::write(stage.home().join("calm.toml"), "duration = \"1m\"\n[providers.a]\n[[traffic]]\nrate = 1\n").unwrap();
    let simulated = run(&stage, &["simulate", "calm.toml", "--strategy", &reference, "--json"]).await;
    let gateway = Served::start(&stage).await;
    gateway.chat(&serde_json::from_str(HI).unwrap()).await;
    gateway.stopped().await;
    let replayed = run(&stage, &["replay", "decisions", "--strategy", &reference, "--json"]).await;

    assert_eq!(
        (by_tag.code, by_digest.code, by_digest.answer()),
        (Some(0), Some(0), "a"),
        "{by_tag:#?} {by_digest:#?}"
    );
    assert_eq!(
        (&inspected.json()["source"], &inspected.json()["description"]["name"]),
        (&json!(reference), &json!("quality"))
    );
    assert_eq!(inspected.json()["digest"], digits(&pushed["digest"]));
    assert_eq!(pushed["digest"], sha256(&fs::read(prebuilt("quality")).unwrap()));
    assert_eq!((checked.code, simulated.code), (Some(0), Some(0)), "{checked:#?} {simulated:#?}");
    assert!(simulated.stdout.contains(&reference), "{}", simulated.stdout);
    assert_eq!(replayed.code, Some(0), "{replayed:#?}");
    assert!(replayed.stdout.contains(&reference), "{}", replayed.stdout);
}

// F6
#[tokio::test(flavor = "multi_thread")]
async fn says_of_a_component_what_it_says_of_itself_in_the_shape_that_other_tools_read() {
    let registry = Registry::start();
    let stage = stage("strategy = \"smart\"").await;
    let reference = registry.reference("acme/mine:1.2");

    let told = run(&stage, &["strategy", "push", prebuilt("quality").to_str().unwrap(), &reference]).await;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let get = format!("GET /v2/acme/mine/manifests/1.2 HTTP/1.1\r\nhost: x\r\naccept: {kind}\r\n\r\n");
    let manifest = exchange(registry.host().parse().unwrap(), get.as_bytes()).await.json();
    let pulled = run(&stage, &["strategy", "pull", &reference]).await;
    let again = run(&stage, &["strategy", "pull", &reference]).await;
    let elsewhere = run(&stage, &["strategy", "pull", &reference, "--output", "other.wasm", "--json"]).await;

    let component = fs::read(prebuilt("quality")).unwrap();
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest["layers"], json!([described("application/wasm", &component)]));
    assert_eq!(manifest["annotations"]["org.opencontainers.image.title"], "quality");
    assert!(manifest["annotations"]["org.opencontainers.image.version"].is_string(), "{manifest:#}");
    let digest = sha256(&component);
    assert!(told.stdout.contains(&format!("digest = {digest:?}")), "{}", told.stdout);
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    assert_eq!(fs::read(stage.home().join("mine.wasm")).unwrap(), component);
    assert_fails(&again, &["mine.wasm is there already: name another file with --output"]);
    assert_eq!(elsewhere.json()["digest"], digest);
    assert_eq!(fs::read(stage.home().join("other.wasm")).unwrap(), component);
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn uses_the_copy_it_kept_while_the_registry_is_away_and_says_so() {
    let mut registry = Registry::start();
    let reference = registry.reference("acme/mine:1.2");
    let stage = stage(&format!("strategy = {reference:?}")).await;
    let pushed = push(&stage, "quality", &reference).await;
    let lasting = pushed["lasting"].as_str().unwrap();
    assert_eq!(run(&stage, &["ask", "hi"]).await.code, Some(0));

    registry.stop();
    let by_tag = run(&stage, &["ask", "hi"]).await;
    let by_digest = run(&stage, &["ask", "hi", "--strategy", lasting]).await;
    let gateway = Served::start(&stage).await;
    let answered = gateway.chat(&serde_json::from_str(HI).unwrap()).await;
    let log = gateway.stopped().await;
    registry.restart();
    let back = run(&stage, &["ask", "hi"]).await;

    assert_eq!((by_tag.code, by_tag.answer()), (Some(0), "a"), "{}", by_tag.stderr);
    let says = format!("the copy that was kept last is used: {} cannot be asked: could not connect", registry.host());
    assert!(by_tag.stderr.contains(&says), "{}", by_tag.stderr);
    assert!(by_tag.stderr.contains(digits(&pushed["digest"])), "{}", by_tag.stderr);
    assert!(answered.status == 200 && log.contains(&says), "{}: {log}", answered.status);
    assert_eq!((by_digest.code, back.code), (Some(0), Some(0)));
    for quiet in [by_digest, back] {
        assert!(!quiet.stderr.contains("copy"), "a digest needs no registry: {}", quiet.stderr);
    }
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn says_what_to_do_where_the_registry_is_away_and_nothing_was_kept() {
    let mut registry = Registry::start();
    let stage = stage(&format!("strategy = {:?}", registry.reference("acme/mine:1.2"))).await;
    push(&stage, "quality", &registry.reference("acme/mine:1.2")).await;

    registry.stop();
    let away = run(&stage, &["ask", "hi"]).await;
    registry.restart();
    let absent = run(&stage, &["ask", "hi", "--strategy", &registry.reference("acme/mine:1.3")]).await;

    let (reference, host) = (registry.reference("acme/mine:1.2"), registry.host());
    assert_fails(
        &away,
        &[&reference, &format!("could not connect to {host}"), "no copy is kept", "backstop strategy pull"],
    );
    assert_fails(&absent, &[&format!("{host} has no acme/mine:1.3 (MANIFEST_UNKNOWN): look whether")]);
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn takes_what_a_tag_leads_to_now_at_a_reload_and_refuses_it_where_another_is_pinned() {
    let registry = Registry::start();
    let reference = registry.reference("acme/mine:latest");
    let stage = stage(&format!("strategy = {reference:?}")).await;
    let first = push(&stage, "quality", &reference).await;
    let gateway = Served::start(&stage).await;
    let before = strategy(&gateway).await;

    let second = push(&stage, "cost", &reference).await;
    let untouched = strategy(&gateway).await;
    let reloaded = reload(&gateway).await;
    let after = strategy(&gateway).await;
    let pinned = run(&stage, &["strategy", "pin"]).await;
    push(&stage, "round-robin", &reference).await;
    let refused = reload(&gateway).await;
    let kept = strategy(&gateway).await;

    assert_eq!(
        (&before["strategy"], before["digest"].as_str().unwrap()),
        (&json!(reference), digits(&first["digest"]))
    );
    assert_eq!(untouched["digest"], before["digest"], "nobody asked");
    assert_eq!((reloaded.status, after["digest"].as_str().unwrap()), (200, digits(&second["digest"])));
    assert_eq!(pinned.code, Some(0), "{}", pinned.stderr);
    let written = fs::read_to_string(stage.config_file()).unwrap();
    assert!(written.contains(&format!("digest = {}", second["digest"])), "{written}");
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("the route is pinned to"), "{}", refused.text());
    assert_eq!(kept["digest"], after["digest"]);
    assert_eq!(gateway.chat(&serde_json::from_str(HI).unwrap()).await.status, 200);
}

// F2, F6
#[tokio::test(flavor = "multi_thread")]
async fn has_one_in_the_shadow_and_promotes_another_with_what_its_reference_was_granted() {
    let registry = Registry::start();
    let (in_shadow, mine) = (registry.reference("acme/shadow:1"), registry.reference("acme/mine:1"));
    let stage = stage(&format!("strategy = \"smart\"\nshadow = {in_shadow:?}")).await;
    push(&stage, "quality", &in_shadow).await;
    push(&stage, "witness", &mine).await;
    let gateway = Served::start(&stage).await;
    let url = format!("http://{}", gateway.address());
    let promote = ["strategy", "promote", &mine, "--gateway", &url, "--json"];

    let shadow = strategy(&gateway).await["shadow"]["strategy"].clone();
    let not_granted = run(&stage, &promote).await;
    drop(gateway);
    let stage = stage.with_settings(&format!(
        "[sandbox]\ncompile_time = \"60s\"\n[sandbox.grants]\n{mine:?} = [\"observe\", \"state\", \"content\", \"log\"]"
    ));
    let gateway = Served::start(&stage).await;
    let url = format!("http://{}", gateway.address());
    let granted = run(&stage, &["strategy", "promote", &mine, "--gateway", &url, "--json"]).await;

    assert_eq!(shadow, in_shadow);
    assert_fails(&not_granted, &[&format!("\"{mine}\" = ["), "[sandbox.grants]"]);
    assert_eq!(granted.json()["strategy"]["strategy"], mine, "{}", granted.stderr);
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_component_that_was_tampered_with() {
    let registry = Registry::start();
    let stage = stage("strategy = \"smart\"").await;
    let reference = registry.reference("acme/mine:1");
    let digest = push(&stage, "quality", &reference).await["digest"].as_str().unwrap().to_owned();
    let mut bytes = fs::read(prebuilt("quality")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;

    fs::write(registry.file_of(&digest), &bytes).unwrap();
    let tampered = run(&stage, &["strategy", "inspect", &reference]).await;
    let pulled = run(&stage, &["strategy", "pull", &reference]).await;

    let says = format!("a component of {} where {digest} was asked for", sha256(&bytes));
    assert_fails(&tampered, &[&says, "tampered with"]);
    assert_fails(&pulled, &[&says]);
    assert!(!stage.home().join("mine.wasm").exists());
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_is_too_large_before_it_is_downloaded() {
    let registry = Registry::start();
    let stage = stage("strategy = \"smart\"").await;
    let mut layer = described("application/wasm", b"tiny");
    layer["size"] = json!(3 << 20);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described("application/vnd.wasm.config.v0+json", b"{}"),
        "layers": [layer],
    });
    put(&registry, "acme/large", "1", &manifest, &[b"{}", b"tiny"]).await;

    let refused = run(&stage, &["strategy", "inspect", &registry.reference("acme/large:1")]).await;

    assert_fails(&refused, &["has 3145728 bytes, and may have 2097152", "sandbox.module_mib"]);
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_there_where_that_is_no_component() {
    let registry = Registry::start();
    let stage = stage("strategy = \"smart\"").await;
    let (image, tar) = ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip");
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let of = |config: &str, layer: &str| {
        let (config, layer) = (described(config, b"{}"), described(layer, b"tiny"));
        json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]})
    };
    put(&registry, "acme/image", "1", &of(image, tar), &[b"{}", b"tiny"]).await;
    let older = of("application/vnd.wasm.config.v1+json", "application/vnd.wasm.content.layer.v1+wasm");
    put(&registry, "acme/older", "1", &older, &[b"{}", b"tiny"]).await;

    let image_there = run(&stage, &["strategy", "inspect", &registry.reference("acme/image:1")]).await;
    let no_wasm = run(&stage, &["strategy", "inspect", &registry.reference("acme/older:1")]).await;
    let no_reference = run(&stage, &["strategy", "inspect", "oci://ghcr.io/acme/mine"]).await;
    let not_pushed = run(&stage, &["strategy", "push", "backstop.toml", &registry.reference("acme/x:1")]).await;

    assert_fails(
        &image_there,
        &[&format!("an artifact whose configuration is {image}, with a layer of {tar}, not a component")],
    );
    assert_fails(&no_wasm, &["not WebAssembly"]);
    assert_fails(
        &no_reference,
        &["oci://ghcr.io/acme/mine: names neither a tag nor a digest; write oci://HOST/REPOSITORY:TAG"],
    );
    assert_fails(&not_pushed, &["backstop.toml: the file is not WebAssembly"]);
}

// F2, RELIABILITY 64
#[tokio::test(flavor = "multi_thread")]
async fn tells_a_registry_who_it_is_and_nobody_else_the_password() {
    let registry = Registry::start_for(ANN);
    let stage = stage("strategy = \"smart\"").await;
    let reference = registry.reference("acme/mine:1");
    let file = prebuilt("quality");
    let push = ["strategy", "push", file.to_str().unwrap(), &reference];
    let traced =
        async |arguments: &[&str]| stage.backstop(arguments.iter().copied()).env("BACKSTOP_LOG", "trace").run().await;

    let nobody = traced(&push).await;
    // ann:pw-canary-71c0e6
    log_in(&stage, &registry, "YW5uOnB3LWNhbmFyeS03MWMwZTY=");
    let wrong = traced(&push).await;
    // ann:pw-canary-71c0e5
    log_in(&stage, &registry, "YW5uOnB3LWNhbmFyeS03MWMwZTU=");
    let pushed = traced(&push).await;
    let asked = traced(&["ask", "hi", "--strategy", &reference, "--json"]).await;
    log_in(&stage, &registry, "canary");
    let no_login = traced(&["strategy", "inspect", &reference]).await;

    let host = registry.host();
    let config = stage.home().join(".docker/config.json").display().to_string();
    assert_fails(
        &nobody,
        &[&format!("{host} wants a login for acme/mine, and there is none in {config}"), "docker login"],
    );
    assert_fails(&wrong, &[&format!("{host} refuses acme/mine to the login in {config}"), "docker login"]);
    assert_fails(&no_login, &[&format!("the `auth` for {host} in {config} is no user with a password in base64")]);
    assert_eq!((pushed.code, asked.code), (Some(0), Some(0)), "{pushed:#?} {asked:#?}");
    assert!(asked.stderr.contains("TRACE"), "nothing is logged: {}", asked.stderr);
    let encoded = "YW5uOnB3LWNhbmFyeS03MWMwZT";
    for ran in [&nobody, &wrong, &pushed, &asked, &no_login] {
        for (secret, text) in
            ["canary", encoded].into_iter().flat_map(|secret| [(secret, &ran.stdout), (secret, &ran.stderr)])
        {
            assert!(!text.contains(secret), "{text}");
        }
    }
    for path in files(&stage.home().join(".local")).into_iter().chain(files(&stage.home().join(".cache"))) {
        let kept = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(!kept.contains(PASSWORD) && !kept.contains(encoded), "it is in {}", path.display());
    }
    let calls = format!("{:?}{:?}", stage.provider("alpha").calls(), stage.provider("beta").calls());
    assert!(!calls.contains(PASSWORD) && !calls.contains(encoded));
}
