//! A server behind TLS, with a certificate of any merit and a way of its own to end HTTP/2: for the transport's own tests.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::http::{Request, Response};
use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a server shows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paper {
    /// A certificate nothing is wrong with.
    Sound,
    /// It was good until 2020.
    Expired,
    /// It is good from 2100.
    Early,
    /// It is for another host.
    OfAnotherHost,
    /// It vouches for itself.
    SelfSigned,
}

/// What is done to a stream of HTTP/2.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deed {
    /// `one` and `two`, as it should be.
    Reply,
    /// REFUSED_STREAM in place of a reply.
    Refuse,
    /// `one`; then, when told to, GOAWAY with an error.
    GoAway,
    /// `one`; then, when told to, GOAWAY without an error, and `two`.
    GoAwayPolitely,
    /// A body without end, as fast as the other side lets it.
    Pour,
}

/// Who signs certificates.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

/// A running server; it ends with its owner.
pub(super) struct Secured {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    deed: Deed,
    told: Notify,
    requests: AtomicUsize,
    connections: AtomicUsize,
    poured: AtomicUsize,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Authority of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), root }
    }

    /// What is to be trusted.
    pub(super) fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    fn sign(&self, paper: Paper) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let host = if paper == Paper::OfAnotherHost { "api.example.com" } else { "127.0.0.1" };
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        (params.not_before, params.not_after) = match paper {
            Paper::Expired => (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1)),
            Paper::Early => (date_time_ymd(2100, 1, 1), date_time_ymd(2101, 1, 1)),
            Paper::Sound | Paper::OfAnotherHost | Paper::SelfSigned => {
                (date_time_ymd(2020, 1, 1), date_time_ymd(2100, 1, 1))
            }
        };
        let key = KeyPair::generate().unwrap();
        let certificate = match paper {
            Paper::SelfSigned => params.self_signed(&key),
            Paper::Sound | Paper::Expired | Paper::Early | Paper::OfAnotherHost => params.signed_by(&key, &self.issuer),
        };
        (certificate.unwrap().der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }
}

impl Secured {
    pub(super) async fn start(authority: &Authority, paper: Paper, deed: Deed) -> Self {
        let (certificate, key) = authority.sign(paper);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let mut config = config.with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let none = AtomicUsize::default;
        let shared =
            Arc::new(Shared { deed, told: Notify::new(), requests: none(), connections: none(), poured: none() });
        let task = tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), Arc::clone(&shared)));
        Self { port, shared, task }
    }

    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}/v1", self.port)
    }

    /// Lets it go away.
    pub(super) fn tell(&self) {
        self.shared.told.notify_one();
    }

    /// How many requests it was sent.
    pub(super) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// How many bytes of a body without end were taken from it.
    pub(super) fn poured(&self) -> usize {
        self.shared.poured.load(Ordering::SeqCst)
    }

    /// How many connections were secured.
    pub(super) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    while let Ok((connection, _)) = listener.accept().await {
        // Whoever does not trust the certificate leaves here.
        if let Ok(secure) = acceptor.accept(connection).await {
            shared.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(secure, Arc::clone(&shared)));
        }
    }
}

async fn serve(stream: TlsStream<TcpStream>, shared: Arc<Shared>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok(call)) = connection.accept().await {
        shared.requests.fetch_add(1, Ordering::SeqCst);
        perform(&shared, &mut connection, call).await;
    }
}

async fn perform(
    shared: &Shared,
    connection: &mut Connection<TlsStream<TcpStream>, Bytes>,
    (_, mut respond): (Request<RecvStream>, SendResponse<Bytes>),
) {
    if let Deed::Refuse = shared.deed {
        respond.send_reset(Reason::REFUSED_STREAM);
        return;
    }
    let mut body = respond.send_response(Response::new(()), false).unwrap();
    if let Deed::Pour = shared.deed {
        return pour(shared, connection, body).await;
    }
    body.send_data(Bytes::from_static(b"one "), false).unwrap();
    if !matches!(shared.deed, Deed::Reply) {
        // The connection moves only while it is asked for its next request.
        tokio::select! {
            _ = connection.accept() => return,
            () = shared.told.notified() => {}
        }
    }
    match shared.deed {
        Deed::GoAway => connection.abrupt_shutdown(Reason::INTERNAL_ERROR),
        Deed::GoAwayPolitely => {
            connection.graceful_shutdown();
            body.send_data(Bytes::from_static(b"two"), true).unwrap();
        }
        Deed::Reply | Deed::Refuse | Deed::Pour => body.send_data(Bytes::from_static(b"two"), true).unwrap(),
    }
}

async fn pour(shared: &Shared, connection: &mut Connection<TlsStream<TcpStream>, Bytes>, mut body: SendStream<Bytes>) {
    loop {
        body.reserve_capacity(1 << 30);
        tokio::select! {
            _ = connection.accept() => return,
            granted = poll_fn(|context| body.poll_capacity(context)) => {
                let Some(Ok(granted)) = granted else { return };
                body.send_data(vec![b'a'; granted].into(), false).unwrap();
                shared.poured.fetch_add(granted, Ordering::SeqCst);
            }
        }
    }
}
