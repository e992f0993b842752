//! What the C programs hold at their end is what they held at their start (`c/ends.h`): the check
//! sees each kind of thing that `c/leaks.c` leaves behind, with either library.

// A test says what is wrong by panicking.
#![allow(clippy::panic)]

use uvring_ffi_tests::programs::{BACKENDS, Library, printed};

/// What is said of each section, before and after the number that nobody knows.
const SAID: [(&str, [&str; 2]); 7] = [
    ("nothing", ["", ""]),
    ("descriptor", ["left open: descriptor ", ", socket:["]),
    ("closed", ["closed: descriptor 0", ""]),
    ("memory", ["not given back: ", " bytes"]),
    ("byte", ["not given back: 1 blocks, ", " bytes"]),
    ("child", ["left running: a child", ""]),
    ("zombie", ["not waited for: child ", ""]),
];

#[test]
fn what_is_left_behind_is_told() {
    for library in [Library::Reference, Library::Ours] {
        for backend in BACKENDS {
            for (section, said) in SAID {
                let text = printed("leaks", section, library, backend)
                    .unwrap_or_else(|why| panic!("{why}"));
                let about = format!("{section} of {library:?} on {backend:?}:\n{text}");
                let (_, end) = text.split_once("uv_loop_close(loop) = 0\n").unwrap_or(("", &text));
                let lines: Vec<_> = end.lines().collect();
                if section == "nothing" {
                    assert_eq!(lines, ["end of nothing", "exit status: 0"], "{about}");
                    continue;
                }
                let [line, "exit status: 1"] = lines[..] else { panic!("{about}") };
                assert!(line.starts_with(said[0]) && line.contains(said[1]), "{about}");
            }
        }
    }
}

/// A section that nobody runs would pass for ever.
#[test]
fn every_section_is_run() {
    let list = printed("leaks", "--list", Library::Ours, BACKENDS[0])
        .unwrap_or_else(|why| panic!("{why}"));
    let list: Vec<_> = list.lines().filter(|line| !line.starts_with("exit status")).collect();
    assert_eq!(list, SAID.map(|(name, _)| name));
}
