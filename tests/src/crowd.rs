//! Callers that go on whatever they are answered, until they are told to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::Status;

use crate::PATIENCE;
use crate::load::{Received, request, sign};
use crate::world::World;

/// How long each caller waits for an answer.
const DEADLINE: Duration = Duration::from_secs(20);

/// Callers of one key.
#[derive(Debug)]
pub struct Crowd {
    runtime: Runtime,
    tasks: JoinSet<(Received, Vec<Status>)>,
    over: Arc<AtomicBool>,
    good: watch::Receiver<usize>,
}

impl Crowd {
    /// So many callers, each on a connection of its own.
    ///
    /// # Panics
    /// If there is no runtime to be had.
    #[must_use]
    pub fn gather(world: &World, key: &'static str, callers: usize) -> Self {
        let runtime = Runtime::new().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (told, good) = watch::channel(0);
        let told = Arc::new(told);
        let mut tasks = JoinSet::new();
        // Connections are made inside a runtime.
        let inside = runtime.enter();
        for number in 0..callers {
            let (channel, over, told) = (world.channel(), Arc::clone(&over), Arc::clone(&told));
            let caller = async move {
                let (mut received, mut refused) = (Received::default(), Vec::new());
                for nth in 0_u64.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let mut asked = tonic::Request::new(request(key, format!("{number}/{nth}").as_bytes()));
                    asked.set_timeout(DEADLINE);
                    match sign(&channel, asked).await {
                        Ok(reply) => {
                            received.replies.push(reply);
                            told.send_modify(|count| *count += 1);
                        }
                        Err(status) => {
                            refused.push(status);
                            // Even a caller without manners lets others speak.
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    }
                }
                (received, refused)
            };
            tasks.spawn_on(caller, runtime.handle());
        }
        drop(inside);
        Self { runtime, tasks, over, good }
    }

    /// Waits for so many more signatures.
    ///
    /// # Panics
    /// If they do not come.
    pub fn more(&mut self, count: usize) {
        let wanted = *self.good.borrow() + count;
        let wait = async { tokio::time::timeout(PATIENCE, self.good.wait_for(|good| *good >= wanted)).await };
        let _reached = self.runtime.block_on(wait).expect("signing did not come back").unwrap();
    }

    /// Tells them to end: what they received, and every refusal.
    ///
    /// # Panics
    /// If one of them did.
    #[must_use]
    pub fn end(mut self) -> (Received, Vec<Status>) {
        self.over.store(true, Ordering::Relaxed);
        let (mut received, mut refused) = (Received::default(), Vec::new());
        while let Some(done) = self.runtime.block_on(self.tasks.join_next()) {
            let (own, errors) = done.unwrap();
            received.replies.extend(own.replies);
            refused.extend(errors);
        }
        (received, refused)
    }
}
