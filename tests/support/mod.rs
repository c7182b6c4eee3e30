//! What several checks share: reading Rust without its comments, reading documents.

pub mod documents;
pub mod source;
