//! The built library: what it exports, its soname, and that no Rust runtime is inside.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use object::elf::{DT_SONAME, FileHeader64};
use object::read::archive::ArchiveFile;
use object::read::elf::{Dyn, FileHeader};
use object::{Endianness, Object, ObjectSymbol};
use uvring_ffi_tests::facts::Facts;
use uvring_ffi_tests::stage;

/// Words in the mangled names of Rust's std and alloc, old scheme and new.
const RUNTIME: &[&str] = &[
    "__rust_alloc",
    "__rust_dealloc",
    "__rust_realloc",
    "__rg_alloc",
    "__rdl_alloc",
    "__rust_start_panic",
];

/// A file of the staged library.
fn staged(path: &str) -> Vec<u8> {
    let path = stage().unwrap_or_else(|missing| panic!("{missing}")).join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn exported(bytes: &[u8]) -> BTreeSet<String> {
    let file = object::File::parse(bytes).unwrap();
    let symbols = file.dynamic_symbols().filter(ObjectSymbol::is_definition);
    symbols.map(|symbol| symbol.name().unwrap().to_owned()).collect()
}

/// Names in one object file that come from std, alloc or their allocator.
fn runtime(bytes: &[u8]) -> (usize, Vec<String>) {
    let file = object::File::parse(bytes).unwrap();
    let names: BTreeSet<&str> = file
        .symbols()
        .chain(file.dynamic_symbols())
        .filter_map(|symbol| symbol.name().ok())
        .filter(|name| !name.is_empty())
        .collect();
    let foreign = names.iter().filter(|name| is_runtime(name));
    (names.len(), foreign.map(|name| (*name).to_owned()).collect())
}

fn is_runtime(name: &str) -> bool {
    let plain = format!("{:#}", rustc_demangle::demangle(name));
    RUNTIME.iter().any(|word| name.contains(word))
        || ["std::", "alloc::"]
            .iter()
            .any(|from| plain.starts_with(from) || plain.contains(&format!("<{from}")))
}

fn soname(bytes: &[u8]) -> Option<String> {
    let header = FileHeader64::<Endianness>::parse(bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, bytes).unwrap();
    let (entries, strings) = sections.dynamic(endian, bytes).unwrap()?;
    let strings = sections.strings(endian, bytes, strings).unwrap();
    let entry = entries.iter().find(|entry| entry.tag32(endian) == Some(DT_SONAME))?;
    let name = entry.string(endian, strings).unwrap();
    Some(String::from_utf8(name.to_vec()).unwrap())
}

#[test]
fn exports_are_libuvs_and_ours() {
    let names = exported(&staged("lib/libuvring.so.1"));
    let (ours, libuvs): (BTreeSet<_>, BTreeSet<_>) =
        names.into_iter().partition(|name| name.starts_with("uvring_"));
    let wanted: BTreeSet<String> = Facts::load().unwrap().functions.into_keys().collect();
    let missing: Vec<_> = wanted.difference(&libuvs).collect();
    let extra: Vec<_> = libuvs.difference(&wanted).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing {missing:?}, extra {extra:?}");
    assert_eq!(libuvs.len(), 319);
    let declared = include_str!("../../include/uvring.h");
    for name in &ours {
        assert!(
            declared.contains(&format!(" {name}(")) || declared.contains(&format!("*{name}(")),
            "{name} is not in uvring.h"
        );
    }
    assert!(ours.contains("uvring_version"), "{ours:?}");
}

#[test]
fn soname_is_versioned() {
    assert_eq!(soname(&staged("lib/libuvring.so.1")).as_deref(), Some("libuvring.so.1"));
}

#[test]
fn shared_library_has_no_rust_runtime() {
    let (count, foreign) = runtime(&staged("lib/libuvring.so.1"));
    assert!(count >= 319, "only {count} names");
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn static_library_has_no_rust_runtime() {
    let bytes = staged("lib/libuvring.a");
    let archive = ArchiveFile::parse(&*bytes).unwrap();
    let mut names = 0;
    for member in archive.members() {
        let member = member.unwrap();
        let file = String::from_utf8_lossy(member.name()).into_owned();
        let is_object = Path::new(&file).extension().is_some_and(|end| end == "o");
        assert!(is_object, "{file} is no object file");
        let (count, foreign) = runtime(member.data(&*bytes).unwrap());
        assert!(foreign.is_empty(), "{file}: {foreign:?}");
        names += count;
    }
    assert!(names >= 319, "only {names} names");
}

#[test]
fn a_runtime_is_recognised() {
    assert!(is_runtime("__rust_alloc"));
    assert!(is_runtime("_RNvCs1234_7___rustc12___rust_alloc"));
    assert!(is_runtime("_ZN3std2io5stdio6_print17h0123456789abcdefE"));
    assert!(is_runtime("_RNvNtNtCs1234_3std2io5stdio6__print"));
    assert!(is_runtime("_ZN5alloc7raw_vec17capacity_overflow17h0123456789abcdefE"));
    assert!(!is_runtime("_ZN4core9panicking5panic17h0123456789abcdefE"));
    assert!(!is_runtime("uv_stdio"));
}
