//! Whether the rounds so far leave open if a promise held: then there are more.
use crate::bars::{self, Limit};
use crate::families;
use crate::rows::Cell;
use crate::stats::Figures;

/// Of fewer rounds none is believed that says that a promise is broken: two agree by chance.
pub(crate) const ENOUGH: usize = 5;

/// Whether any promise about these rows is neither kept nor broken beyond the noise of the rounds.
pub(crate) fn remains(cells: &[Cell]) -> bool {
    cells.iter().any(|cell| limits(cell).iter().any(|limit| is_open(cell, limit)))
}

fn limits(cell: &Cell) -> Vec<Limit> {
    let mut limits = bars::limits(&cell.row);
    limits.extend(families::limits(cell));
    limits
}

fn is_open(cell: &Cell, limit: &Limit) -> bool {
    let of = |column: &str| {
        let (_, outcome) = cell.outcomes.iter().find(|(subject, _)| subject.name() == column)?;
        outcome.as_ref().ok()
    };
    let (Some(ours), Some(base)) = (of(limit.column), of(limit.against)) else { return false };
    is_within(ours, base, limit)
}

fn is_within(ours: &Figures, base: &Figures, limit: &Limit) -> bool {
    let (wall, cpu) = ours.ratio_ranges(base);
    let range = if limit.of_cpu { cpu } else { wall };
    let seems_broken = !range.is_empty() && *range.start() > limit.most;
    range.contains(&limit.most) || (seems_broken && ours.rounds() < ENOUGH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Sample;

    fn figures(walls: &[u64]) -> Figures {
        let sample = |&wall_ns: &u64| Sample {
            row: String::new(),
            ops: 1,
            wall_ns,
            cpu_ns: None,
            extra: Vec::new(),
        };
        Figures::of(&walls.iter().map(sample).collect::<Vec<_>>())
    }

    #[test]
    fn a_promise_is_open_while_it_lies_within_the_rounds() {
        let base = figures(&[100; 5]);
        let limit = |most| Limit { column: "a", against: "b", of_cpu: false, most };
        let ours = figures(&[90, 95, 99, 101, 104]);
        assert!(is_within(&ours, &base, &limit(1.0)));
        assert!(!is_within(&ours, &base, &limit(1.1)), "kept");
        assert!(!is_within(&ours, &base, &limit(0.8)), "broken");
        let (few, base) = (figures(&[90, 95]), figures(&[100; 2]));
        assert!(is_within(&few, &base, &limit(0.8)), "broken, by two rounds");
        assert!(!is_within(&few, &base, &limit(1.1)), "kept");
    }
}
