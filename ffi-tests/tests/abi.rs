//! The header against the ABI's facts: a C file that asserts every size, offset, member type,
//! enumerator, constant, typedef and prototype, compiled by every compiler in every standard.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::Path;

use uvring_ffi_tests::cc::COMPILERS;
use uvring_ffi_tests::facts::{Facts, Struct};
use uvring_ffi_tests::root;

/// O_NOATIME is there only with _GNU_SOURCE; the facts were read without it.
const DEPENDS_ON_FEATURES: &str = "UV_FS_O_NOATIME";

/// Macros that programs use besides the constants.
const MACROS: &[&str] = &[
    "UV_EXTERN",
    "UV_DYNAMIC",
    "UV_ONCE_INIT",
    "UV_VERSION_HEX",
    "UV_VERSION_SUFFIX",
    "UV_VERSION_IS_RELEASE",
    "UV_ERRNO_MAP",
    "UV_HANDLE_TYPE_MAP",
    "UV_REQ_TYPE_MAP",
    "UV_LOOP_USE_IO_URING_SQPOLL",
    "UV_FS_UTIME_NOW",
    "UV_FS_UTIME_OMIT",
    "UV__ERR",
    "UV__EOF",
    "UV_PLATFORM_SEM_T",
];

/// Enumerators of libuv's enums without a name, which the facts leave out.
const ANONYMOUS: &[(&str, i64)] = &[
    ("UV_PIPE_NO_TRUNCATE", 1),
    ("UV_THREAD_PRIORITY_HIGHEST", 2),
    ("UV_THREAD_PRIORITY_ABOVE_NORMAL", 1),
    ("UV_THREAD_PRIORITY_NORMAL", 0),
    ("UV_THREAD_PRIORITY_BELOW_NORMAL", -1),
    ("UV_THREAD_PRIORITY_LOWEST", -2),
];

/// An assertion that works in every standard: an array of length -1 does not compile, and its
/// name says what is wrong.
fn assert(out: &mut String, name: &str, condition: &str) {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    writeln!(out, "typedef char check_{name}[({condition}) ? 1 : -1];").unwrap();
}

/// How C names a struct of the facts.
fn c_type(name: &str) -> String {
    if name.ends_with("_t") { name.to_owned() } else { format!("struct {name}") }
}

fn layout(out: &mut String, name: &str, facts: &Struct) {
    let ty = c_type(name);
    assert(out, &format!("{name} size"), &format!("sizeof({ty}) == {}", facts.size));
    for (member, fact) in facts.members() {
        let size = format!("sizeof((({ty}*)0)->{member}) == {}", fact.size);
        assert(out, &format!("{name} {member} size"), &size);
        let offset = format!("offsetof({ty}, {member}) == {}", fact.offset);
        assert(out, &format!("{name} {member} offset"), &offset);
    }
}

/// A function that takes each member's address as a pointer to the type it should have.
fn member_types(out: &mut String, name: &str, facts: &Struct) {
    let typed = facts.members().filter_map(|(member, fact)| Some((member, fact.kind.as_ref()?)));
    writeln!(out, "void types_of_{name}({} *it);", c_type(name)).unwrap();
    writeln!(out, "void types_of_{name}({} *it) {{", c_type(name)).unwrap();
    for (member, kind) in typed.filter(|(_, kind)| !kind.contains("<anon>")) {
        let pointer = match kind.split_once('[') {
            Some((element, count)) => format!("{element} (*p)[{count}"),
            None => format!("{kind} *p"),
        };
        writeln!(out, "  {{ {pointer} = &it->{member}; (void) p; }}").unwrap();
    }
    out.push_str("  (void) it;\n}\n");
}

fn values(out: &mut String, facts: &Facts) {
    let enumerators = facts.enums.values().flatten().map(|(name, value)| (name.as_str(), *value));
    let constants = facts.constants.iter().map(|(name, value)| (name.as_str(), *value));
    let mut all: Vec<_> = enumerators.chain(constants).chain(ANONYMOUS.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    for (name, value) in all {
        if name == DEPENDS_ON_FEATURES {
            out.push_str("#ifndef O_NOATIME\n# define O_NOATIME 0\n#endif\n");
            assert(out, name, &format!("{name} == O_NOATIME"));
        } else {
            assert(out, name, &format!("(long) ({name}) == {value}L"));
        }
    }
    for name in MACROS {
        writeln!(out, "#ifndef {name}\n# error {name} is not a macro\n#endif").unwrap();
    }
    assert(out, "hex", "UV_VERSION_HEX == 0x013500");
    // In C an enum's name needs no typedef, so each is named once as a type.
    for (name, members) in &facts.enums {
        let tagged = ["_flags", "_event"].iter().any(|end| name.ends_with(end));
        let tagged = tagged && !facts.typedef_sizes.contains_key(name);
        let ty = if tagged { format!("enum {name}") } else { name.clone() };
        assert(out, &format!("{name} enum"), &format!("sizeof({ty}) == sizeof(int)"));
        assert!(!members.is_empty(), "{name} has no members");
    }
}

fn maps(out: &mut String, facts: &Facts) {
    // Each map has all its members: sum up what it expands to.
    for (map, name, without) in [
        ("UV_ERRNO_MAP", "uv_errno_t", 1),
        ("UV_HANDLE_TYPE_MAP", "uv_handle_type", 3),
        ("UV_REQ_TYPE_MAP", "uv_req_type", 2),
    ] {
        writeln!(out, "#define XX(a, b) + 1").unwrap();
        let count = facts.enums[name].len() - without;
        assert(out, map, &format!("(0 {map}(XX)) == {count}"));
        out.push_str("#undef XX\n");
    }
    assert(out, "any handle", "sizeof(union uv_any_handle) == sizeof(uv_tty_t)");
    assert(out, "any req", "sizeof(union uv_any_req) == sizeof(uv_getnameinfo_t)");
}

/// The whole C file.
fn source(facts: &Facts) -> String {
    let mut out = String::from("#include \"uv.h\"\n#include \"uvring.h\"\n");
    for (name, fact) in &facts.structs {
        layout(&mut out, name, fact);
        member_types(&mut out, name, fact);
    }
    for (name, size) in &facts.typedef_sizes {
        assert(&mut out, &format!("{name} size"), &format!("sizeof({name}) == {size}"));
    }
    values(&mut out, facts);
    maps(&mut out, facts);
    out.push_str("#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
    for (name, function) in &facts.functions {
        writeln!(out, "{} {name}({});", function.returns, function.args).unwrap();
    }
    out.push_str("#ifdef __cplusplus\n}\n#endif\n");
    out
}

/// Compiles `text` with everything there is; the errors.
fn errors(text: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("abi.c");
    std::fs::write(&file, text).unwrap();
    let include = root().join("include");
    let mut errors = Vec::new();
    for compiler in COMPILERS.iter().filter(|compiler| compiler.is_here()) {
        for standard in compiler.standards {
            errors.extend(compiler.check(standard, &include, &file).err());
        }
    }
    errors
}

#[test]
fn header_agrees_with_the_facts() {
    let facts = Facts::load().unwrap();
    assert_eq!(facts.functions.len(), 319);
    let errors = errors(&source(&facts));
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// Every function is declared by the header itself: naming it without our prototypes compiles.
#[test]
fn header_declares_every_function() {
    let facts = Facts::load().unwrap();
    let mut text = String::from("#include \"uv.h\"\nvoid name_all(void);\nvoid name_all(void) {\n");
    for name in facts.functions.keys() {
        writeln!(text, "  (void) &{name};").unwrap();
    }
    text.push_str("}\n");
    let errors = errors(&text);
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// The proof notices: one wrong size, offset, type, value and prototype each must not compile.
#[test]
fn wrong_facts_do_not_compile() {
    let gcc = COMPILERS[0];
    assert!(gcc.is_here(), "gcc is needed");
    let include = root().join("include");
    let wrong = |spoil: &dyn Fn(&mut Facts)| {
        let mut facts = Facts::load().unwrap();
        spoil(&mut facts);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("abi.c");
        std::fs::write(&file, source(&facts)).unwrap();
        gcc.check("c11", &include, &file).is_err()
    };
    assert!(!wrong(&|_| {}));
    assert!(wrong(&|facts| facts.structs.get_mut("uv_tcp_t").unwrap().size += 8));
    let member = |facts: &mut Facts, change: &dyn Fn(&mut uvring_ffi_tests::facts::Member)| {
        let timer = facts.structs.get_mut("uv_timer_t").unwrap();
        change(timer.touched.get_mut("timeout").unwrap());
    };
    assert!(wrong(&|facts| member(facts, &|m| m.offset += 8)));
    assert!(wrong(&|facts| member(facts, &|m| m.size = 4)));
    assert!(wrong(&|facts| member(facts, &|m| m.kind = Some("int".to_owned()))));
    assert!(wrong(&|facts| *facts.constants.get_mut("UV_PRIORITY_LOW").unwrap() += 1));
    assert!(wrong(&|facts| {
        *facts.enums.get_mut("uv_run_mode").unwrap().get_mut("UV_RUN_ONCE").unwrap() = 7;
    }));
    assert!(wrong(&|facts| {
        facts.functions.get_mut("uv_fs_close").unwrap().args = "int nothing".to_owned();
    }));
}

/// Each header stands alone, included first.
#[test]
fn headers_stand_alone() {
    let include = root().join("include");
    let mut names: Vec<String> = vec!["uv.h".to_owned(), "uvring.h".to_owned()];
    for entry in std::fs::read_dir(include.join("uv")).unwrap() {
        names.push(format!("uv/{}", entry.unwrap().file_name().to_str().unwrap()));
    }
    assert!(names.len() > 8, "{names:?}");
    let text = |name: &str| format!("#include \"{name}\"\nextern int nothing;\nint nothing = 0;\n");
    for name in names {
        assert!(Path::new(&include.join(&name)).exists());
        let errors = errors(&text(&name));
        assert!(errors.is_empty(), "{name}: {}", errors.join("\n"));
    }
}
