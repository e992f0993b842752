//! Medians and ratios.
use crate::run::Sample;

/// Figures of one subject in one row, round by round.
pub(crate) struct Figures {
    walls: Vec<f64>,
    cpus: Vec<f64>,
}

impl Figures {
    /// Nanoseconds per operation of each round.
    pub(crate) fn of(samples: &[Sample]) -> Self {
        let per_op = |ns: fn(&Sample) -> u64| {
            samples.iter().map(|sample| ns(sample) as f64 / sample.ops as f64).collect()
        };
        Self { walls: per_op(|sample| sample.wall_ns), cpus: per_op(|sample| sample.cpu_ns) }
    }

    /// Rounds measured.
    pub(crate) fn rounds(&self) -> usize {
        self.walls.len()
    }

    /// Median nanoseconds of real time per operation.
    pub(crate) fn wall(&self) -> f64 {
        median(&self.walls)
    }

    /// Median nanoseconds of CPU time per operation.
    pub(crate) fn cpu(&self) -> f64 {
        median(&self.cpus)
    }

    /// Ratios to `base`: real time, CPU time.
    pub(crate) fn ratios(&self, base: &Self) -> (f64, f64) {
        (ratio(&self.walls, &base.walls), ratio(&self.cpus, &base.cpus))
    }
}

/// The median of the ratios of each round: what slows the whole machine for a
/// while hits both sides of a pair and cancels out.
fn ratio(ours: &[f64], base: &[f64]) -> f64 {
    median(&ours.iter().zip(base).map(|(ours, base)| ours / base).collect::<Vec<_>>())
}

/// NaN of nothing.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.len() % 2, sorted.get(middle)) {
        (1, Some(&value)) => value,
        (_, Some(&above)) => (sorted[middle - 1] + above) / 2.0,
        (_, None) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_odd_even_and_none() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn ratio_is_taken_pair_by_pair() {
        // The machine is ten times slower in the second round, for both.
        assert_eq!(ratio(&[50.0, 500.0, 60.0], &[100.0, 1000.0, 100.0]), 0.5);
    }
}
