//! What a run was made on: a record with the subject "machine".
use crate::record::Record;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::process::Command;

/// Asks the machine; what cannot be found out is left away.
pub(crate) fn describe(arguments: &str, seconds: u64) -> Record {
    let mut extra = BTreeMap::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            extra.insert(name.to_owned(), Value::from(value));
        }
    };
    let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
    add("processor", model.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned())));
    add("cores", std::thread::available_parallelism().ok().map(|cores| cores.to_string()));
    let meminfo = read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    add("memory", memory.map(|text| text.trim().to_owned()));
    let release = read_to_string("/proc/sys/kernel/osrelease").ok();
    add("kernel", release.map(|text| format!("Linux {}", text.trim())));
    add("load_average", read_to_string("/proc/loadavg").ok().map(|text| text.trim().to_owned()));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    add("c_compiler", first_line(&compiler, &["--version"]));
    add("rust_compiler", first_line("rustc", &["--version"]));
    add("c_library", first_line("ldd", &["--version"]));
    add("flags_libuv", Some("-O3".to_owned()));
    add("flags_uvring", Some("release: opt-level 3, fat LTO, one codegen unit".to_owned()));
    add("flags_programs", Some("-O2".to_owned()));
    add("commit", first_line("git", &["describe", "--always", "--dirty"]));
    add("date", first_line("date", &["-u", "+%Y-%m-%d %H:%M UTC"]));
    add("arguments", Some(arguments.to_owned()));
    add("seconds", Some(seconds.to_string()));
    Record { row: "machine".to_owned(), subject: "machine".to_owned(), extra, ..Record::default() }
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines()
        .next()
        .map(str::to_owned)
        .filter(|line| output.status.success() && !line.is_empty())
}
