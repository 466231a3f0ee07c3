//! The requests under way, run on one thread in an order that is the same each time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

/// Tasks that run until each waits for something. Whoever was woken first goes on first.
pub(super) struct Tasks<F> {
    running: FuturesUnordered<F>,
    woken: Arc<Woken>,
    waker: Waker,
}

/// Whether any task was woken since the last look.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<F: Future> Tasks<F> {
    /// No task yet.
    pub(super) fn none() -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        Self { running: FuturesUnordered::new(), waker: Waker::from(Arc::clone(&woken)), woken }
    }

    /// Adds a task; it begins at the next [`Tasks::run`].
    pub(super) fn add(&mut self, task: F) {
        self.running.push(task);
    }

    /// Whether none is left.
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Lets all run that can, until each of them waits or has ended, and tells what those that end come to.
    pub(super) fn run(&mut self, mut ended: impl FnMut(F::Output)) {
        let mut context = Context::from_waker(&self.waker);
        loop {
            match self.running.poll_next_unpin(&mut context) {
                Poll::Ready(Some(output)) => ended(output),
                Poll::Ready(None) => return,
                // It also stops to let others have a turn, and says so by waking itself.
                Poll::Pending if self.woken.0.swap(false, Ordering::Relaxed) => {}
                Poll::Pending => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use tokio::sync::Notify;

    use super::*;

    #[test]
    fn runs_many_tasks_in_the_order_they_were_woken_in() {
        let (told, bell) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
        let mut tasks: Tasks<BoxFuture<'static, ()>> = Tasks::none();
        for number in 0..200 {
            let (told, bell) = (Arc::clone(&told), Arc::clone(&bell));
            let task = async move {
                bell.notified().await;
                told.lock().unwrap().push(number);
            };
            tasks.add(task.boxed());
        }

        tasks.run(|()| {});
        assert!(told.lock().unwrap().is_empty() && !tasks.is_empty());
        bell.notify_waiters();
        tasks.run(|()| {});

        assert!(tasks.is_empty());
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 200);
        assert!(told.is_sorted(), "{told:?}");
    }
}
