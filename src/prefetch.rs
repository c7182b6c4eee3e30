//! Memory asked for before it is read.
//!
//! What streams from memory, each byte once (weights, keys, tables), comes faster when it is asked for some
//! kilobytes ahead: a processor's own prefetchers stay close to what is read, and wait at the end of each page.

use prefetch_index::prefetch_index;

/// So many bytes ahead.
pub(crate) const AHEAD: usize = 8192;

/// Asks for item `at` of what will be read; it may lie beyond the end.
#[inline(always)]
pub(crate) fn prefetch<T>(what: &[T], at: usize) {
    prefetch_index(what, at);
}

/// Asks for what lies [`AHEAD`] bytes after item `at` of a stream; beyond its end lies mostly what is read next.
#[inline(always)]
pub(crate) fn prefetch_ahead<T>(stream: &[T], at: usize) {
    prefetch(stream, at + AHEAD / size_of::<T>());
}
