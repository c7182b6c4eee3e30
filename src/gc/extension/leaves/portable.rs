//! Sums of leaves in plain Rust: the definition, depth by depth. In and out as in `leaves`.

use super::{PIECE, Piece};

pub(super) fn add_up(leaves: &[Piece], v: &mut [Piece]) -> Piece {
    let mut nodes = leaves.to_vec();
    for v in v {
        let parents = nodes.chunks_exact(2).map(|pair| {
            add(v, &pair[1]);
            let mut parent = pair[0];
            add(&mut parent, &pair[1]);
            parent
        });
        nodes = parents.collect();
    }
    nodes.first().copied().unwrap_or_default()
}

fn add(x: &mut Piece, y: &Piece) {
    for q in 0..PIECE {
        for s in 0..4 {
            x[q].0[s] ^= y[q].0[s];
        }
    }
}
