//! Each allocation of each function fails in turn: the function says `UV_ENOMEM`, nothing has
//! changed, nothing stays behind, and the same call succeeds when memory is back.
//!
//! The programs are `c/nomem_*.c`. Which functions they must try is not written down: it is read
//! from the built library, as every function from which the allocator can be reached.

// A test says what is wrong by panicking.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use object::read::archive::ArchiveFile;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionIndex, SymbolKind};
use uvring_ffi_tests::programs::{Backend, Library, command, test_program};
use uvring_ffi_tests::stage;

const PROGRAMS: &[&str] = &["nomem_loop", "nomem_net", "nomem_fs", "nomem_os"];

/// The allocator's functions as the library keeps them.
const ALLOCATORS: &[&str] = &["mem6MALLOC", "mem6CALLOC", "mem7REALLOC"];

/// Functions that reach the allocator and have no failure of their own to be tried, and why.
const EXEMPT: &[(&str, &str)] = &[
    ("uv_accept", "watches the listener again, whose place in the table is there"),
    ("uv_close", SENDS),
    ("uv_fileno", SENDS),
    ("uv_print_active_handles", DEFAULT_LOOP),
    ("uv_print_all_handles", DEFAULT_LOOP),
    ("uv_replace_allocator", "stores the functions, calls none"),
    ("uv_run", "what it meets goes to callbacks: the scenes `rights` and `full`"),
    ("uv_shutdown", SENDS),
    ("uv_stream_set_blocking", SENDS),
    ("uv_tcp_close_reset", SENDS),
    ("uv_try_write", SENDS),
    ("uv_try_write2", SENDS),
    ("uv_udp_connect", SENDS),
    ("uv_udp_set_broadcast", SENDS),
    ("uv_udp_set_membership", SENDS),
    ("uv_udp_set_multicast_interface", SENDS),
    ("uv_udp_set_multicast_loop", SENDS),
    ("uv_udp_set_multicast_ttl", SENDS),
    ("uv_udp_set_source_membership", SENDS),
    ("uv_udp_set_ttl", SENDS),
    ("uvring_stream_set_coalescing", SENDS),
    ("uvring_udp_set_dontfrag", SENDS),
    ("uvring_udp_set_tos", SENDS),
];
/// It may have to watch the stream for the first time, as in the scene `full`.
const SENDS: &str = "sends what was gathered; a failure of that goes to its write's callback";
const DEFAULT_LOOP: &str = "for NULL it makes the default loop, and prints nothing without one";

/// What the programs tried: failing calls, by function.
type Points = BTreeMap<String, usize>;

/// Runs every scene of every program. What is wrong is told at once, with the scene's name.
fn sweep(backend: Backend) -> Points {
    let names = exported();
    let mut points = Points::new();
    let mut wrong = Vec::new();
    for name in PROGRAMS {
        let program = test_program(name, Library::Ours).unwrap_or_else(|why| panic!("{why}"));
        let run = |argument: &str| {
            let output = command(&program, backend).unwrap().arg(argument).output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status, String::from_utf8_lossy(&output.stdout).into_owned() + &errors)
        };
        for scene in run("--list").1.lines() {
            let (status, text) = run(scene);
            let is_over = text.lines().any(|line| line == format!("end of {scene}"));
            if !is_over || !status.success() || text.contains("WRONG") {
                wrong.push(format!("{name} {scene} on {backend:?}: {status}\n{text}"));
            }
            for (function, count) in text.lines().filter_map(|line| tried(line, &names)) {
                *points.entry(function).or_default() += count;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    points
}

/// The function and the count of `try uv_listen(...): 3 points`.
fn tried(line: &str, names: &BTreeSet<String>) -> Option<(String, usize)> {
    let (call, rest) = line.strip_prefix("try ")?.split_once(": ")?;
    let count = rest.split_once(" points")?.0.parse().ok()?;
    let words = call.split(|c: char| !c.is_alphanumeric() && c != '_');
    let function = words.map(|word| word.trim_end_matches('_')).find(|word| names.contains(*word));
    Some((function?.to_owned(), count))
}

/// Names of the C API.
fn exported() -> BTreeSet<String> {
    let bytes = std::fs::read(stage().unwrap().join("lib/libuvring.so.1")).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let names = file.dynamic_symbols().filter(|symbol| symbol.is_definition());
    names.map(|symbol| symbol.name().unwrap().to_owned()).collect()
}

/// One place in the archive's object: a function or a datum.
struct Node {
    name: String,
    names: BTreeSet<usize>,
}

/// Who names whom in the staged archive: relocations from each symbol's bytes to other symbols.
fn graph(file: &object::File) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut places: HashMap<SectionIndex, BTreeMap<u64, usize>> = HashMap::new();
    let mut by_name = HashMap::new();
    let kept = [SymbolKind::Text, SymbolKind::Data];
    for symbol in file.symbols().filter(|symbol| kept.contains(&symbol.kind())) {
        let Some(section) = symbol.section_index() else { continue };
        let index = nodes.len();
        let name = symbol.name().unwrap().to_owned();
        places.entry(section).or_default().insert(symbol.address(), index);
        by_name.insert(name.clone(), index);
        nodes.push(Node { name, names: BTreeSet::new() });
    }
    let at = |section: SectionIndex, address: u64| {
        let (_, &index) = places.get(&section)?.range(..=address).next_back()?;
        Some(index)
    };
    for section in file.sections() {
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(target) = relocation.target() else { continue };
            let target = file.symbol_by_index(target).unwrap();
            let Some(from) = at(section.index(), offset) else { continue };
            let to = if target.kind() == SymbolKind::Section {
                // A place relative to the next instruction, which is four bytes further.
                let addend = relocation.addend();
                let addend =
                    if section.kind() == object::SectionKind::Text { addend + 4 } else { addend };
                target.section_index().and_then(|home| at(home, addend.cast_unsigned()))
            } else {
                by_name.get(target.name().unwrap()).copied()
            };
            nodes[from].names.extend(to);
        }
    }
    nodes
}

/// Functions of the C API from which the allocator can be reached. Some of them never get there:
/// the graph knows no conditions.
fn reaching() -> BTreeSet<String> {
    let bytes = std::fs::read(stage().unwrap().join("lib/libuvring.a")).unwrap();
    let archive = ArchiveFile::parse(&*bytes).unwrap();
    let member = archive.members().next().unwrap().unwrap();
    let file = object::File::parse(member.data(&*bytes).unwrap()).unwrap();
    let nodes = graph(&file);
    let is_allocator = |node: &Node| ALLOCATORS.iter().any(|name| node.name.contains(name));
    let mut reach: BTreeSet<usize> =
        (0..nodes.len()).filter(|&index| is_allocator(&nodes[index])).collect();
    assert_eq!(reach.len(), ALLOCATORS.len(), "the allocator's functions have other names now");
    loop {
        let before = reach.len();
        for (index, node) in nodes.iter().enumerate() {
            if !node.names.is_disjoint(&reach) {
                reach.insert(index);
            }
        }
        if reach.len() == before {
            break;
        }
    }
    let exported = exported();
    let names = reach.iter().map(|&index| nodes[index].name.clone());
    names.filter(|name| exported.contains(name)).collect()
}

fn check(backend: Backend) {
    let points = sweep(backend);
    let reaching = reaching();
    for (function, count) in points.iter().filter(|(_, count)| **count > 0) {
        println!("{function:28} {count:4} failing calls");
        assert!(reaching.contains(function), "{function} allocates: the graph is wrong");
    }
    let exempt: BTreeMap<_, _> = EXEMPT.iter().copied().collect();
    let tried = |name: &str| points.get(name).is_some_and(|&count| count > 0);
    let missing: Vec<_> = reaching
        .iter()
        .filter(|name| !tried(name) && !exempt.contains_key(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "can allocate, and no scene lets it fail: {missing:?}");
    let stale: Vec<_> =
        exempt.keys().filter(|name| tried(name) || !reaching.contains(**name)).collect();
    assert!(stale.is_empty(), "exempt without need: {stale:?}");
}

#[test]
fn each_allocation_fails_on_epoll() {
    check(Backend::Epoll);
}

#[test]
fn each_allocation_fails_on_io_uring() {
    check(Backend::IoUring);
}

#[test]
fn each_allocation_fails_with_io_uring_denied() {
    check(Backend::Denied);
}
