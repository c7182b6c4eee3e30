//! How a layer becomes work and messages for two parties, offline and online.
//!
//! [`gazelle()`] writes a [`Script`] for a resolved network and the parameters of its linear layers. The
//! predictor adds up its tasks and messages; [`Client`] and [`Server`] carry it out, message by
//! message, without I/O. Nothing here knows how long anything takes, but for the [`Link`].

mod circuit_script;
mod circuit_side;
mod client;
mod error;
mod evaluator;
mod garbler;
mod gazelle;
mod inbox;
mod layer_work;
mod linear_values;
mod link;
mod party;
mod roles;
mod server;
mod shares;
mod square;
mod steps;
mod task;
mod values;
mod work;

pub use client::Client;
pub use error::{PartyError, ProtocolError};
pub use gazelle::{circuit_actions, gazelle, gazelle_with};
pub use inbox::{Inbox, Store};
pub use link::{BySize, Link, LinkError};
pub use roles::{
    CircuitSettings, Delivery, Known, OtRole, Party, Phase, ProtocolSettings, RingSize,
    WeightEncoding,
};
pub use server::Server;
pub(crate) use shares::{drawn, local_sums, negated, opened, pack};
pub use task::{Streams, Task};
pub use values::ValueOp;
pub use work::{
    Act, Action, FRAME_HEADER, Message, MessageKind, RingKeys, Script, StepPlan, TransferTimes,
};

#[cfg(test)]
mod square_tests;
#[cfg(test)]
mod tests;
