//! A server on a raw socket that does to a connection what no honest server would: for the transport's own tests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is done to each connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// Reads the request, writes this, closes.
    Reply(&'static str),
    /// Writes this without listening, then reads until the other side is gone.
    Greet(&'static str),
    /// Closes with the request unread, which resets the connection.
    Reset,
}

/// A running server; it ends with its owner.
pub(super) struct Scripted {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    pub(super) async fn start(act: Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                seen.lock().unwrap().push(String::new());
                let request = perform(act, connection).await;
                *seen.lock().unwrap().last_mut().unwrap() = request;
            }
        });
        Self { address, requests, task }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// How often it was called.
    pub(super) fn connections(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// What one connection sent.
    pub(super) fn request(&self, connection: usize) -> String {
        self.requests.lock().unwrap()[connection].clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn perform(act: Act, mut connection: TcpStream) -> String {
    match act {
        Act::Reply(reply) => {
            let request = read_request(&mut connection).await;
            let _ = connection.write_all(reply.as_bytes()).await;
            request
        }
        Act::Greet(words) => {
            let _ = connection.write_all(words.as_bytes()).await;
            let mut rest = Vec::new();
            let _ = connection.read_to_end(&mut rest).await;
            String::new()
        }
        Act::Reset => {
            let _ = connection.readable().await;
            String::new()
        }
    }
}

async fn read_request(connection: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        if connection.read_buf(&mut request).await.unwrap_or(0) == 0 {
            break;
        }
    }
    String::from_utf8(request).unwrap()
}
