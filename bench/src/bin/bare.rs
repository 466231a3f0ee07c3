//! The measure of all gateways: a proxy on axum and reqwest that reads the request's JSON, sets the model, and passes on what
//! comes back. It does nothing else that a gateway does.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, TRANSFER_ENCODING};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use clap::Parser;
use reqwest::Client;
use serde_json::{Map, Value};
use tokio::net::TcpListener;

#[derive(Debug, Parser)]
#[command(about = "A pass-through proxy for chat completions, as bare as one can be that reads JSON")]
struct Args {
    /// Where to listen.
    #[arg(long)]
    listen: String,
    /// The upstream's base URL, up to and with `/v1`.
    #[arg(long)]
    upstream: String,
    /// A second upstream, asked where the first answers 500 or 429.
    #[arg(long)]
    fallback: Option<String>,
}

/// The model every request is sent for.
const MODEL: &str = "gpt-4o-mini";

struct Bare {
    client: Client,
    urls: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let urls = [Some(args.upstream), args.fallback].into_iter().flatten();
    let bare = Bare {
        client: Client::builder().no_proxy().build()?,
        urls: urls.map(|base| format!("{base}/chat/completions")).collect(),
    };
    let app = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/v1/chat/completions", post(pass))
        .with_state(Arc::new(bare));
    let listener =
        TcpListener::bind(&args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    let listener = listener.tap_io(|socket| {
        // Without it the pieces of a stream wait for each other; a socket that refuses has gone already.
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}

async fn pass(State(bare): State<Arc<Bare>>, body: Bytes) -> Result<Response<Body>, StatusCode> {
    let mut request: Map<String, Value> = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    request.insert("model".to_owned(), Value::from(MODEL));
    let body = Bytes::from(serde_json::to_vec(&request).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?);
    let mut reply = Err(StatusCode::BAD_GATEWAY);
    for url in &bare.urls {
        reply = bare.send(url, body.clone()).await;
        if !reply.as_ref().is_ok_and(|reply| is_failure(reply.status())) {
            break;
        }
    }
    reply
}

impl Bare {
    async fn send(&self, url: &str, body: Bytes) -> Result<Response<Body>, StatusCode> {
        let request =
            self.client.post(url).header(CONTENT_TYPE, "application/json").header(AUTHORIZATION, "Bearer sk-bench");
        let reply = request.body(body).send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
        let mut reply = Response::<reqwest::Body>::from(reply).map(Body::new);
        // They are between two neighbours.
        reply.headers_mut().remove(CONNECTION);
        reply.headers_mut().remove(TRANSFER_ENCODING);
        Ok(reply)
    }
}

fn is_failure(status: StatusCode) -> bool {
    matches!(status, StatusCode::INTERNAL_SERVER_ERROR | StatusCode::TOO_MANY_REQUESTS)
}
