//! What several checks share: reading Rust without its comments, reading documents.

pub(crate) mod documents;
pub(crate) mod source;
