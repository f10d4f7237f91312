//! A bar for anything long, on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::screen::Screen;

/// How far a command is.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar over a number of things, hidden where nobody watches or there is nothing to wait for.
    #[must_use]
    pub fn over(screen: &Screen, things: u64, what: &'static str) -> Self {
        if !screen.shows_bars() || things < 2 {
            return Self(ProgressBar::hidden());
        }
        let bar =
            ProgressBar::with_draw_target(Some(things), ProgressDrawTarget::stderr()).with_message(what);
        let style = ProgressStyle::with_template(
            "{msg} [{bar:30}] {human_pos} of {human_len}, {per_sec}, {eta} left",
        );
        Self(bar.with_style(
            style.unwrap_or_else(|_broken_template| ProgressStyle::default_bar()).progress_chars("=> "),
        ))
    }

    /// So many more are done.
    pub fn more(&self, done: u64) {
        self.0.inc(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
