//! Selection as a whole: on the built-in networks, on random layers, on impossible requests.

use super::*;
use crate::network::{ResolvedNetwork, zoo};

fn resolved(name: &str) -> ResolvedNetwork {
    zoo::load(name).unwrap().resolve(None).unwrap()
}

#[test]
fn peek() {
    for name in zoo::names() {
        let net = match zoo::load(name).unwrap().resolve(None) {
            Ok(n) => n,
            Err(e) => {
                println!("{name}: {e}");
                continue;
            }
        };
        let start = std::time::Instant::now();
        let s = select_network(&net, &Request::default(), &TransformPrices);
        println!("== {name} {:?}", start.elapsed());
        match s {
            Err(e) => println!("{e}"),
            Ok(s) => {
                for (step, l) in net.steps.iter().zip(&s.layers) {
                    if let Some(l) = l {
                        println!(
                            "{} n={} p={} q={:?} {} total={:.1} f={:?} reply={} fail={:.0} margin={:.2}",
                            step.name,
                            l.n,
                            l.p_bits,
                            l.q.iter().map(|q| q.ilog2() + 1).collect::<Vec<_>>(),
                            l.special[0].ilog2() + 1,
                            l.total_bits,
                            l.flooding_log2,
                            l.reply_limbs,
                            l.failure_log2,
                            l.noise_margin_bits
                        );
                    }
                }
            }
        }
    }
}
