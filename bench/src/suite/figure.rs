//! Finds the figure in what one of libuv's programs prints.
use crate::run::Sample;
use anyhow::{Context, Result};
use regex::Regex;
use std::time::Duration;

/// `fs_stat` prints a figure for each of 1 to 32 calls at once; these are kept.
const AT_ONCE: &[&str] = &["1", "2", "4", "8", "16", "32"];
/// What the pump programs send at once.
const PUMP_BYTES: f64 = 8192.0;

/// The row, or the rows, of a program: real time of one operation as the program itself says it.
pub(crate) fn samples(name: &str, text: &str, wall: Duration, cpu: u64) -> Result<Vec<Sample>> {
    let row = format!("libuv-{name}");
    let missing = || format!("no figure in: {}", text.trim());
    match name {
        // Prints sizes and measures nothing: what is left is a process that starts and ends.
        "sizes" => Ok(vec![sample(row, 1.0 / wall.as_secs_f64(), wall, Some(cpu))]),
        // Its timers are spread over a span of real time that no library can shorten.
        "million_timers" => {
            let spent = Duration::from_nanos(cpu);
            Ok(vec![sample(row, 1.0 / spent.as_secs_f64(), spent, Some(cpu))])
        }
        "tcp_write_batch" => {
            let pattern = Regex::new(r"(\d+) write requests in ([\d.]+)s")?;
            let found = pattern.captures(text).with_context(missing)?;
            let rate = number(&found[1])? / number(&found[2])?;
            Ok(vec![sample(row, rate, wall, Some(cpu))])
        }
        "fs_stat" => {
            let pattern = Regex::new(r"stats \((sync|\d+)[^)]*\): [\d.]+s \(([\d,]+)/s\)")?;
            let mut rows = Vec::new();
            for found in pattern.captures_iter(text) {
                if &found[1] == "sync" || AT_ONCE.contains(&&found[1]) {
                    let rate = number(&found[2])?;
                    rows.push(sample(format!("{row}-{}", &found[1]), rate, wall, None));
                }
            }
            Ok(rows)
        }
        _ => {
            let pattern = Regex::new(r"([\d,.]+) ?((?:[a-z]+)?/s)")?;
            let lines = text.lines().filter(|line| !line.contains("_server:"));
            let found =
                lines.filter_map(|line| pattern.captures(line)).next().with_context(missing)?;
            let mut rate = number(&found[1])?;
            if &found[2] == "gbit/s" {
                rate *= f64::from(1 << 30) / 8.0 / PUMP_BYTES;
            }
            Ok(vec![sample(row, rate, wall, Some(cpu))])
        }
    }
}

/// Names of the rows of a program.
pub(crate) fn rows(name: &str) -> Vec<String> {
    if name != "fs_stat" {
        return vec![format!("libuv-{name}")];
    }
    ["sync"].iter().chain(AT_ONCE).map(|kind| format!("libuv-fs_stat-{kind}")).collect()
}

fn number(text: &str) -> Result<f64> {
    text.replace(',', "").parse().with_context(|| format!("not a number: {text}"))
}

/// A thousand windows of the length that the program ran, so that whole numbers are exact enough.
fn sample(row: String, rate: f64, wall: Duration, cpu: Option<u64>) -> Sample {
    let ops = (rate * wall.as_secs_f64() * 1000.0).round().max(1.0);
    Sample {
        row,
        ops: ops as u64,
        wall_ns: (wall.as_nanos() * 1000) as u64,
        cpu_ns: cpu.map(|cpu| cpu * 1000),
        extra: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(name: &str, text: &str) -> Vec<f64> {
        let found = samples(name, text, Duration::from_secs(2), 7).unwrap();
        found.iter().map(|s| (s.ops as f64 * 1e9 / s.wall_ns as f64).round()).collect()
    }

    #[test]
    fn every_way_of_printing_is_read() {
        assert_eq!(rates("ping_pongs", "ping_pongs: 11957 roundtrips/s\n"), [11957.0]);
        assert_eq!(rates("async1", "async1: 0.52 sec (1,950,123/sec)\n"), [1_950_123.0]);
        assert_eq!(rates("loop_count_timed", "loop_count: 38 ticks (77 ticks/s)\n"), [77.0]);
        assert_eq!(
            rates("udp_pummel_1v1", "udp_pummel_1v1: 44/s received, 45/s sent. 1\n"),
            [44.0]
        );
        assert_eq!(rates("tcp_write_batch", "1000 write requests in 0.50s.\n"), [2000.0]);
        let pump = "tcp_pump1_server: 9.9 gbit/s\ntcp_pump1_client: 2.0 gbit/s\n";
        assert_eq!(rates("tcp_pump1_client", pump), [32768.0]);
        let million = "5 async events in 5.0 seconds (108,213/s, 541,067 unique handles seen)\n";
        assert_eq!(rates("million_async", million), [108_213.0]);
    }

    #[test]
    fn fs_stat_has_a_row_for_each_depth_kept() {
        let text = "9 stats (sync): 1.00s (9/s)\n1 stats (1 concurrent): 1.00s (10/s)\n\
                    1 stats (3 concurrent): 1.00s (30/s)\n1 stats (32 concurrent): 1.00s (99/s)\n";
        assert_eq!(rates("fs_stat", text), [9.0, 10.0, 99.0]);
        assert_eq!(rows("fs_stat").len(), 7);
    }

    #[test]
    fn no_figure_is_an_error() {
        assert!(samples("async1", "nothing\n", Duration::from_secs(1), 1).is_err());
    }
}
