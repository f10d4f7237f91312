//! Work that is done ahead of its turn: pages of something on all processors, their results one after the other.
//!
//! A start reads its history with it: what a record says can be read by anybody at any time; what follows from it only in the
//! order of the log.

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::{io, thread};

/// The machine gives no thread.
#[derive(Debug, thiserror::Error)]
#[error("a thread cannot be started: {0}")]
pub struct NoThread(io::Error);

/// A page, and where its result goes.
type Order<P, R> = (P, SyncSender<thread::Result<R>>);

/// Gives `take` the result of `work` for each page, in the order of the pages. Pages are made by this thread, one more at a time
/// than there are processors, so that memory is bounded by that many pages and results.
///
/// # Errors
/// What making a page or `take` says first, in the order of the pages; nothing is taken after it. [`NoThread`].
pub fn in_order<P: Send, R: Send, E: From<NoThread>>(
    pages: impl IntoIterator<Item = Result<P, E>>,
    work: impl Fn(P) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let most = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (order, orders) = mpsc::channel::<Order<P, R>>();
    let orders = &Mutex::new(orders);
    let work = &work;
    thread::scope(|scope| {
        // Whoever works ends when this does.
        let order = order;
        let mut taken = |done: Receiver<thread::Result<R>>| match done.recv().expect("each order is answered")
        {
            Ok(result) => take(result),
            // A bug of `work` is one of whoever asked for it.
            Err(panicked) => panic::resume_unwind(panicked),
        };
        let mut under_way = VecDeque::new();
        let (mut ended, mut workers) = (Ok(()), 0);
        for page in pages {
            let begun = page.and_then(|page| {
                if workers < most {
                    let worker = thread::Builder::new().name("ahead".to_owned());
                    worker.spawn_scoped(scope, || work_off(orders, work)).map_err(NoThread)?;
                    workers += 1;
                }
                Ok(page)
            });
            let (answer, done) = mpsc::sync_channel(1);
            match begun.map(|page| order.send((page, answer))) {
                Ok(_received) => under_way.push_back(done),
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            }
            if under_way.len() > most
                && let Some(done) = under_way.pop_front()
            {
                taken(done)?;
            }
        }
        under_way.into_iter().try_for_each(taken)?;
        ended
    })
}

/// Works until there are no more orders.
fn work_off<P, R>(orders: &Mutex<Receiver<Order<P, R>>>, work: &(impl Fn(P) -> R + Sync)) {
    loop {
        let next = orders.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((page, answer)) = next else { return };
        let done = panic::catch_unwind(AssertUnwindSafe(|| work(page)));
        // After an error nobody waits for it any more.
        let _unwanted = answer.send(done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Failed(&'static str);

    impl From<NoThread> for Failed {
        fn from(_none: NoThread) -> Self {
            Self("thread")
        }
    }

    #[test]
    fn results_come_in_the_order_of_their_pages() {
        let mut taken = Vec::new();
        let pages = (0..100_u64).map(Ok::<_, Failed>);
        // The earlier of two neighbours takes longer.
        let work = |page: u64| {
            let steps = if page.is_multiple_of(2) { 20_000 } else { 0 };
            (0..steps).fold(page, |sum, step| std::hint::black_box(sum ^ step ^ step))
        };
        let done = in_order(pages, work, |page| {
            taken.push(page);
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(taken, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_error_ends_it_and_what_was_before_it_is_taken() {
        for ends_at in 0..10_u64 {
            let mut taken = Vec::new();
            let pages = (0..10).map(|page| if page == ends_at { Err(Failed("page")) } else { Ok(page) });
            let done = in_order(
                pages,
                |page| page,
                |page| {
                    taken.push(page);
                    Ok(())
                },
            );
            assert_eq!((done, taken), (Err(Failed("page")), (0..ends_at).collect::<Vec<_>>()));
            let mut taken = Vec::new();
            let done = in_order(
                (0..10).map(Ok),
                |page| page,
                |page| {
                    taken.push(page);
                    if page == ends_at { Err(Failed("take")) } else { Ok(()) }
                },
            );
            assert_eq!((done, taken), (Err(Failed("take")), (0..=ends_at).collect::<Vec<_>>()));
        }
    }

    #[test]
    fn a_panic_of_the_work_is_one_of_the_caller() {
        let caught = panic::catch_unwind(|| {
            in_order([Ok::<_, Failed>(1_u8)], |_| -> u8 { panic!("of the work") }, |_| Ok(()))
        });
        let said = caught.expect_err("it panicked");
        assert_eq!(said.downcast_ref::<&str>(), Some(&"of the work"));
    }
}
