//! The rounds of one program: all its subjects in turn.
use crate::hold;
use crate::progress::Progress;
use crate::rows::{Cell, Program, Work};
use crate::run::{self, Miss, Place, Sample};
use crate::stats::Figures;
use crate::subject::Subject;
use std::collections::BTreeMap;

/// Figures of one subject, or why there are none.
pub(crate) type Outcome = Result<Figures, Miss>;

type Found = BTreeMap<Subject, Result<Vec<Sample>, Miss>>;

/// All subjects in turn, round after round, so that a change of the machine's
/// mood meets all of them.
pub(crate) fn program(
    place: &Place,
    program: &Program,
    rounds: usize,
    progress: &mut Progress,
) -> Vec<Cell> {
    if let Work::Hold(seconds) = program.work {
        return vec![hold::run(place, program.group, seconds, progress)];
    }
    let mut found = Found::new();
    for round in 0..rounds {
        for &subject in program.subjects() {
            progress.show(&format!("{}, round {}, {}", program.name(), round + 1, subject.name()));
            let entry = found.entry(subject).or_insert_with(|| Ok(Vec::new()));
            let Ok(samples) = entry else { continue };
            match run::once(place, program, subject) {
                Ok(more) => samples.extend(more),
                Err(miss) => {
                    if let Miss::Failed(reason) = &miss {
                        progress.say(&format!(
                            "{} on {}: {reason}",
                            program.name(),
                            subject.name()
                        ));
                    }
                    *entry = Err(miss);
                }
            }
        }
        progress.advance(program.seconds());
    }
    excuse(&mut found, program);
    program.rows().iter().map(|row| cell(&found, program, row)).collect()
}

/// One of libuv's programs that fails on libuv itself is no failure of anyone measured.
fn excuse(found: &mut Found, program: &Program) {
    let (Work::Suite(_), Some(Err(Miss::Failed(reason)))) =
        (&program.work, found.get(&Subject::Libuv))
    else {
        return;
    };
    let reason = format!("it fails on libuv itself: {reason}");
    for outcome in found.values_mut().filter(|outcome| outcome.is_err()) {
        *outcome = Err(Miss::Absent(reason.clone()));
    }
}

fn cell(found: &Found, program: &Program, row: &String) -> Cell {
    let outcome = |subject: Subject| -> Outcome {
        match found.get(&subject) {
            Some(Err(miss)) => Err(miss.clone()),
            Some(Ok(samples)) if samples.iter().any(|sample| sample.row == *row) => {
                let of_row = samples.iter().filter(|sample| sample.row == *row);
                Ok(Figures::of(&of_row.cloned().collect::<Vec<_>>()))
            }
            _ => Err(Miss::Failed(format!("the program printed no result for {row}"))),
        }
    };
    let outcomes = program.subjects().iter().map(|&subject| (subject, outcome(subject)));
    Cell { group: program.group, row: row.clone(), outcomes: outcomes.collect() }
}
