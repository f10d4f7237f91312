//! countersignd: the daemon. See docs for the layers.

pub mod sign;
