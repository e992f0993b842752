//! What runs under which checker.
use crate::dirs;
use anyhow::{Context, Result};
use std::fmt;
use std::path::PathBuf;

/// One run of a program.
pub(super) struct Run {
    /// Its name.
    pub(super) program: String,
    /// Its C files.
    pub(super) sources: Vec<PathBuf>,
    /// What it is called with.
    pub(super) arguments: Vec<String>,
    /// Whether it runs in a folder of its own, or where the examples are, of which some are read.
    pub(super) own_folder: bool,
    /// `UVRING_BACKEND`.
    pub(super) backend: &'static str,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} on {}", self.program, self.arguments.join(" "), self.backend)
    }
}

const BACKENDS: [&str; 2] = ["epoll", "io_uring"];

/// Programs of ffi-tests whose sections the threads' checker looks at.
const THREADS: &[(&str, &[&str])] = &[
    ("threads", &["pool", "signals", "wakes", "loops"]),
    ("life", &["threads", "ringers"]),
    ("pool", &["round_trips", "cancel", "idle"]),
    ("security_io", &["moved", "cancelled_open"]),
    ("pure", &["threads"]),
    ("bad_loop", &["async_"]),
];

/// Sections (`*`: all) that no sanitizer can run, and why.
const LEFT_OUT: &[(&str, &str, &str)] = &[
    ("leaks", "*", "leaves things behind on purpose"),
    ("locks", "identity", "joining a detached thread, which it asks for, ends a sanitizer's run"),
    ("security", "big_copy", "2 GiB in memory are too much beside a sanitizer's own"),
    ("security", "gave_root_up", "the search for leaks needs the rights that were given up"),
];

fn section_runs(name: &str, section: &str) -> impl Iterator<Item = Run> {
    let source = dirs::root().join("ffi-tests/c").join(format!("{name}.c"));
    BACKENDS
        .map(|backend| Run {
            program: name.to_owned(),
            sources: vec![source.clone()],
            arguments: vec![section.to_owned()],
            own_folder: true,
            backend,
        })
        .into_iter()
}

/// Every section of every program of ffi-tests, and the examples.
pub(super) fn everything() -> Result<Vec<Run>> {
    let dir = dirs::root().join("ffi-tests/c");
    let mut runs = examples();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            names.push(path);
        }
    }
    names.sort();
    for path in names {
        let text = std::fs::read_to_string(&path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for section in sections(&text) {
            let left_out =
                LEFT_OUT.iter().find(|(n, s, _)| *n == name && (*s == section || *s == "*"));
            match left_out {
                Some((_, _, why)) => println!("address: without {name} {section}: {why}"),
                None => runs.extend(section_runs(&name, &section)),
            }
        }
    }
    Ok(runs)
}

/// Names in the table of a program's `main`: `{"name", function}`.
fn sections(text: &str) -> Vec<String> {
    let calls = ["check_main(argc", "nomem_main(argc", "check_usage(argc"];
    if !calls.iter().any(|call| text.contains(call)) {
        return Vec::new();
    }
    let Some(main) = text.find("int main(") else { return Vec::new() };
    let rows = text[main..].split("{\"").skip(1);
    rows.filter_map(|row| row.split_once('"').map(|(name, _)| name.to_owned())).collect()
}

/// Wake-ups, thread pool, signals and loops in several threads.
pub(super) fn threads() -> Vec<Run> {
    let each = THREADS.iter().flat_map(|(name, sections)| {
        sections.iter().flat_map(move |section| section_runs(name, section))
    });
    each.collect()
}

/// The examples that end by themselves. valgrind knows no io_uring, so they run on epoll.
pub(super) fn examples() -> Vec<Run> {
    let calls: &[(&str, &[&str])] = &[
        ("timers", &[]),
        ("async", &[]),
        ("work", &["10000"]),
        ("tcp-echo", &["--self-test"]),
        ("udp-echo", &["--self-test"]),
        ("resolve", &["127.0.0.1"]),
        ("cat", &["Makefile"]),
        ("spawn-pipe", &["cat", "Makefile", "|", "wc"]),
    ];
    calls
        .iter()
        .map(|(name, arguments)| Run {
            program: (*name).to_owned(),
            sources: vec![dirs::root().join("c-examples").join(format!("{name}.c"))],
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            own_folder: false,
            backend: "epoll",
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::sections;

    #[test]
    fn finds_the_table() {
        let text = "int main(int argc, char **argv) { x table[] = {{\"one\", one},\n\
                    {\"two\", two}, {NULL, NULL}}; return check_main(argc, argv, table); }";
        assert_eq!(sections(text), ["one", "two"]);
        assert!(sections("int main(void) { x t[] = {{\"one\", one}}; }").is_empty());
    }
}
