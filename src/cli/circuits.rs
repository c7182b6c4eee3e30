//! The flags that say how the protocol is carried out: how circuits are garbled, where those wait that are
//! garbled beforehand, how much memory encoded weights may take.

use std::path::Path;

use anyhow::Context as _;

use super::error::Failure;
use super::globals::Globals;
use super::output;
use crate::gc::{Extension, GarblingHash};
use crate::protocol::{CircuitSettings, Delivery, Inbox, Party, ProtocolSettings};
use crate::units::Bytes;

/// Who garbles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Garbler {
    /// As in Gazelle; tables wait with the client.
    Server,
    /// Tables wait with the server, whose share is known before the input.
    Client,
}

/// When tables move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Moves {
    /// Before the input is known.
    Split,
    /// When they are evaluated; none waits.
    Streamed,
}

/// How labels are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Hash {
    /// Two AES calls, proved secure.
    Tmmo,
    /// One AES call under a key of its own, proved secure.
    Rekeyed,
    /// One AES call, not proved secure; to reproduce papers.
    FixedKeyAsInPapers,
}

/// How base transfers are stretched: bytes against work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stretch {
    /// 15.9 bytes a transfer.
    Iknp,
    /// 7.9 bytes a transfer.
    #[value(name = "softspoken2")]
    SoftSpoken2,
    /// 3.9 bytes a transfer.
    #[value(name = "softspoken4")]
    SoftSpoken4,
    /// 1.9 bytes a transfer.
    #[value(name = "softspoken8")]
    SoftSpoken8,
}

/// What was typed.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ProtocolArgs {
    /// Who garbles the circuits; the other party evaluates them
    #[arg(long, value_enum, default_value = "server")]
    garbler: Garbler,
    /// When the garbled tables move
    #[arg(long, value_enum, default_value = "split")]
    delivery: Moves,
    /// How wire labels are hashed
    #[arg(long, value_enum, default_value = "tmmo")]
    hash: Hash,
    /// How base transfers are stretched to many
    #[arg(long, value_enum, default_value = "softspoken4")]
    extension: Stretch,
    /// MiB that the server may keep of weights encoded ahead; those of layers beyond are encoded online
    /// [default: all are kept]
    #[arg(long, value_name = "MIB")]
    memory: Option<u32>,
}

impl ProtocolArgs {
    /// What it means; warns of a hash that is not proved secure.
    pub(super) fn settings(&self, globals: &Globals) -> ProtocolSettings {
        let mebibytes = |count: u32| Bytes(u64::from(count) << 20);
        ProtocolSettings {
            circuits: self.circuits(globals),
            weight_memory: self.memory.map(mebibytes),
        }
    }

    fn circuits(&self, globals: &Globals) -> CircuitSettings {
        let hash = match self.hash {
            Hash::Tmmo => GarblingHash::Tmmo,
            Hash::Rekeyed => GarblingHash::Rekeyed,
            Hash::FixedKeyAsInPapers => GarblingHash::FixedKeyAsInPapers,
        };
        if hash == GarblingHash::FixedKeyAsInPapers {
            let told = "--hash fixed-key-as-in-papers: not proved secure; to reproduce papers only";
            output::warn(globals, told);
        }
        CircuitSettings {
            garbler: match self.garbler {
                Garbler::Server => Party::Server,
                Garbler::Client => Party::Client,
            },
            delivery: match self.delivery {
                Moves::Split => Delivery::Split,
                Moves::Streamed => Delivery::Streamed,
            },
            hash,
            extension: match self.extension {
                Stretch::Iknp => Extension::Iknp,
                Stretch::SoftSpoken2 => Extension::SoftSpoken2,
                Stretch::SoftSpoken4 => Extension::SoftSpoken4,
                Stretch::SoftSpoken8 => Extension::SoftSpoken8,
            },
        }
    }
}

/// The inbox of `party`: where tables wait with it, in a nameless file in `store`, else in memory. The file is
/// gone when the inbox is.
pub(super) fn inbox(
    store: Option<&Path>,
    party: Party,
    circuits: &CircuitSettings,
) -> Result<Inbox, Failure> {
    let waits = circuits.delivery == Delivery::Split && circuits.garbler == party.other();
    match store.filter(|_| waits) {
        None => Ok(Inbox::default()),
        Some(folder) => {
            let file = tempfile::tempfile_in(folder);
            let told = || {
                format!(
                    "--store {}: expected a folder to write in",
                    folder.display()
                )
            };
            let file = file.with_context(told).map_err(Failure::Input)?;
            Ok(Inbox::on(Box::new(file)))
        }
    }
}
