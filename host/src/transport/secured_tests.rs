//! Certificates that are not to be trusted, and the ends that HTTP/2 has beyond those of HTTP/1.1.

use std::time::Duration;

use ::http::HeaderMap;
use bytes::Bytes;
use futures_util::StreamExt;
use url::Url;

use super::secured::{Authority, Deed, Paper, Secured};
use super::{HttpCall, HttpReply, HttpTransport, Transport, TransportError, collect, tls};
use crate::types::FailureKind;

/// A server, and a transport that trusts whoever signs for it.
async fn server(paper: Paper, deed: Deed) -> (Secured, HttpTransport) {
    let authority = Authority::new();
    let server = Secured::start(&authority, paper, deed).await;
    (server, HttpTransport::secured_by(tls::trusting_also(authority.root()).unwrap()))
}

async fn call(server: &Secured, transport: &HttpTransport) -> Result<HttpReply, TransportError> {
    let call = HttpCall {
        provider: "p".into(),
        url: Url::parse(&server.url()).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
        connect_timeout: Duration::from_secs(5),
    };
    transport.send(call).await
}

#[tokio::test]
async fn trusts_a_sound_certificate() {
    let (server, transport) = server(Paper::Sound, Deed::Reply).await;

    let reply = call(&server, &transport).await.unwrap();

    assert_eq!(collect(reply.body, 10).await.unwrap(), "one two");
}

// P38
#[tokio::test]
async fn sends_nothing_to_a_server_whose_certificate_is_no_good() {
    for (paper, says) in [
        (Paper::Expired, "expired"),
        (Paper::Early, "not valid yet"),
        (Paper::OfAnotherHost, "not valid for name"),
        (Paper::SelfSigned, "UnknownIssuer"),
    ] {
        let (server, transport) = server(paper, Deed::Reply).await;

        let error = call(&server, &transport).await.unwrap_err();

        let place = server.url().replace("https://", "").replace("/v1", "");
        assert!(error.to_string().starts_with(&format!("no secure connection to {place}: ")), "{paper:?}: {error}");
        assert!(error.to_string().contains(says), "{paper:?}: {error}");
        assert_eq!((error.failure().kind, error.was_sent()), (FailureKind::Connection, false), "{paper:?}");
        assert_eq!(server.requests(), 0, "{paper:?}");
    }
}

// P41
#[tokio::test]
async fn a_stream_cut_by_goaway_is_broken_off_and_never_whole() {
    let (server, transport) = server(Paper::Sound, Deed::GoAway).await;
    let mut body = call(&server, &transport).await.unwrap().body;

    let first = body.next().await.unwrap().unwrap();
    server.tell();
    let error = body.next().await.unwrap().unwrap_err();

    assert_eq!(first, "one ");
    assert!(matches!(error, TransportError::BrokenOff { .. }), "{error:?}");
    assert_eq!((error.failure().kind, server.requests()), (FailureKind::Interrupted, 1));
}

// P41
#[tokio::test]
async fn a_stream_that_a_polite_goaway_lets_end_is_whole_and_the_next_takes_another_connection() {
    let (server, transport) = server(Paper::Sound, Deed::GoAwayPolitely).await;
    let mut body = call(&server, &transport).await.unwrap().body;

    let first = body.next().await.unwrap().unwrap();
    server.tell();
    let rest = collect(body, 10).await.unwrap();
    let next = call(&server, &transport).await.unwrap();

    assert_eq!((first, rest), ("one ".into(), "two".into()));
    assert_eq!((next.status, server.connections()), (200, 2));
}

// P42
#[tokio::test]
async fn a_refused_stream_is_no_reply_and_is_not_tried_again_in_secret() {
    let (server, transport) = server(Paper::Sound, Deed::Refuse).await;

    let error = call(&server, &transport).await.unwrap_err();

    assert!(matches!(error, TransportError::NoReply { .. }), "{error:?}");
    assert_eq!((error.failure().kind, server.requests()), (FailureKind::Connection, 1));
}

// RELIABILITY 50
#[tokio::test]
async fn a_reader_who_stops_holds_a_stream_of_http2_up_within_128_kib() {
    let (server, transport) = server(Paper::Sound, Deed::Pour).await;
    let stopped = call(&server, &transport).await.unwrap();
    let window = 128 << 10;
    while server.poured() < window {
        tokio::task::yield_now().await;
    }

    let held_up = tokio::time::timeout(Duration::from_millis(300), async {
        while server.poured() == window {
            tokio::task::yield_now().await;
        }
    });

    assert!(held_up.await.is_err(), "{} bytes were taken", server.poured());
    let mut body = stopped.body;
    let mut read = 0;
    while read < 1 << 20 {
        read += body.next().await.unwrap().unwrap().len();
    }
    assert!(server.poured() <= read + 2 * window, "{} bytes were taken, {read} were read", server.poured());
}
