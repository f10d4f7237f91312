//! What commands print, at 80 columns.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::screen::{Output, Screen};

/// A screen of 80 columns that remembers what was written.
pub struct Paper {
    output: Output,
    out: Sheet,
    err: Sheet,
}

#[derive(Clone, Default)]
struct Sheet(Arc<Mutex<Vec<u8>>>);

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    /// A blank one.
    pub fn new(output: Output) -> Self {
        Self { output, out: Sheet::default(), err: Sheet::default() }
    }

    /// A screen onto it.
    pub fn screen(&self) -> Screen {
        Screen::into_places(self.output, 80, Box::new(self.out.clone()), Box::new(self.err.clone()))
    }

    /// What standard output got.
    pub fn out(&self) -> String {
        String::from_utf8(self.out.0.lock().unwrap().clone()).unwrap()
    }

    /// What standard error got.
    pub fn err(&self) -> String {
        String::from_utf8(self.err.0.lock().unwrap().clone()).unwrap()
    }
}
