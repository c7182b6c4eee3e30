//! Independent pieces of work, over the threads of the pool.
//!
//! Items in, results out, in order; which thread does which item never shows in a result. The pool is
//! rayon's: by default one thread a core, and the `nass` command sets it to its `--threads`. With one
//! thread or one item everything runs on the caller's own thread, whose clock then counts it.

use rayon::prelude::*;

/// `work` on every item.
pub fn map<T: Send, U: Send>(items: Vec<T>, work: impl Fn(T) -> U + Sync + Send) -> Vec<U> {
    if items.len() < 2 || rayon::current_num_threads() == 1 {
        items.into_iter().map(work).collect()
    } else {
        items.into_par_iter().map(work).collect()
    }
}

/// `work` on every item, up to an error: the first in the order of the items.
///
/// # Errors
/// Those of `work`.
pub fn try_map<T: Send, U: Send, E: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> Result<U, E> + Sync + Send,
) -> Result<Vec<U>, E> {
    map(items, work).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_with_any_number_of_threads() {
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let squares = map((0..100).collect(), |x: u64| x * x);
                assert!(squares.into_iter().eq((0..100).map(|x| x * x)));
                let small = |x: u64| if x < 50 { Ok(x) } else { Err(x) };
                assert_eq!(try_map((0..100).collect(), small), Err(50));
                assert_eq!(try_map((0..3).collect(), small), Ok(vec![0, 1, 2]));
            });
        }
    }

    #[test]
    fn one_thread_is_the_callers() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        pool.unwrap().install(|| {
            let here = std::thread::current().id();
            let ids = map(vec![(); 4], |()| std::thread::current().id());
            assert_eq!(ids, [here; 4]);
        });
        let here = std::thread::current().id();
        assert_eq!(map(vec![()], |()| std::thread::current().id()), [here]);
    }
}
