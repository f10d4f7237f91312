//! The tasks of all connections, so that a drain can wait for them.

use std::future::Future;
use std::sync::Arc;

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
    /// Runs a task and counts it until it ends.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.send_modify(|running| *running += 1);
        let running = Running(self.clone());
        tokio::spawn(async move {
            task.await;
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
}
