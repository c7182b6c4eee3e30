//! Prices of profiles made up for a test: looked up, fitted, between places and sizes, refused.

use super::*;
use crate::bfv::HeOp;
use crate::calibrate::{Case, Record};
use crate::gc::{Extension, ShareFunction};
use crate::units::Bytes;

impl PriceList {
    /// The price with data from memory.
    fn told(&self, task: &Task) -> Result<Nanos, PriceError> {
        self.task(task, Reach::MEMORY)
    }
}

fn record(op: Op, n: usize, limbs: usize, param: &str, median: f64) -> Record {
    let case = Case {
        op,
        n,
        limbs,
        q_bits: 50 * limbs as u32,
        p_bits: 20,
        param: param.to_owned(),
        threads: 1,
        working_set: WorkingSet::Hot,
    };
    let time = Nanos(median);
    Record {
        case,
        samples: 9,
        median: time,
        low: time,
        high: time,
        bytes: Bytes(0),
    }
}

/// Additions that take n·limbs nanoseconds, transfers of 100 + 3·count, a link.
fn prices() -> PriceList {
    let add = Op::He(HeOp::Add);
    let sizes = [(4096, 1), (4096, 2), (8192, 1), (8192, 3)];
    let mut records: Vec<Record> = sizes
        .map(|(n, limbs)| record(add, n, limbs, "special=50", (n * limbs) as f64))
        .to_vec();
    for batch in [10.0, 100.0, 1000.0] {
        let param = format!("role=sender;extension=softspoken4;batch={batch}");
        records.push(record(Op::OtCorrelated, 0, 0, &param, 100.0 + 3.0 * batch));
        let param = format!("bytes={batch}");
        records.push(record(Op::Send, 0, 0, &param, 50.0 + 2.0 * batch));
    }
    records.push(record(Op::RoundTrip, 0, 0, "bytes=1", 20_000.0));
    PriceList::new(&Profile {
        records,
        ..Profile::default()
    })
}

fn additions(n: usize, limbs: usize) -> Task {
    let ring = RingSize {
        n,
        limbs,
        special: 1,
        digits: 0,
    };
    Task::He {
        op: HeOp::Add,
        ring,
        count: 2,
        streams: Streams::default(),
    }
}

#[test]
fn a_measured_case_is_looked_up_one_between_fitted_and_named_one_beyond_refused() {
    let prices = prices();
    assert_eq!(prices.told(&additions(4096, 2)), Ok(Nanos(2.0 * 8192.0)));
    assert!(prices.fitted().is_empty());
    let fitted = prices.told(&additions(8192, 2)).unwrap();
    assert!((fitted.0 / (2.0 * 16_384.0) - 1.0).abs() < 1e-6, "{fitted}");
    assert_eq!(prices.fitted(), ["add at n=8192, 2 limbs"]);
    for (n, limbs) in [(16_384, 2), (2048, 1), (8192, 4)] {
        assert!(prices.told(&additions(n, limbs)).is_err());
    }
}

#[test]
fn the_widest_fast_row_of_each_kind_of_key_switch_is_its_price() {
    let add = Op::He(HeOp::Add);
    let mut slow = record(add, 4096, 2, "special=37", 9e9);
    slow.case.q_bits = 72;
    let records = [
        record(add, 4096, 2, "special=50", 7.0),
        slow,
        record(add, 4096, 2, "special=50+50", 8.0),
        record(add, 4096, 2, "digit=25", 9.0),
        record(add, 4096, 2, "special=60", 9e9),
    ];
    let profile = Profile {
        records: records.to_vec(),
        ..Profile::default()
    };
    let list = PriceList::new(&profile);
    assert_eq!(list.told(&additions(4096, 2)), Ok(Nanos(14.0)));
    assert_eq!(list.exact.len(), 3);
    let price = |special, digits| {
        let (n, limbs) = (4096, 2);
        let ring = RingSize {
            n,
            limbs,
            special,
            digits,
        };
        list.he(HeOp::Add, ring, WorkingSet::Hot).ok()
    };
    assert_eq!(
        (price(2, 0), price(0, 2)),
        (Some(Nanos(8.0)), Some(Nanos(9.0)))
    );
    assert_eq!((price(3, 0), price(0, 3)), (None, None));
}

#[test]
fn a_batch_is_priced_between_its_neighbours() {
    let prices = prices();
    let sender = |count| {
        prices
            .told(&Task::ExtendOt {
                role: OtRole::Sender,
                extension: Extension::default(),
                count,
            })
            .unwrap()
            .0
    };
    assert!(
        (sender(100) - 400.0).abs() < 1e-6,
        "a size that was measured"
    );
    assert!(
        (sender(316) - 1048.0).abs() < 1e-6,
        "on the line through its neighbours"
    );
    assert!(prices.fitted().is_empty());
    assert!((sender(5) - 5.0 * 13.0).abs() < 1e-6, "as the smallest");
    assert!(
        (sender(10_000) - 10_000.0 * 3.1).abs() < 1e-6,
        "as the largest"
    );
    let told = "ot_correlated with extension=softspoken4, in sizes outside 10 to 1000";
    assert_eq!(prices.fitted(), [told], "never silently");
}

/// Each extension and each hash has its own rows; those that name none were measured with the first ones.
#[test]
fn transfers_and_circuits_are_priced_by_their_variant() {
    let transfers = |extension, median| {
        let param = format!("role=sender;{extension}batch=100");
        record(Op::OtCorrelated, 0, 0, &param, median)
    };
    let circuits = |hash, median| {
        let param = format!("circuit=relu;{hash}ands=10;batch=1");
        record(Op::Evaluate, 0, 0, &param, median)
    };
    let profile = Profile {
        records: vec![
            transfers("", 700.0),
            transfers("extension=softspoken4;", 400.0),
            transfers("extension=unheard_of;", 1.0),
            circuits("", 50.0),
            circuits("hash=rekeyed;", 70.0),
        ],
        ..Profile::default()
    };
    let prices = PriceList::new(&profile);
    let extended = |extension| {
        let (role, count) = (OtRole::Sender, 100);
        prices.told(&Task::ExtendOt {
            role,
            extension,
            count,
        })
    };
    assert_eq!(extended(Extension::Iknp), Ok(Nanos(700.0)));
    assert_eq!(extended(Extension::SoftSpoken4), Ok(Nanos(400.0)));
    let refused = extended(Extension::SoftSpoken8).unwrap_err().to_string();
    let named = "no row `ot_correlated` with extension=softspoken8: calibrate";
    assert!(refused.contains(named), "{refused}");
    let circuit = ShareCircuit {
        function: ShareFunction::relu(),
        p_in: 97,
        p_out: 97,
    };
    let evaluated = |hash| {
        let batch = 10;
        let task = Task::Evaluate {
            circuit,
            hash,
            batch,
            delivery: Delivery::Split,
        };
        Ok(prices.told(&task)?.0 / ands(&circuit))
    };
    assert_eq!(evaluated(GarblingHash::Tmmo), Ok(50.0));
    assert_eq!(evaluated(GarblingHash::Rekeyed), Ok(70.0));
    let refused: Result<f64, PriceError> = evaluated(GarblingHash::FixedKeyAsInPapers);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("hash=fixed_key_as_in_papers"), "{refused}");
}

#[test]
fn the_loopback_is_what_was_sent() {
    let link = prices().loopback().unwrap();
    assert!((link.mbit_per_s - 4000.0).abs() < 1e-6 && (link.rtt_ms - 0.02).abs() < 1e-9);
    assert_eq!(link.hand_over, None);
    let by_size = |sizes: &[(f64, f64)]| {
        let sent =
            |&(bytes, time): &(f64, f64)| record(Op::Send, 0, 0, &format!("bytes={bytes}"), time);
        let trip = record(Op::RoundTrip, 0, 0, "bytes=1", 2e4);
        let profile = Profile {
            records: sizes.iter().map(sent).chain([trip]).collect(),
            ..Profile::default()
        };
        let link = PriceList::new(&profile).loopback().unwrap();
        assert_eq!(link.after_others, None, "nothing was measured so");
        link.by_size
    };
    let sizes = [(1e3, 10.0), (1e6, 90.0), (1e7, 2e3)];
    assert_eq!(by_size(&sizes), Some(sizes));
    assert_eq!(by_size(&sizes[..2]), None);
    assert_eq!(by_size(&[(1e3, 10.0), (1e6, 9.0), (1e7, 2e3)]), None);
}

/// Sent once by a sender whose caches hold other things, and once in a stream.
#[test]
fn the_loopback_is_apart_after_other_work() {
    let sent = |working_set, bytes: usize, time| {
        let mut record = record(Op::Send, 0, 0, &format!("bytes={bytes}"), time);
        record.case.working_set = working_set;
        record
    };
    let sizes = [1000, 2000, 4000];
    let hot = sizes.map(|bytes| sent(WorkingSet::Hot, bytes, bytes as f64));
    let cold = sizes.map(|bytes| sent(WorkingSet::Cold, bytes, 500.0 + bytes as f64));
    let trip = record(Op::RoundTrip, 0, 0, "bytes=1", 2e4);
    let profile = Profile {
        records: hot.into_iter().chain(cold).chain([trip]).collect(),
        ..Profile::default()
    };
    let link = PriceList::new(&profile).loopback().unwrap();
    assert_eq!(link.time_in_stream(Bytes(3000)).0, 3000.0);
    assert_eq!(link.time(Bytes(3000)).0, 3500.0 + 1e4);
}

#[test]
fn a_link_to_another_machine_is_its_slower_direction() {
    let mut records = vec![record(Op::LinkRoundTrip, 0, 0, "bytes=1", 3e6)];
    for bytes in [1000.0, 10_000.0] {
        let param = format!("bytes={bytes}");
        records.push(record(Op::LinkOut, 0, 0, &param, 500.0 + 80.0 * bytes));
        records.push(record(Op::LinkIn, 0, 0, &param, 8.0 * bytes));
    }
    let mut profile = Profile {
        records,
        ..Profile::default()
    };
    let link = PriceList::new(&profile).distant().unwrap();
    assert!((link.mbit_per_s - 100.0).abs() < 1e-6 && link.rtt_ms == 3.0);
    assert_eq!(link.hand_over, None, "in older profiles");
    let handed = record(Op::HandOver, 0, 0, "bytes=1000", 130.0);
    profile.records.push(handed);
    let link = PriceList::new(&profile).distant().unwrap();
    assert_eq!(link.hand_over, Some(0.13));
    assert!(PriceList::new(&profile).loopback().is_err());
    profile.records.truncate(1);
    let refused = PriceList::new(&profile).distant().unwrap_err();
    assert!(
        refused.to_string().contains("--link HOST:PORT"),
        "{refused}"
    );
}

/// Prices are those of one thread; what several share is kept for the reader of the profile.
#[test]
fn rows_of_several_threads_price_nothing() {
    let mut shared = record(Op::He(HeOp::Add), 4096, 2, "special=50", 1.0);
    shared.case.threads = 2;
    let list = PriceList::new(&Profile {
        records: vec![
            shared,
            record(Op::He(HeOp::Add), 4096, 2, "special=50", 7.0),
        ],
        ..Profile::default()
    });
    assert_eq!(list.told(&additions(4096, 2)), Ok(Nanos(14.0)));
}

#[test]
fn what_was_not_measured_is_refused_by_name() {
    let prices = prices();
    let task = Task::ExtendOt {
        role: OtRole::Receiver,
        extension: Extension::default(),
        count: 1,
    };
    let refused = prices.told(&task).unwrap_err();
    assert!(refused.to_string().contains("ot_correlated"));
    let ring = RingSize {
        n: 4096,
        limbs: 1,
        special: 1,
        digits: 0,
    };
    let rotation = prices.he(HeOp::Rotate, ring, WorkingSet::Cold).unwrap_err();
    assert!(rotation.to_string().contains("`rotate` at n=4096, 1 limbs"));
}

/// Tables at hand, from the shared cache and from memory; transfers that were measured from the shared cache alone.
#[test]
fn a_batch_costs_what_its_data_comes_from() {
    let at = |working_set, op, param: &str, median| {
        let mut record = record(op, 0, 0, param, median);
        record.case.working_set = working_set;
        record
    };
    let circuits = "circuit=relu;hash=tmmo;ands=10;batch=1";
    let sets = [
        (WorkingSet::Hot, 50.0),
        (WorkingSet::Shared, 60.0),
        (WorkingSet::Cold, 80.0),
    ];
    let mut records = sets
        .map(|(set, median)| at(set, Op::Evaluate, circuits, median))
        .to_vec();
    let transfers = "role=sender;batch=20";
    records.push(at(WorkingSet::Shared, Op::OtDerandomize, transfers, 7.0));
    let prices = PriceList::new(&Profile {
        records,
        ..Profile::default()
    });
    let circuit = ShareCircuit {
        function: ShareFunction::relu(),
        p_in: 97,
        p_out: 97,
    };
    let evaluated = |delivery, megabytes: u64| {
        let (hash, batch) = (GarblingHash::Tmmo, 10);
        let task = Task::Evaluate {
            circuit,
            hash,
            batch,
            delivery,
        };
        let reach = Reach::of(Bytes(megabytes << 20));
        prices.task(&task, reach).unwrap().0 / ands(&circuit)
    };
    for (megabytes, each) in [(1, 50.0), (24, 60.0), (256, 80.0), (1000, 80.0)] {
        let split = evaluated(Delivery::Split, megabytes);
        assert!((split - each).abs() < 1e-9, "{megabytes} {split}");
        assert!((evaluated(Delivery::Streamed, megabytes) - 50.0).abs() < 1e-9);
    }
    let (role, count) = (OtRole::Sender, 20);
    let turned = prices.told(&Task::DerandomizeOt { role, count });
    assert_eq!(turned, Ok(Nanos(7.0)));
}
