//! Medians, spreads and ratios.
use crate::run::Sample;
use serde_json::Value;
use std::ops::RangeInclusive;

/// Figures of one subject in one row, round by round.
pub(crate) struct Figures {
    walls: Vec<f64>,
    cpus: Vec<f64>,
    extras: Vec<Vec<(&'static str, Value)>>,
}

impl Figures {
    /// Nanoseconds per operation of each round.
    pub(crate) fn of(samples: &[Sample]) -> Self {
        let per_op = |ns: fn(&Sample) -> Option<u64>| {
            let part =
                |sample: &Sample| ns(sample).map_or(f64::NAN, |ns| ns as f64 / sample.ops as f64);
            samples.iter().map(part).collect()
        };
        Self {
            walls: per_op(|sample| Some(sample.wall_ns)),
            cpus: per_op(|sample| sample.cpu_ns),
            extras: samples.iter().map(|sample| sample.extra.clone()).collect(),
        }
    }

    /// Rounds measured.
    pub(crate) fn rounds(&self) -> usize {
        self.walls.len()
    }

    /// Median nanoseconds of real time per operation.
    pub(crate) fn wall(&self) -> f64 {
        median(&self.walls)
    }

    /// Median nanoseconds of CPU time per operation; NaN where it is not known.
    pub(crate) fn cpu(&self) -> f64 {
        median(&self.cpus)
    }

    /// Greatest less least, as a part of the median: real time, CPU time.
    pub(crate) fn spread(&self) -> (f64, f64) {
        (spread(&self.walls), spread(&self.cpus))
    }

    /// Ratios to `base`: real time, CPU time.
    pub(crate) fn ratios(&self, base: &Self) -> (f64, f64) {
        (ratio(&self.walls, &base.walls), ratio(&self.cpus, &base.cpus))
    }

    /// Where the true ratios to `base` most likely lie: real time, CPU time.
    pub(crate) fn ratio_ranges(&self, base: &Self) -> (RangeInclusive<f64>, RangeInclusive<f64>) {
        let range = |ours, base| likely(&pairs(ours, base));
        (range(&self.walls, &base.walls), range(&self.cpus, &base.cpus))
    }

    /// What was measured besides: medians of numbers, the last of everything else.
    pub(crate) fn extra(&self) -> impl Iterator<Item = (String, Value)> {
        let last = self.extras.last().into_iter().flatten();
        last.map(|(name, value)| {
            let all = self.extras.iter().flatten().filter(|(of, _)| of == name);
            let numbers: Vec<f64> = all.filter_map(|(_, value)| value.as_f64()).collect();
            let shown = if numbers.is_empty() { value.clone() } else { median(&numbers).into() };
            ((*name).to_owned(), shown)
        })
    }
}

/// The median of the ratios of each round: what slows the whole machine for a
/// while hits both sides of a pair and cancels out.
fn ratio(ours: &[f64], base: &[f64]) -> f64 {
    median(&pairs(ours, base))
}

fn pairs(ours: &[f64], base: &[f64]) -> Vec<f64> {
    ours.iter().zip(base).map(|(ours, base)| ours / base).collect()
}

/// Where the true median lies, 19 times out of 20, whatever the noise is like (the sign test's
/// interval); of fewer than six values, somewhere between the least and the greatest.
fn likely(values: &[f64]) -> RangeInclusive<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let outside = ((count - 1.96 * count.sqrt()) / 2.0).max(0.0) as usize;
    match (sorted.get(outside), sorted.iter().rev().nth(outside)) {
        (Some(&low), Some(&high)) => low..=high,
        // Empty: nothing lies in it.
        _ => 1.0..=0.0,
    }
}

fn spread(values: &[f64]) -> f64 {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    (most - least) / median(values)
}

/// NaN of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.len() % 2, sorted.get(middle)) {
        (1, Some(&value)) => value,
        (_, Some(&above)) => (sorted[middle - 1] + above) / 2.0,
        (_, None) => f64::NAN,
    }
}

/// NaN of nothing.
pub(crate) fn geometric_mean(values: &[f64]) -> f64 {
    (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp()
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

    #[test]
    fn the_likely_range_leaves_out_what_is_rare() {
        assert_eq!(likely(&[3.0, 1.0, 2.0]), 1.0..=3.0);
        let many: Vec<f64> = (1..=15).map(f64::from).collect();
        assert_eq!(likely(&many), 4.0..=12.0);
        assert!(likely(&[]).is_empty());
    }

    #[test]
    fn spread_is_a_part_of_the_median() {
        assert_eq!(spread(&[90.0, 100.0, 120.0]), 0.3);
        assert_eq!(spread(&[7.0]), 0.0);
    }

    #[test]
    fn a_mean_of_ratios_is_geometric() {
        assert!((geometric_mean(&[0.5, 2.0]) - 1.0).abs() < 1e-12);
        assert!(geometric_mean(&[]).is_nan());
    }
}
