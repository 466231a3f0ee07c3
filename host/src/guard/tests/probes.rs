//! One probe and no more, and nobody waits for it in vain.

use std::pin::pin;

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::*;

#[test]
fn admits_one_of_500_that_arrive_when_the_pause_ends() {
    let guard = guard(&config());
    trip(&guard, A, at(0));

    let admitted: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..500).map(|_| scope.spawn(|| send(&guard, A, at(5)))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    assert_eq!(admitted.iter().filter(|sent| sent.is_ok()).count(), 1);
    assert_eq!(admitted.iter().filter(|sent| matches!(sent, Err(Denied::Probing))).count(), 499);
}

#[test]
fn admits_everybody_once_the_probe_was_served() {
    let guard = guard(&config());
    trip(&guard, A, at(0));

    serve(&guard, A, at(5));

    let _one = send(&guard, A, at(5)).unwrap();
    assert!(send(&guard, A, at(5)).is_ok());
}

#[test]
fn pauses_twice_as_long_when_the_probe_failed() {
    let guard = guard(&config());
    trip(&guard, A, at(0));

    fail(&guard, A, FailureKind::Timeout, at(5));

    assert_eq!(standing(&guard, A, at(5)), Standing::Tripped(10_000));
}

#[test]
fn gives_the_probes_place_to_the_next_when_it_was_dropped() {
    let guard = guard(&config());
    trip(&guard, A, at(0));

    drop(guard.admit(A, &CLAIM, at(5), WALL).unwrap());
    assert_eq!(standing(&guard, A, at(5)), Standing::Ready, "never sent");
    drop(send(&guard, A, at(5)).unwrap());
    assert_eq!(standing(&guard, A, at(5)), Standing::Ready, "sent and lost");
    send(&guard, A, at(5)).unwrap().abandoned();
    assert_eq!(standing(&guard, A, at(5)), Standing::Ready, "sent and abandoned");
}

#[test]
fn is_back_at_the_first_token_and_not_at_the_end_of_the_stream() {
    let guard = guard(&config());
    trip(&guard, A, at(0));
    let mut probe = send(&guard, A, at(5)).unwrap();

    probe.first_token(at(6));

    assert_eq!(standing(&guard, A, at(6)), Standing::Ready);
    probe.failed(&Failure::new(FailureKind::Interrupted, "cut"), at(7), WALL);
    assert_eq!(standing(&guard, A, at(7)), Standing::Ready, "one failure of five");
}

#[test]
fn costs_a_dead_provider_few_attempts() {
    let guard = guard(&config());

    let attempts = (0..600).filter(|tenth| {
        let now = Moment::from_start(Duration::from_millis(tenth * 100));
        let sent = send(&guard, A, now);
        sent.map(|sent| sent.failed(&Failure::new(FailureKind::Overloaded, "no"), now, WALL)).is_ok()
    });

    assert_eq!(attempts.count(), 5 + 3, "in a minute: five to open it, probes after 5, 15 and 35 s");
}

#[tokio::test]
async fn ends_the_wait_at_once_where_no_probe_is_under_way() {
    let guard = guard(&config());

    guard.probe_ended(A).await;
    guard.probe_ended(TargetId(99)).await;
}

#[tokio::test]
async fn wakes_everybody_who_waits_whatever_the_probe_came_to() {
    type End = fn(InFlight);
    let ends: [End; 4] = [
        |probe| drop(probe.served(None, None, at(5), WALL)),
        |probe| drop(probe.failed(&Failure::new(FailureKind::Timeout, "no"), at(5), WALL)),
        |probe| drop(probe.abandoned()),
        |mut probe| {
            probe.first_token(at(5));
            std::mem::forget(probe);
        },
    ];
    for end in ends {
        let guard = guard(&config());
        trip(&guard, A, at(0));
        let probe = send(&guard, A, at(5)).unwrap();
        let mut waiting = pin!(join_all((0..100).map(|_| guard.probe_ended(A))));
        assert!(waiting.as_mut().now_or_never().is_none());

        end(probe);

        assert!(waiting.as_mut().now_or_never().is_some());
    }
}

#[tokio::test]
async fn wakes_those_who_wait_for_another_model_where_all_rest_together() {
    let mut config = config();
    config.breaker.scope = crate::config::BreakerScope::Provider;
    let guard = guard(&config);
    trip(&guard, A, at(0));
    let probe = send(&guard, A, at(5)).unwrap();
    assert_eq!(standing(&guard, A2, at(5)), Standing::Probing);
    let mut waiting = pin!(guard.probe_ended(A2));
    assert!(waiting.as_mut().now_or_never().is_none());

    drop(probe.served(None, None, at(5), WALL));

    assert!(waiting.as_mut().now_or_never().is_some());
}

#[tokio::test]
async fn misses_no_probe_that_ends_between_the_call_and_the_wait() {
    let guard = guard(&config());
    trip(&guard, A, at(0));
    let probe = send(&guard, A, at(5)).unwrap();

    let waiting = guard.probe_ended(A);
    drop(probe.served(None, None, at(5), WALL));

    waiting.await;
}
