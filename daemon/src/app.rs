//! Composition: where concrete things get their names.

mod arguments;
mod init;

pub use arguments::Arguments;
