//! A registry that asks for tokens, sends one elsewhere, lies, or says back what it was told: scripted, on a real socket (F2).

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use backstop::scripted::{Answer, Script};
use backstop_tests::{CliRun, Stage};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is said for a path and the `authorization` that came with it: a status, more headers, a body.
type Says = Box<dyn Fn(&str, Option<&str>) -> (u16, String, Vec<u8>) + Send + Sync>;

/// A path, and the `authorization` that came with it.
type Asked = (String, Option<String>);

/// A server that answers by a script and remembers what it was asked. It ends with its owner.
struct Scripted {
    host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    /// The script is made of the server's own host and port.
    async fn start(script: impl FnOnce(&str) -> Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (says, asked) = (Arc::new(script(&host)), Arc::default());
        let seen = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&says), Arc::clone(&seen)));
            }
        });
        Self { host, asked, task }
    }

    fn reference(&self) -> String {
        format!("oci://{}/acme/mine:1", self.host)
    }

    /// The paths it was asked for, each with the `authorization` that came.
    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, says: Arc<Says>, seen: Arc<Mutex<Vec<Asked>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let authorization = head.lines().find_map(|line| line.strip_prefix("authorization: ")).map(str::to_owned);
    seen.lock().unwrap().push((path.clone(), authorization.clone()));
    let (status, headers, body) = says(&path, authorization.as_deref());
    let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
}

fn component() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-strategies/prebuilt/quality.wasm")).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

/// A component's manifest that says it has so many bytes.
fn manifest(component: &[u8], size: usize) -> Vec<u8> {
    let config = json!({"mediaType": "application/vnd.wasm.config.v0+json", "digest": sha256(b"{}"), "size": 2});
    let layer = json!({"mediaType": "application/wasm", "digest": sha256(component), "size": size});
    json!({"schemaVersion": 2, "config": config, "layers": [layer]}).to_string().into_bytes()
}

fn plain(status: u16, body: impl Into<Vec<u8>>) -> (u16, String, Vec<u8>) {
    (status, String::new(), body.into())
}

async fn stage() -> Stage {
    let scripts = [("alpha", Script::from(Answer::new("a"))), ("beta", Script::from(Answer::new("b")))];
    Stage::new(scripts).await.with_settings("[sandbox]\ncompile_time = \"60s\"")
}

async fn inspect(stage: &Stage, reference: &str) -> CliRun {
    stage.backstop(["strategy", "inspect", reference, "--json"]).env("BACKSTOP_LOG", "trace").run().await
}

/// Writes what `docker login` writes: ann with the password `pw-canary-71c0e5`.
fn log_in(stage: &Stage, host: &str) {
    let folder = stage.home().join("docker");
    fs::create_dir_all(&folder).unwrap();
    let config = json!({"auths": {host: {"auth": ANN}}});
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

const ANN: &str = "YW5uOnB3LWNhbmFyeS03MWMwZTU=";
const PASSWORD: &str = "pw-canary-71c0e5";

fn assert_fails(ran: &CliRun, says: &str) {
    assert!(ran.code.is_some_and(|code| code != 0), "{ran:#?}");
    assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn fetches_a_token_with_its_login_and_shows_the_token_and_not_the_login_to_the_registry() {
    let wasm = component();
    let registry = Scripted::start(|host| {
        let host = host.to_owned();
        Box::new(move |path, authorization| match (path, authorization) {
            (path, Some(basic)) if path.starts_with("/token?") && basic == format!("Basic {ANN}") => {
                plain(200, json!({"token": "tok-canary-5"}).to_string())
            }
            ("/v2/acme/mine/manifests/1", Some("Bearer tok-canary-5")) => plain(200, manifest(&wasm, wasm.len())),
            (path, Some("Bearer tok-canary-5")) if path.contains("/blobs/") => plain(200, wasm.clone()),
            _ => {
                let realm = format!("Bearer realm=\"http://{host}/token\",service=\"the store\"");
                (401, format!("www-authenticate: Basic realm=\"x\"\r\nwww-authenticate: {realm}\r\n"), Vec::new())
            }
        })
    })
    .await;
    let stage = stage().await;
    log_in(&stage, &registry.host);
    let docker = stage.home().join("docker").display().to_string();

    let nobody = inspect(&stage, &registry.reference()).await;
    let asked = registry.asked();
    let inspect = stage.backstop(["strategy", "inspect", &registry.reference(), "--json"]);
    let known = inspect.env("DOCKER_CONFIG", &docker).env("BACKSTOP_LOG", "trace").run().await;

    assert_fails(&nobody, &format!("{} wants a login for acme/mine", registry.host));
    assert_eq!(asked[1], ("/token?service=the+store&scope=repository%3Aacme%2Fmine%3Apull".to_owned(), None));
    assert_eq!(known.code, Some(0), "{}", known.stderr);
    for (path, authorization) in registry.asked().iter().filter(|(path, _)| path.starts_with("/v2/")) {
        assert_ne!(authorization.as_deref(), Some(&*format!("Basic {ANN}")), "{path}");
    }
    for secret in [PASSWORD, ANN, "tok-canary-5"] {
        assert!(!format!("{known:?}").contains(secret), "{known:#?}");
    }
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn takes_a_component_from_where_the_registry_leads_and_shows_no_login_there() {
    let wasm = component();
    let there = wasm.clone();
    let elsewhere = Scripted::start(|_| Box::new(move |_, _| plain(200, there.clone()))).await;
    let store = elsewhere.host.clone();
    let registry = Scripted::start(|_| {
        Box::new(move |path, authorization| match (path, authorization) {
            (_, None) => (401, "www-authenticate: Basic realm=\"x\"\r\n".to_owned(), Vec::new()),
            ("/v2/acme/mine/manifests/1", _) => plain(200, manifest(&wasm, wasm.len())),
            _ => (307, format!("location: http://{store}/blob?signature=sig-canary\r\n"), Vec::new()),
        })
    })
    .await;
    let stage = stage().await;
    log_in(&stage, &registry.host);
    let docker = stage.home().join("docker").display().to_string();

    let inspect = stage.backstop(["strategy", "inspect", &registry.reference(), "--json"]);
    let told = inspect.env("DOCKER_CONFIG", &docker).run().await;

    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert_eq!(elsewhere.asked(), [("/blob?signature=sig-canary".to_owned(), None)]);
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn goes_nowhere_that_is_not_secured_neither_for_tokens_nor_for_components() {
    let wasm = component();
    let leads: Vec<Says> = vec![
        Box::new(move |path, _| match path {
            "/v2/acme/mine/manifests/1" => plain(200, manifest(&wasm, wasm.len())),
            _ => (302, "location: http://store.example.com/blob?signature=sig-canary\r\n".to_owned(), Vec::new()),
        }),
        Box::new(|_, _| {
            let challenge = "www-authenticate: Bearer realm=\"http://tokens.example.com/\"\r\n";
            (401, challenge.to_owned(), Vec::new())
        }),
        Box::new(|path, _| (302, format!("location: {path}\r\n"), Vec::new())),
    ];
    let expected = [
        "leads to store.example.com:80, which is not secured",
        "leads to tokens.example.com:80, which is not secured",
        "it sends us from one place to the next",
    ];
    for (says, expected) in leads.into_iter().zip(expected) {
        let registry = Scripted::start(|_| says).await;
        let stage = stage().await;

        let refused = inspect(&stage, &registry.reference()).await;

        assert_fails(&refused, expected);
        assert!(!refused.stderr.contains("sig-canary"), "{}", refused.stderr);
    }
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn believes_no_manifest_that_says_less_than_is_sent_and_no_endless_one() {
    let wasm = component();
    let short: Says = Box::new(move |path, _| match path {
        "/v2/acme/mine/manifests/1" => plain(200, manifest(&wasm, 100)),
        _ => plain(200, wasm.clone()),
    });
    let endless: Says = Box::new(|_, _| plain(200, vec![b' '; 3 << 20]));
    let page: Says = Box::new(|_, _| plain(200, "<html>welcome</html>"));
    let expected = [
        "the registry sends more than the 100 bytes that the manifest says",
        "it sends a manifest of more than a mebibyte; look whether the address is that of a registry",
        "what is there is nothing that could be read as a manifest, not a component",
    ];
    for (says, expected) in [short, endless, page].into_iter().zip(expected) {
        let registry = Scripted::start(|_| says).await;

        assert_fails(&inspect(&stage().await, &registry.reference()).await, expected);
    }
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn takes_a_manifest_by_its_digest_and_no_other_in_its_place() {
    let wasm = component();
    let honest = manifest(&wasm, wasm.len());
    let another = manifest(b"another", 7);
    let asked_for = sha256(&another);
    let registry = Scripted::start(|_| Box::new(move |_, _| plain(200, honest.clone()))).await;

    let reference = format!("oci://{}/acme/mine@{asked_for}", registry.host);
    let refused = inspect(&stage().await, &reference).await;

    assert_fails(&refused, &format!("where {asked_for} was asked for: it is damaged or was tampered with"));
    let asked: Vec<_> = registry.asked().into_iter().map(|(path, _)| path).collect();
    assert_eq!(asked, [format!("/v2/acme/mine/manifests/{asked_for}")], "nothing more was fetched");
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn uses_the_copy_it_kept_while_the_registry_is_out_of_order_but_not_where_it_says_no() {
    let wasm = component();
    let status = Arc::new(Mutex::new(200));
    let now = Arc::clone(&status);
    let registry = Scripted::start(|_| {
        Box::new(move |path, _| match (*now.lock().unwrap(), path) {
            (200, "/v2/acme/mine/manifests/1") => plain(200, manifest(&wasm, wasm.len())),
            (200, _) => plain(200, wasm.clone()),
            (status, _) => {
                let error = json!({"errors": [{"code": "echo pw-canary", "message": "pw-canary"}, {"code": "DENIED"}]});
                plain(status, error.to_string())
            }
        })
    })
    .await;
    let stage = stage().await;
    assert_eq!(inspect(&stage, &registry.reference()).await.code, Some(0));

    let mut came: Vec<(u16, Option<i32>, String)> = Vec::new();
    for code in [500, 503, 429, 403, 404, 400] {
        *status.lock().unwrap() = code;
        let ran = inspect(&stage, &registry.reference()).await;
        came.push((code, ran.code, ran.stderr));
    }

    for (status, code, stderr) in &came {
        let is_away = *status >= 429;
        assert_eq!(*code, Some(if is_away { 0 } else { 2 }), "{status}: {stderr}");
        assert_eq!(stderr.contains("the copy that was kept last is used"), is_away, "{status}: {stderr}");
        assert!(!stderr.contains("canary"), "{stderr}");
    }
    assert!(came[1].2.contains("answers 503 (DENIED) when it is asked for a manifest"), "{}", came[1].2);
}
