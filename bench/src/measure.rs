//! The rounds of one program: all its subjects in turn.
use crate::doubt;
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

/// Seconds that a program may take beyond its rounds, for a promise that they leave open; one that
/// runs for long gets as many rounds as are believed all the same.
const DOUBT_S: f64 = 24.0;

/// Of the time for such rounds, what is kept for rows that have fewer than are believed: the last
/// ones are programs that run for long.
const KEPT_S: f64 = 300.0;

/// All subjects in turn, round after round, so that a change of the machine's mood meets all of
/// them. With `doubts`, further rounds follow as long as they leave a promise open.
pub(crate) fn program(
    place: &Place,
    program: &Program,
    (rounds, doubts): (usize, bool),
    progress: &mut Progress,
) -> Vec<Cell> {
    if let Work::Hold(seconds) = program.work {
        return vec![hold::run(place, program.group, seconds, progress)];
    }
    let mut found = Found::new();
    for index in 0..rounds {
        round(place, program, index, &mut found, progress);
    }
    let affordable = (DOUBT_S / program.seconds()) as usize;
    let more = if doubts { affordable.max(doubt::ENOUGH.saturating_sub(rounds)) } else { 0 };
    for index in rounds..rounds + more {
        let rest = if index < doubt::ENOUGH { 0.0 } else { KEPT_S };
        if !doubt::remains(&cells(&found, program)) || !progress.extend(program.seconds(), rest) {
            break;
        }
        round(place, program, index, &mut found, progress);
    }
    excuse(&mut found, program);
    cells(&found, program)
}

/// Every other round goes backwards: nobody gains by who came before.
fn round(
    place: &Place,
    program: &Program,
    index: usize,
    found: &mut Found,
    progress: &mut Progress,
) {
    let mut subjects = program.subjects().to_vec();
    if index % 2 == 1 {
        subjects.reverse();
    }
    for subject in subjects {
        progress.show(&format!("{}, round {}, {}", program.name(), index + 1, subject.name()));
        let entry = found.entry(subject).or_insert_with(|| Ok(Vec::new()));
        let Ok(samples) = entry else { continue };
        match run::once(place, program, subject) {
            Ok(more) => samples.extend(more),
            Err(miss) => {
                if let Miss::Failed(reason) = &miss {
                    progress.say(&format!("{} on {}: {reason}", program.name(), subject.name()));
                }
                *entry = Err(miss);
            }
        }
    }
    progress.advance(program.seconds());
}

fn cells(found: &Found, program: &Program) -> Vec<Cell> {
    program.rows().iter().map(|row| cell(found, program, row)).collect()
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
