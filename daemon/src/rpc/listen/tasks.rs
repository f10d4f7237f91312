//! The tasks of all connections, so that a drain can wait for them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::watch;

/// Counts tasks while they run.
#[derive(Clone, Debug)]
pub struct Tasks(Arc<watch::Sender<usize>>);

/// Gives one back when its task ends in any way.
struct Running(Tasks);

impl Default for Tasks {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Tasks {
    /// Runs a connection and counts it until it ends.
    pub fn spawn(&self, connection: impl Future<Output = ()> + Send + 'static) {
        self.0.send_modify(|running| *running += 1);
        let running = Running(self.clone());
        let connection = Last { connection: Box::pin(connection), waited: false };
        tokio::spawn(async move {
            connection.await;
            drop(running);
        });
    }

    /// Waits until none runs.
    pub async fn ended(&self) {
        // The sender is held here, so waiting cannot fail.
        let mut count = self.0.subscribe();
        let _none = count.wait_for(|running| *running == 0).await;
    }

    /// How many run now.
    pub fn running(&self) -> usize {
        *self.0.borrow()
    }
}

/// A connection that is woken takes its turn behind all tasks that are ready. Those that were woken together, as the
/// replies of one commit are, so leave in one write and not in one each: a write to a socket costs more than a signature.
struct Last<F> {
    connection: Pin<Box<F>>,
    waited: bool,
}

impl<F: Future> Future for Last<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.waited = !self.waited;
        if self.waited {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.connection.as_mut().poll(cx)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.send_modify(|running| *running -= 1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[tokio::test]
    async fn the_end_of_all_is_awaited_and_a_panic_is_an_end() {
        let tasks = Tasks::default();
        let (release, wait) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn(async move { wait.await.unwrap() });
        tasks.spawn(async { panic!("a panic that the test wants") });
        assert_eq!(tasks.running(), 2);
        release.send(()).unwrap();
        tasks.ended().await;
        assert_eq!(tasks.running(), 0);
    }

    #[tokio::test]
    async fn a_connection_runs_behind_what_is_ready() {
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let note = |what: &'static str| {
            let order = Arc::clone(&order);
            async move { order.lock().unwrap().push(what) }
        };
        let tasks = Tasks::default();
        tasks.spawn(note("the connection, woken first"));
        tokio::spawn(note("a request, woken with it"));
        tasks.ended().await;
        assert_eq!(*order.lock().unwrap(), ["a request, woken with it", "the connection, woken first"]);
    }
}
