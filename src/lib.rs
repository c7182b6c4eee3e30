//! Private neural-network inference: what it costs, shown by running it.
//!
//! A network description goes in; each stage turns one plain value into the next. Modules are
//! listed in dependency order: a module uses itself and those above it, never below
//! (`tests/tidy.rs` holds this). `ARCHITECTURE.md` has the picture and the reasons.

pub mod units;

pub mod batch;

mod prefetch;

pub mod ring;

pub mod network;

pub mod security;

pub mod bfv;

pub mod gc;

pub mod packing;

pub mod params;

pub mod protocol;

pub mod calibrate;

pub mod predict;

pub mod verify;

pub mod train;

pub mod search;

pub mod relu;

pub mod report;

pub mod cli;

/// The examples of the front page, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct FrontPage;
