//! Clients that ask one question after another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::{HttpReply, post};

/// For how long a client stays away that was turned away: far shorter than it is asked to.
const AWAY: Duration = Duration::from_millis(50);

/// A client that is turned away should know by then.
const AT_ONCE: Duration = Duration::from_millis(5);

/// Clients at work, each over one connection, until they are told to stop.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    count: Arc<Count>,
    clients: Vec<JoinHandle<()>>,
    began: Instant,
}

#[derive(Debug, Default)]
struct Count {
    answered: AtomicUsize,
    turned_away: AtomicUsize,
    turned_away_late: AtomicUsize,
    wrong: AtomicUsize,
}

/// What became of their questions.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    /// With status 200, whole.
    pub answered: usize,
    /// With status 503 and a time to come again.
    pub turned_away: usize,
    /// Of those, after more than 5 ms.
    pub turned_away_late: usize,
    /// Otherwise.
    pub wrong: usize,
    /// How long they asked.
    pub took: Duration,
}

impl Load {
    /// Sends clients that post this body.
    #[must_use]
    pub fn start(address: SocketAddr, clients: usize, body: &'static str) -> Self {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(Count::default()));
        let clients = (0..clients).map(|_| tokio::spawn(ask(address, body, Arc::clone(&stop), Arc::clone(&count))));
        let clients = clients.collect();
        Self { stop, count, clients, began: Instant::now() }
    }

    /// Lets each have its last answer.
    ///
    /// # Panics
    /// Where a client was not let in.
    pub async fn stop(self) -> Answered {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.expect("the client was let in");
        }
        let Count { answered, turned_away, turned_away_late, wrong } = &*self.count;
        let counts = [answered, turned_away, turned_away_late, wrong];
        let [answered, turned_away, turned_away_late, wrong] = counts.map(|count| count.load(Ordering::Relaxed));
        Answered { answered, turned_away, turned_away_late, wrong, took: self.began.elapsed() }
    }
}

async fn ask(address: SocketAddr, body: &'static str, stop: Arc<AtomicBool>, count: Arc<Count>) {
    let mut stream = TcpStream::connect(address).await.expect("somebody listens");
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        stream.write_all(&post(body, &[])).await.expect("the connection stands");
        let reply = HttpReply::read(&mut stream).await;
        match reply.status {
            200 if reply.is_whole => count.answered.fetch_add(1, Ordering::Relaxed),
            503 if reply.header("retry-after").is_some() => {
                let is_late = asked.elapsed() > AT_ONCE;
                count.turned_away_late.fetch_add(usize::from(is_late), Ordering::Relaxed);
                tokio::time::sleep(AWAY).await;
                count.turned_away.fetch_add(1, Ordering::Relaxed)
            }
            _ => count.wrong.fetch_add(1, Ordering::Relaxed),
        };
    }
}

impl Answered {
    /// Answers a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a few thousands")]
    pub fn rate(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }
}
