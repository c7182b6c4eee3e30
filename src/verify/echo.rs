//! A link between two machines, measured against a peer that answers.
//!
//! | request | answer |
//! | --- | --- |
//! | [`TAKE`], a length, so many bytes | [`TAKE`], 0, when all have arrived |
//! | [`GIVE`], a length | [`GIVE`], the length, so many bytes |
//! | [`END`], 0 | |
//!
//! A tag is a byte, a length eight, the least first. A round trip is the time of nothing taken; the time of a long
//! message taken or given less a round trip is its time on the way out or back, so that the directions are apart and no
//! clocks need to agree. Bytes are random: no link compresses them. The rounds go through everything in turn. Longer
//! messages are left out where the link is slow, shorter ones where they took hardly longer than a round trip, as they do
//! between busy machines: what is left of their time says nothing.

use std::time::Duration;

use rand::rngs::ChaCha20Rng;
use rand::{Rng as _, SeedableRng};
use thiserror::Error;

use super::channel::{Channel, ChannelError};
use crate::calibrate::{Calibration, Case, Op, Taking, summarize, time};
use crate::units::{Bytes, Nanos};

const TAKE: u8 = 0x61;
const GIVE: u8 = 0x62;
const END: u8 = 0x63;
/// Bytes of a tag and a length.
const HEADER: usize = 9;
/// Lengths of messages.
const LENGTHS: [usize; 3] = [64 << 10, 1 << 20, 16 << 20];
const LONGEST: usize = LENGTHS[LENGTHS.len() - 1];
/// How many times longer each is than the one before.
const LONGER: f64 = (LENGTHS[1] / LENGTHS[0]) as f64;
const ROUNDS: usize = 5;
/// Exchanges of one kind before the rounds; the quickest met the fewest others.
const TRIES: usize = 3;
/// Round trips that a message must take for its time to say how fast the link is.
const TOLD: f64 = 2.0;
/// Most exchanges of one kind in a round.
const MOST: usize = 20;
/// Most requests that a peer answers.
const PATIENT: usize = 10_000;

/// Why a measurement of a link ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EchoError {
    /// The channel failed.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// Not a frame that comes next.
    #[error(
        "the other end does not measure a link: tag {tag}, length {length}; expected {expected}"
    )]
    Frame {
        /// Its tag.
        tag: u8,
        /// Its length.
        length: u64,
        /// What was expected.
        expected: &'static str,
    },
    /// A peer that never ends.
    #[error("the other end asked {PATIENT} times and did not end")]
    Endless,
}

/// What is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exchange {
    Trip,
    Out(usize),
    Back(usize),
}

impl Exchange {
    fn case(self) -> Case {
        match self {
            Self::Trip => Case::link(Op::LinkRoundTrip, 1),
            Self::Out(length) => Case::link(Op::LinkOut, length),
            Self::Back(length) => Case::link(Op::LinkIn, length),
        }
    }

    fn bytes(self) -> Bytes {
        match self {
            Self::Trip => Bytes(0),
            Self::Out(length) | Self::Back(length) => Bytes(length as u64),
        }
    }
}

/// One end, with memory for the longest message.
struct End<'a> {
    channel: &'a mut Channel,
    message: Vec<u8>,
    taken: Vec<u8>,
}

impl<'a> End<'a> {
    fn new(channel: &'a mut Channel) -> Self {
        let mut message = vec![0; HEADER + LONGEST];
        ChaCha20Rng::seed_from_u64(1).fill_bytes(&mut message);
        let taken = vec![1; LONGEST];
        Self {
            channel,
            message,
            taken,
        }
    }

    /// Sends a frame that announces `length` and holds `payload` bytes.
    fn send(&mut self, tag: u8, length: usize, payload: usize) -> Result<(), EchoError> {
        self.message[0] = tag;
        self.message[1..HEADER].copy_from_slice(&(length as u64).to_le_bytes());
        Ok(self.channel.send_raw(&self.message[..HEADER + payload])?)
    }

    /// Receives a tag and a length, of [`LONGEST`] at most.
    fn receive(&mut self, expected: &'static str) -> Result<(u8, usize), EchoError> {
        let mut header = [0; HEADER];
        self.channel.receive_raw_into(&mut header)?;
        let [tag, length @ ..] = header;
        let length = u64::from_le_bytes(length);
        let allowed = usize::try_from(length).ok().filter(|l| *l <= LONGEST);
        match allowed {
            Some(length) if (TAKE..=END).contains(&tag) => Ok((tag, length)),
            _ => Err(EchoError::Frame {
                tag,
                length,
                expected,
            }),
        }
    }

    fn take(&mut self, length: usize) -> Result<(), EchoError> {
        Ok(self.channel.receive_raw_into(&mut self.taken[..length])?)
    }

    /// Answers the next request; whether there may be more.
    fn answer(&mut self) -> Result<bool, EchoError> {
        match self.receive("a request of at most 16 MiB")? {
            (TAKE, length) => {
                self.take(length)?;
                self.send(TAKE, 0, 0)?;
            }
            (GIVE, length) => self.send(GIVE, length, length)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// One exchange from the asking end.
    fn exchange(&mut self, exchange: Exchange) -> Result<(), EchoError> {
        let (tag, length) = match exchange {
            Exchange::Trip => (TAKE, 0),
            Exchange::Out(length) => (TAKE, length),
            Exchange::Back(length) => (GIVE, length),
        };
        let (payload, answer) = if tag == TAKE {
            (length, 0)
        } else {
            (0, length)
        };
        self.send(tag, length, payload)?;
        let expected = "the answer to a request";
        let got = self.receive(expected)?;
        if got != (tag, answer) {
            return Err(EchoError::Frame {
                tag: got.0,
                length: got.1 as u64,
                expected,
            });
        }
        self.take(answer)
    }

    fn timed(&mut self, exchange: Exchange) -> Result<Nanos, EchoError> {
        let (done, taken) = time(|| self.exchange(exchange));
        done.map(|()| taken)
    }

    /// The quickest of a few.
    fn quickest(&mut self, exchange: Exchange) -> Result<Nanos, EchoError> {
        let mut least = Nanos(f64::INFINITY);
        for _ in 0..TRIES {
            least = Nanos(least.0.min(self.timed(exchange)?.0));
        }
        Ok(least)
    }

    /// The exchanges that fit into a share of `budget` each round, each done already, and how many: round trips first,
    /// then messages, the longest last.
    fn choose(&mut self, budget: Nanos) -> Result<Vec<(Exchange, usize)>, EchoError> {
        let of_round = budget.0 / ROUNDS as f64 / (1 + 2 * LENGTHS.len()) as f64;
        let count = |took: Nanos| ((of_round / took.0) as usize).clamp(1, MOST);
        let trip = self.quickest(Exchange::Trip)?;
        let mut chosen = vec![(Exchange::Trip, count(trip))];
        for length in LENGTHS {
            let mut slower = Nanos(0.0);
            for exchange in [Exchange::Out(length), Exchange::Back(length)] {
                let took = self.quickest(exchange)?;
                chosen.push((exchange, count(took)));
                slower = Nanos(slower.0.max(took.0));
            }
            let next = trip + (slower - trip) * LONGER;
            if next.0 > 2.0 * of_round {
                break;
            }
        }
        Ok(chosen)
    }
}

/// Answers a peer that measures until it says that it has done.
///
/// # Errors
/// The channel fails, or what arrives is no request of [`measure_link`].
pub fn serve_link(channel: &mut Channel) -> Result<(), EchoError> {
    let mut end = End::new(channel);
    for _ in 0..PATIENT {
        if !end.answer()? {
            return Ok(());
        }
    }
    Err(EchoError::Endless)
}

/// Measures the link to a peer that runs [`serve_link`], in about `budget`: the round trip, and messages out and
/// back, less the round trip.
///
/// # Errors
/// The channel fails, or what arrives is no answer of [`serve_link`].
pub fn measure_link(channel: &mut Channel, budget: Duration) -> Result<Calibration, EchoError> {
    let mut end = End::new(channel);
    let chosen = end.choose(Nanos::from_seconds(budget.as_secs_f64()))?;
    let mut times: Vec<Vec<Nanos>> = vec![Vec::new(); chosen.len()];
    for _ in 0..ROUNDS {
        for (&(exchange, count), times) in chosen.iter().zip(&mut times) {
            for _ in 0..count {
                times.push(end.timed(exchange)?);
            }
        }
    }
    end.send(END, 0, 0)?;
    let taken = chosen.iter().zip(times);
    let taken = taken.map(|((exchange, _), times)| Taking {
        case: exchange.case(),
        bytes: exchange.bytes(),
        times,
    });
    Ok(Calibration::of(telling(taken.collect())))
}

/// What says how fast the link is: round trips, the longest messages, and those that took much longer than a round trip.
fn telling(mut taken: Vec<Taking>) -> Vec<Taking> {
    let median = |taking: &Taking| summarize(&taking.times).map(|summary| summary.median);
    let trip = taken.first().and_then(median).unwrap_or_default();
    let longest = taken.last().map_or(Bytes(0), |taking| taking.bytes);
    taken.retain(|taking| {
        let told = median(taking).is_some_and(|time| time.0 > TOLD * trip.0);
        told || taking.bytes == longest || taking.bytes == Bytes(0)
    });
    taken
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::predict::PriceList;
    use crate::protocol::Link;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn streams() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    fn channel(stream: TcpStream) -> Channel {
        Channel::new(stream, PATIENCE).unwrap()
    }

    /// A link whose directions differ is told as it is, in both.
    #[test]
    fn a_shaped_link_is_measured_as_it_was_shaped() {
        let (near, far) = streams();
        let link = |mbit_per_s| Link {
            mbit_per_s,
            rtt_ms: 6.0,
            hand_over: None,
            by_size: None,
            after_others: None,
        };
        let mut near = channel(near).shaped(link(200.0)).unwrap();
        let mut far = channel(far).shaped(link(50.0)).unwrap();
        let peer = std::thread::spawn(move || serve_link(&mut far));
        let measured = measure_link(&mut near, Duration::from_secs(2)).unwrap();
        peer.join().unwrap().unwrap();
        assert!(measured.failed.is_empty());
        let longest = |op| {
            let of = measured.profile.records.iter().filter(|r| r.case.op == op);
            of.max_by_key(|r| r.bytes.0).unwrap()
        };
        for (op, expected) in [(Op::LinkOut, 200.0), (Op::LinkIn, 50.0)] {
            let record = longest(op);
            let mbit_per_s = 8e3 * record.bytes.0 as f64 / record.median.0;
            assert!(
                (mbit_per_s / expected - 1.0).abs() < 0.2,
                "{op}: {mbit_per_s}"
            );
            assert!(
                record.bytes.0 < LONGEST as u64,
                "16 MiB would take too long"
            );
            assert!(record.samples >= ROUNDS as u64);
        }
        let told = PriceList::new(&measured.profile).distant().unwrap();
        assert!((told.mbit_per_s / 50.0 - 1.0).abs() < 0.2, "{told:?}");
        assert!((6.0..12.0).contains(&told.rtt_ms), "{told:?}");
    }

    /// Round trips that waited for a core hide short messages; the longest ones stay whatever they took.
    #[test]
    fn messages_that_took_hardly_longer_than_a_round_trip_say_nothing() {
        let taking = |exchange: Exchange, time| Taking {
            case: exchange.case(),
            bytes: exchange.bytes(),
            times: vec![Nanos(0.05e6), Nanos(time), Nanos(20e6)],
        };
        let told = telling(vec![
            taking(Exchange::Trip, 4e6),
            taking(Exchange::Out(1000), 4e6),
            taking(Exchange::Back(1000), 9e6),
            taking(Exchange::Out(16_000), 10e6),
            taking(Exchange::Back(16_000), 7e6),
        ]);
        let told = told.iter().map(|taking| (taking.case.op, taking.bytes.0));
        let expected = [
            (Op::LinkRoundTrip, 0),
            (Op::LinkIn, 1000),
            (Op::LinkOut, 16_000),
            (Op::LinkIn, 16_000),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_peer_refuses_what_is_no_request() {
        for (bytes, told) in [
            (vec![0xa5; 64], "tag 165"),
            ([&[TAKE][..], &[0xff; 8]].concat(), "expected a request"),
            (
                [&[GIVE][..], &(LONGEST as u64 + 1).to_le_bytes()].concat(),
                "expected a request",
            ),
            (vec![TAKE, 9], "gone"),
        ] {
            let (mut near, far) = streams();
            near.write_all(&bytes).unwrap();
            near.shutdown(std::net::Shutdown::Write).unwrap();
            let error = serve_link(&mut channel(far)).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn answers_that_are_none_and_silence_end_a_measurement() {
        for answer in [
            [0xa5; HEADER],
            [GIVE, 1, 0, 0, 0, 0, 0, 0, 0],
            [END, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            let (near, mut far) = streams();
            far.write_all(&answer).unwrap();
            let error = measure_link(&mut channel(near), PATIENCE).unwrap_err();
            assert!(matches!(error, EchoError::Frame { .. }), "{error}");
        }
        let (near, mut far) = streams();
        let mut near = channel(near).with_patience(Duration::from_millis(200));
        let error = measure_link(&mut near, PATIENCE).unwrap_err();
        assert!(error.to_string().contains("silent"), "{error}");
        assert_eq!(
            far.read(&mut [0; 100]).unwrap(),
            HEADER,
            "one request, no more"
        );
    }
}
