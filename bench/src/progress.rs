//! One line with what runs now and how long everything still takes.
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Seconds for what was not planned: a full run takes 40 minutes, and is to end within the hour.
const SPARE_S: f64 = 14.0 * 60.0;

/// How far the run is.
pub(crate) struct Progress {
    started: Instant,
    /// Seconds that the estimates promise for all of it, and for what is done.
    planned: f64,
    done: f64,
    /// What may still be taken into the plan.
    spare: f64,
    terminal: bool,
    last: Option<Instant>,
}

impl Progress {
    /// `planned` is the sum of the estimates, in seconds.
    pub(crate) fn new(planned: f64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { started: Instant::now(), planned, done: 0.0, spare: SPARE_S, terminal, last: None }
    }

    /// As much of the plan as was estimated at `seconds` is done.
    pub(crate) fn advance(&mut self, seconds: f64) {
        self.done += seconds;
    }

    /// Takes `seconds` more into the plan, if that leaves `rest` to spare.
    pub(crate) fn extend(&mut self, seconds: f64, rest: f64) -> bool {
        let fits = seconds + rest <= self.spare;
        if fits {
            self.spare -= seconds;
            self.planned += seconds;
        }
        fits
    }

    /// Shows what runs now: in place on a terminal, elsewhere a line at most every 10 s.
    pub(crate) fn show(&mut self, what: &str) {
        let every = Duration::from_secs(10);
        if !self.terminal && self.last.is_some_and(|last| last.elapsed() < every) {
            return;
        }
        self.last = Some(Instant::now());
        let part = (self.done / self.planned).min(1.0) * 100.0;
        let line = format!("bench: {part:3.0} %, {} left: {what}", clock(self.left()));
        self.write(&line);
    }

    /// Prints a line that stays.
    pub(crate) fn say(&self, line: &str) {
        let start = if self.terminal { "\r\x1b[2K" } else { "" };
        eprintln!("{start}bench: {line}");
    }

    /// Seconds since the start.
    pub(crate) fn elapsed(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// Ends the line.
    pub(crate) fn finish(&self) {
        if self.terminal {
            self.write("");
        }
    }

    fn write(&self, line: &str) {
        // A progress line that cannot be written is not worth ending a run for.
        let mut out = std::io::stderr();
        let _ = if self.terminal {
            let short: String = line.chars().take(110).collect();
            write!(out, "\r\x1b[2K{short}")
        } else {
            writeln!(out, "{line}")
        };
        let _ = out.flush();
    }

    /// The estimates of what is left, corrected by how long the past took.
    fn left(&self) -> f64 {
        let left = (self.planned - self.done).max(0.0);
        let real = self.started.elapsed().as_secs_f64();
        // A few seconds say nothing yet about the machine.
        let factor = if self.done > 5.0 { real / self.done } else { 1.0 };
        left * factor
    }
}

/// `12 s`, `3 min 20 s`
fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        _ => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_short() {
        assert_eq!(clock(12.4), "12 s");
        assert_eq!(clock(200.0), "3 min 20 s");
    }
}
