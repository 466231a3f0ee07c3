//! One connection to a scripted provider: calls in, replies out, step by step.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::inbound::{Inbound, ReadRequestError};
use super::plan::{Afterwards, Plan, Step};
use super::stage::Stage;

/// How long the rest of a refused request is read, so that its caller gets to see the refusal.
const LINGER: Duration = Duration::from_secs(1);

/// The caller went away while its reply was under way.
struct Left;

/// Serves calls until the caller leaves or a reply ends the connection.
pub(super) async fn serve(mut stream: TcpStream, stage: Arc<Stage>) {
    // Without it a dripped byte would wait for its successor. Where it cannot be had, replies are late and no worse.
    let _ = stream.set_nodelay(true);
    let mut inbound = Inbound::default();
    while serve_call(&mut stream, &mut inbound, &stage).await.is_continue() {}
}

async fn serve_call(stream: &mut TcpStream, inbound: &mut Inbound, stage: &Stage) -> ControlFlow<()> {
    let (mut reader, mut writer) = stream.split();
    let request = match inbound.request(&mut reader, &mut writer).await {
        Ok(request) => request,
        Err(error) => {
            refuse(&error, reader, writer).await;
            return ControlFlow::Break(());
        }
    };
    let keeps_alive = request.keeps_alive;
    let (call, reply) = stage.receive(request);
    let plan = Plan::new(&reply, &call, Timestamp::now());
    for step in plan.steps {
        if unless_left(run(step, &mut writer), inbound, &mut reader).await.is_err() {
            stage.note_disconnect();
            return ControlFlow::Break(());
        }
    }
    match plan.afterwards {
        Afterwards::KeepAlive if keeps_alive => return ControlFlow::Continue(()),
        Afterwards::KeepAlive | Afterwards::Close => {
            let _ = writer.shutdown().await;
        }
        Afterwards::Silence => {
            inbound.departure(&mut reader).await;
            stage.note_disconnect();
        }
        Afterwards::Reset => {
            let _ = stream.set_zero_linger();
        }
    }
    ControlFlow::Break(())
}

/// Does a step, unless the caller leaves before it is done.
async fn unless_left(
    step: impl Future<Output = Result<(), Left>>,
    inbound: &mut Inbound,
    reader: &mut ReadHalf<'_>,
) -> Result<(), Left> {
    tokio::select! {
        biased;
        done = step => done,
        () = inbound.departure(reader) => Err(Left),
    }
}

async fn run(step: Step, writer: &mut WriteHalf<'_>) -> Result<(), Left> {
    match step {
        Step::Send(bytes) => send(&bytes, writer).await,
        Step::Drip { bytes, every } => {
            for byte in bytes.chunks(1) {
                send(byte, writer).await?;
                tokio::time::sleep(every).await;
            }
            Ok(())
        }
        Step::Repeat { bytes, every, times } => repeat(&bytes, every, times, writer).await,
        Step::Wait(length) => {
            tokio::time::sleep(length).await;
            Ok(())
        }
        Step::Hold(gate) => {
            gate.passed().await;
            Ok(())
        }
    }
}

async fn repeat(bytes: &Bytes, every: Duration, times: Option<usize>, writer: &mut WriteHalf<'_>) -> Result<(), Left> {
    let mut left = times;
    while left != Some(0) {
        send(bytes, writer).await?;
        if !every.is_zero() {
            tokio::time::sleep(every).await;
        }
        left = left.map(|times| times - 1);
    }
    Ok(())
}

async fn send(bytes: &[u8], writer: &mut WriteHalf<'_>) -> Result<(), Left> {
    writer.write_all(bytes).await.map_err(|_| Left)
}

/// Says no to what is not a request, and reads on for a moment: closing at once would reset the connection.
async fn refuse(error: &ReadRequestError, mut reader: ReadHalf<'_>, mut writer: WriteHalf<'_>) {
    let status = match error {
        ReadRequestError::Gone => return,
        ReadRequestError::TooLong => "413 Content Too Large",
        ReadRequestError::Malformed(_) => "400 Bad Request",
    };
    let body = error.to_string();
    let length = body.len();
    let reply = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    let goodbye = async {
        let _ = writer.write_all(reply.as_bytes()).await;
        let _ = writer.shutdown().await;
        let _ = tokio::io::copy(&mut reader, &mut tokio::io::sink()).await;
    };
    let _ = tokio::time::timeout(LINGER, goodbye).await;
}
