//! Oblivious transfers as the protocol carries them out, messages written and read included.
//!
//! | operation | what one run does |
//! | --- | --- |
//! | `base_ot` | 128 transfers, and the protocol's extension set up from them; sender: offer made and written, reply read, seeds derived, trees grown, sums written; receiver: offer read, reply written, sums read, trees grown |
//! | `ot_correlated` | receiver: transfers extended, columns written; sender: columns read, transfers extended |
//! | `ot_random` | what `ot_correlated` does; then sender: pad keys drawn and written, rows hashed; receiver: keys read, rows hashed |
//! | `ot_chosen` | what `ot_random` does; then receiver: corrections written, messages read and unmasked; sender: corrections read, messages masked and written |
//!
//! Choices are the extension's own. A time is that of the whole batch. `ot_correlated`, which the protocol uses,
//! is measured shared and cold too, each run after a sweep through the caches. All extend the same base transfers, made
//! once.

use std::sync::LazyLock;

use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};
use zeroize::Zeroizing;

use super::case::{Case, Op};
use super::sweep::Sweep;
use super::workload::{Workload, WorkloadError};
use crate::gc::{
    BASE_TRANSFERS, BaseOtOffer, BaseOtReceiver, BaseOtReply, BaseOtSender, ChoiceCorrections,
    ChosenMessages, ChosenSeeds, Delta, Extension, ExtensionColumns, ExtensionReceiver,
    ExtensionSender, GcError, PadKeys, PreparedReceives, PreparedSends, RandomReceives,
    RandomSends, SeedPairs, TreeSums, pad_keys,
};
use crate::protocol::OtRole;
use crate::units::Bytes;

pub(super) fn workload(case: &Case, count: usize) -> Result<Workload<'static>, WorkloadError> {
    let refused = || WorkloadError::case(case, "batch of transfers");
    let role = case.role().ok_or_else(refused)?;
    if case.op == Op::BaseOt {
        let whole = count == BASE_TRANSFERS;
        return whole.then(|| base_transfers(role)).ok_or_else(refused)?;
    }
    let extension = case.extension().ok_or_else(refused)?;
    let transfers = Transfers::new(extension, count)?;
    match role {
        OtRole::Sender => transfers.sender_workload(case),
        OtRole::Receiver => transfers.receiver_workload(case),
    }
}

pub(super) fn generator() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(2)
}

pub(super) fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// What base transfers give both parties.
struct Bases {
    delta: Delta,
    pairs: SeedPairs,
    chosen: ChosenSeeds,
}

static BASES: LazyLock<Result<Bases, GcError>> = LazyLock::new(|| {
    let mut rng = generator();
    let delta = Delta::random(&mut rng);
    let (sender, offer) = BaseOtSender::offer(&mut rng);
    let (chosen, reply) = BaseOtReceiver::reply(&offer, &delta, &mut rng)?;
    let pairs = sender.finish(&reply)?;
    Ok(Bases {
        delta,
        pairs,
        chosen,
    })
});

/// A session's transfers, extended again from the start as often as is needed.
pub(super) struct Transfers {
    pub(super) count: usize,
    extension: Extension,
    bases: &'static Bases,
    /// The receiver's first columns.
    columns: Vec<u8>,
}

/// What follows the extension of chosen transfers, from the other party.
struct Chosen {
    corrections: Vec<u8>,
    keys: Vec<u8>,
    masked: Vec<u8>,
    messages: Vec<[u128; 2]>,
    bits: Vec<bool>,
}

impl Transfers {
    pub(super) fn new(extension: Extension, count: usize) -> Result<Self, WorkloadError> {
        let bases = BASES.as_ref().map_err(GcError::clone)?;
        let mut transfers = Self {
            count,
            extension,
            bases,
            columns: Vec::new(),
        };
        let (columns, _) = transfers.receiver().extend_random(count);
        columns.write(&mut transfers.columns);
        Ok(transfers)
    }

    pub(super) const fn delta(&self) -> &'static Delta {
        &self.bases.delta
    }

    fn receiver(&self) -> ExtensionReceiver {
        ExtensionReceiver::new(self.extension, &self.bases.pairs).0
    }

    fn sender(&self) -> Result<ExtensionSender, WorkloadError> {
        let Bases { pairs, chosen, .. } = self.bases;
        let (_, sums) = ExtensionReceiver::new(self.extension, pairs);
        Ok(ExtensionSender::new(
            self.extension,
            chosen,
            self.delta(),
            &sums,
        )?)
    }

    /// The transfers that the columns belong to, receiver's side.
    pub(super) fn receives(&self) -> PreparedReceives {
        self.receiver().extend_random(self.count).1
    }

    /// The same, sender's side.
    pub(super) fn sends(&self) -> Result<PreparedSends, WorkloadError> {
        self.extend_sender(&mut self.sender()?)
    }

    fn extend_sender(&self, sender: &mut ExtensionSender) -> Result<PreparedSends, WorkloadError> {
        let blocks = self.extension.random_blocks(self.count);
        let columns = ExtensionColumns::read(blocks, &self.columns)?;
        Ok(sender.extend(self.count, &columns)?)
    }

    fn extend_receiver(&self, receiver: &mut ExtensionReceiver) -> (Vec<u8>, PreparedReceives) {
        let (columns, prepared) = receiver.extend_random(self.count);
        (written(|out| columns.write(out)), prepared)
    }

    fn hash_sender(&self, sends: PreparedSends, rng: &mut ChaCha20Rng) -> (Vec<u8>, RandomSends) {
        let (keys, random) = sends.into_random(self.delta(), rng);
        (written(|out| keys.write(out)), random)
    }

    fn hash_receiver(
        &self,
        receives: PreparedReceives,
        keys: &[u8],
    ) -> Result<RandomReceives, WorkloadError> {
        Ok(receives.into_random(&PadKeys::read(pad_keys(self.count), keys)?)?)
    }

    fn transfer(&self, random: RandomSends, chosen: &Chosen) -> Result<Vec<u8>, WorkloadError> {
        let corrections = ChoiceCorrections::read(self.count, &chosen.corrections)?;
        let masked = random.transfer(&chosen.messages, &corrections)?;
        Ok(written(|out| masked.write(out)))
    }

    fn receive(&self, random: RandomReceives, chosen: &Chosen) -> Result<Received, WorkloadError> {
        let (corrections, pending) = random.correct(&chosen.bits)?;
        let corrections = written(|out| corrections.write(out));
        let masked = ChosenMessages::read(2 * self.count, &chosen.masked)?;
        Ok((corrections, pending.receive(&masked)?))
    }

    /// Random messages and bits, and both parties' messages for the first transfers.
    fn chosen(&self) -> Result<Chosen, WorkloadError> {
        let mut rng = generator();
        let mut chosen = Chosen {
            corrections: Vec::new(),
            keys: Vec::new(),
            masked: Vec::new(),
            messages: (0..self.count).map(|_| rng.random()).collect(),
            bits: (0..self.count).map(|_| rng.random()).collect(),
        };
        let (keys, random) = self.hash_sender(self.sends()?, &mut rng);
        let receives = self.hash_receiver(self.receives(), &keys)?;
        let (corrections, _) = receives.correct(&chosen.bits)?;
        chosen.keys = keys;
        corrections.write(&mut chosen.corrections);
        chosen.masked = self.transfer(random, &chosen)?;
        Ok(chosen)
    }

    fn sender_workload(self, case: &Case) -> Result<Workload<'static>, WorkloadError> {
        let (mut sender, mut rng, chosen) = (self.sender()?, generator(), self.chosen()?);
        let bytes = |of: &[u8]| Bytes(of.len() as u64);
        Ok(match case.op {
            Op::OtChosen => {
                let size = bytes(&chosen.keys) + bytes(&chosen.masked);
                Workload::again(size, move || {
                    let sends = self.extend_sender(&mut sender)?;
                    let (keys, random) = self.hash_sender(sends, &mut rng);
                    Ok((keys, self.transfer(random, &chosen)?))
                })
            }
            Op::OtRandom => Workload::again(bytes(&chosen.keys), move || {
                let sends = self.extend_sender(&mut sender)?;
                Ok(self.hash_sender(sends, &mut rng))
            }),
            _ => Workload::once(Bytes(0), between(case), move |()| {
                self.extend_sender(&mut sender)
            }),
        })
    }

    fn receiver_workload(self, case: &Case) -> Result<Workload<'static>, WorkloadError> {
        let (mut receiver, chosen) = (self.receiver(), self.chosen()?);
        let columns = Bytes(self.columns.len() as u64);
        Ok(match case.op {
            Op::OtChosen => {
                let size = columns + Bytes(chosen.corrections.len() as u64);
                Workload::again(size, move || {
                    let (columns, receives) = self.extend_receiver(&mut receiver);
                    let random = self.hash_receiver(receives, &chosen.keys)?;
                    Ok((columns, self.receive(random, &chosen)?))
                })
            }
            Op::OtRandom => Workload::again(columns, move || {
                let (columns, receives) = self.extend_receiver(&mut receiver);
                Ok((columns, self.hash_receiver(receives, &chosen.keys)?))
            }),
            _ => Workload::once(columns, between(case), move |()| {
                Ok(self.extend_receiver(&mut receiver))
            }),
        })
    }
}

/// What a session does between two extensions.
fn between(case: &Case) -> impl FnMut() -> Result<(), WorkloadError> + 'static {
    Sweep::before(case.working_set).alone()
}

/// Corrections sent, and messages received.
type Received = (Vec<u8>, Zeroizing<Vec<u128>>);

fn base_transfers(role: OtRole) -> Result<Workload<'static>, WorkloadError> {
    let extension = Extension::default();
    let mut rng = generator();
    let delta = Delta::random(&mut rng);
    let (_, offer) = BaseOtSender::offer(&mut generator());
    let offer = written(|out| offer.write(out));
    let reply = answer(&offer, &delta, &mut rng)?.1;
    let (_, sums) = ExtensionReceiver::new(extension, &offer_and_finish(&reply)?.1);
    let sums = written(|out| sums.write(out));
    Ok(match role {
        OtRole::Sender => Workload::again(Bytes((offer.len() + sums.len()) as u64), move || {
            let (offer, pairs) = offer_and_finish(&reply)?;
            let (receiver, sums) = ExtensionReceiver::new(extension, &pairs);
            Ok((offer, receiver, written(|out| sums.write(out))))
        }),
        OtRole::Receiver => Workload::again(Bytes(reply.len() as u64), move || {
            let (chosen, reply) = answer(&offer, &delta, &mut rng)?;
            let sums = TreeSums::read(extension, &sums)?;
            let sender = ExtensionSender::new(extension, &chosen, &delta, &sums)?;
            Ok((reply, sender))
        }),
    })
}

/// The sender's side: the offer that `reply` answers, and the seeds.
fn offer_and_finish(reply: &[u8]) -> Result<(Vec<u8>, SeedPairs), WorkloadError> {
    let (sender, offer) = BaseOtSender::offer(&mut generator());
    let offer = written(|out| offer.write(out));
    Ok((offer, sender.finish(&BaseOtReply::read(reply)?)?))
}

/// The receiver's side.
fn answer(
    offer: &[u8],
    delta: &Delta,
    rng: &mut ChaCha20Rng,
) -> Result<(ChosenSeeds, Vec<u8>), WorkloadError> {
    let (seeds, reply) = BaseOtReceiver::reply(&BaseOtOffer::read(offer)?, delta, rng)?;
    Ok((seeds, written(|out| reply.write(out))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_the_base_transfers_fit_together() {
        let mut transfers = Transfers::new(Extension::default(), 100).unwrap();
        let (_, offer) = BaseOtSender::offer(&mut generator());
        let offer = written(|out| offer.write(out));
        let delta = Delta::random(&mut generator());
        let (chosen, reply) = answer(&offer, &delta, &mut generator()).unwrap();
        let (again, pairs) = offer_and_finish(&reply).unwrap();
        assert_eq!(again, offer);
        transfers.bases = Box::leak(Box::new(Bases {
            delta,
            pairs,
            chosen,
        }));
        transfers.columns.clear();
        let (columns, _) = transfers.receiver().extend_random(100);
        columns.write(&mut transfers.columns);
        assert_eq!(received(&transfers), wanted(&transfers));
    }

    fn received(transfers: &Transfers) -> Vec<u128> {
        let chosen = transfers.chosen().unwrap();
        let random = transfers.hash_receiver(transfers.receives(), &chosen.keys);
        let (corrections, messages) = transfers.receive(random.unwrap(), &chosen).unwrap();
        assert_eq!(corrections, chosen.corrections);
        messages.to_vec()
    }

    fn wanted(transfers: &Transfers) -> Vec<u128> {
        let Chosen { messages, bits, .. } = transfers.chosen().unwrap();
        let pairs = messages.iter().zip(&bits);
        pairs.map(|(x, &b)| x[usize::from(b)]).collect()
    }

    #[test]
    fn every_message_that_is_wanted_arrives_and_every_workload_runs() {
        for extension in Extension::ALL {
            let transfers = Transfers::new(extension, 200).unwrap();
            assert_eq!(received(&transfers), wanted(&transfers));
            for role in [OtRole::Sender, OtRole::Receiver] {
                for op in [Op::OtCorrelated, Op::OtRandom, Op::OtChosen] {
                    let case = Case::extended(op, extension, role, 200);
                    let mut workload = workload(&case, 200).unwrap();
                    assert!(workload.time(2).unwrap().0 > 0.0, "{case}");
                }
            }
        }
    }
}
