//! Images that do not fit in a row of slots, cut into tiles.
//!
//! A convolution over H×W outputs becomes several over ⌈H/a⌉×⌈W/b⌉ outputs, each with the (H/a − 1)·stride +
//! extent rows of the input that it reads; along an axis that is cut, padding is part of the input. In
//! go the layer and the slots of a row, out comes what one tile computes and how many there are.

use super::shape::{ConvShape, PackingError};
use crate::network::Shape;

/// Inputs and outputs along an axis.
pub(super) const fn lengths(conv: &ConvShape, output: Shape, axis: usize) -> (usize, usize) {
    match axis {
        0 => (conv.input.height, output.height),
        _ => (conv.input.width, output.width),
    }
}

/// Height and width of the grid that inputs and outputs share.
pub(super) fn grid(
    conv: &ConvShape,
    output: Shape,
    (phases, step): ([usize; 2], [usize; 2]),
) -> [usize; 2] {
    [0, 1].map(|axis| {
        let (inputs, outputs) = lengths(conv, output, axis);
        let inputs = inputs.div_ceil(phases[axis]);
        inputs.max((outputs - 1).saturating_mul(step[axis]).saturating_add(1))
    })
}

/// The fewest tiles whose grids fit in a row, fewer columns of tiles first: what one of them computes, and
/// their numbers.
pub(super) fn tiled(
    conv: &ConvShape,
    output: Shape,
    pace: ([usize; 2], [usize; 2]),
    row: usize,
) -> Result<(ConvShape, [usize; 2]), PackingError> {
    let slots = |tile: &ConvShape| {
        let [height, width] = grid(tile, tile.output().ok()?, pace);
        let slots = height.checked_mul(width)?;
        slots.checked_next_power_of_two().filter(|&s| s <= row)
    };
    if slots(conv).is_some() {
        return Ok((*conv, [1, 1]));
    }
    let whole = [output.height, output.width];
    let of_counts = |counts: [usize; 2]| tile_of(conv, whole, counts);
    let columns = std::iter::successors(Some(1), |&count| (count < whole[1]).then_some(2 * count));
    let fewest = columns.filter_map(|across| {
        let across = across.min(whole[1]);
        // More rows of tiles are smaller tiles: the least number that fits, by halving.
        let fits = |down: usize| slots(&of_counts([down, across])).is_some();
        let (mut low, mut high) = (0, whole[0]);
        fits(high).then_some(())?;
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            *(if fits(middle) { &mut high } else { &mut low }) = middle;
        }
        Some([high, across])
    });
    let counts = fewest.min_by_key(|counts| counts[0] * counts[1]);
    let [height, width] = grid(conv, output, pace);
    let counts = counts.ok_or(PackingError::ImageTooLarge { height, width, row })?;
    Ok((of_counts(counts), counts))
}

/// What each of so many tiles computes; along an axis of several tiles, padding is part of the input.
fn tile_of(conv: &ConvShape, whole: [usize; 2], counts: [usize; 2]) -> ConvShape {
    let mut tile = *conv;
    let mut sizes = [conv.input.height, conv.input.width];
    for axis in 0..2 {
        if counts[axis] > 1 {
            let outputs = whole[axis].div_ceil(counts[axis]);
            let extent = conv.extent(axis).unwrap_or(1);
            sizes[axis] = (outputs - 1) * conv.stride[axis] + extent;
            tile.padding[axis] = 0;
        }
    }
    tile.input = Shape::new(conv.input.channels, sizes[0], sizes[1]);
    tile
}
