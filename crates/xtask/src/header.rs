//! `include/uv.h` and `include/uvring.h`: cbindgen's output, put in order for a reader.
//!
//! cbindgen writes one declaration after the other as it meets them. Here the output is taken
//! apart, shortened, grouped by subject and put between the hand-written parts of `include/uv`.
mod subjects;
mod text;

pub(crate) use subjects::{subject_of, subjects};

use crate::dirs;
use anyhow::{Context, Result, bail};
use cbindgen::{Builder, Config, DocumentationStyle, ItemType, Language, Layout, Style};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use text::{
    OWN_TAGS, arguments, comment, heading, in_order, own_tags, split_doc, without_prototype,
    wrapped,
};

/// What the hand-written headers define: cbindgen must use these names, not declare them.
const PRELUDE: &[&str] = &[
    "uv__queue",
    "uv__io_t",
    "uv__work",
    "uv_file",
    "uv_os_sock_t",
    "uv_os_fd_t",
    "uv_pid_t",
    "uv_uid_t",
    "uv_gid_t",
    "uv_once_t",
    "uv_thread_t",
    "uv_mutex_t",
    "uv_rwlock_t",
    "uv_sem_t",
    "uv_cond_t",
    "uv_key_t",
    "uv_barrier_t",
    "uv_handle_type",
    "uv_req_type",
    "uv_run_mode",
    "uv_loop_option",
    "uv_clock_id",
    "uv_membership",
    "uv_tty_mode_t",
    "uv_tty_vtermstate_t",
    "uv_stdio_flags",
    "uv_dirent_type_t",
    "uv_fs_type",
    "uvring_option",
    "uvring_backend",
    "uvring_udp_recv_flags",
    "uvring_udp_send_flags",
];

/// How names of `uvring.h` begin.
const OWN: &str = "uvring_";

/// Types whose C name carries a tag.
const RENAMED: &[(&str, &str)] = &[
    ("uv__queue", "struct uv__queue"),
    ("uv__work", "struct uv__work"),
    ("sockaddr", "struct sockaddr"),
    ("sockaddr_in", "struct sockaddr_in"),
    ("sockaddr_in6", "struct sockaddr_in6"),
    ("sockaddr_storage", "struct sockaddr_storage"),
    ("addrinfo", "struct addrinfo"),
    ("termios", "struct termios"),
    ("AtomicU32", "unsigned int"),
    ("AtomicI32", "int"),
];

/// Where C says something that Rust cannot.
const REWRITTEN: &[(&str, &str)] = &[
    // The private bytes of a request are two members in C.
    ("  union uv__req_scratch reserved;", "  void *reserved[5];\n  void *reserved2[1];"),
    // POSIX has a name for it.
    ("ptrdiff_t", "ssize_t"),
    // Programs fetch their own watchers from the table, and C++ minds const.
    ("const uv__io_t **watchers;", "uv__io_t **watchers;"),
];

/// Functions that Rust cannot declare as C does: variadic, or with an array as argument.
const SPELLED: &[(&str, &str)] = &[
    ("uv_loop_configure", "int uv_loop_configure(uv_loop_t *loop, uv_loop_option option, ...)"),
    ("uv_loadavg", "void uv_loadavg(double avg[3])"),
    ("uv_pipe", "int uv_pipe(uv_file fds[2], int read_flags, int write_flags)"),
    (
        "uv_socketpair",
        "int uv_socketpair(int type, int protocol, uv_os_sock_t socket_vector[2], int flags0, \
         int flags1)",
    ),
];

/// Writes both headers, or with `check` fails if they are not what would be written.
pub(crate) fn run(check: bool) -> Result<()> {
    let root = dirs::root();
    let declarations = Declarations::of(&root.join("crates/ffi"))?;
    for (path, text) in
        [("include/uv.h", declarations.uv_h()?), ("include/uvring.h", declarations.uvring_h()?)]
    {
        let file = root.join(path);
        if check {
            let there = std::fs::read_to_string(&file).with_context(|| path.to_owned())?;
            if there != text {
                bail!("{path} is not what the sources say: run `cargo xtask header`");
            }
        } else {
            std::fs::write(&file, text).with_context(|| path.to_owned())?;
        }
    }
    Ok(())
}

/// One declaration of the generated header.
struct Item {
    /// Its comment: the first paragraph, in one line.
    doc: String,
    /// Without the comment.
    code: String,
}

/// All declarations, by what they are.
#[derive(Default)]
struct Declarations {
    /// `typedef struct A B;`
    names: Vec<String>,
    /// The same, and the structures themselves, for `uvring.h`.
    own: Vec<String>,
    callbacks: Vec<Item>,
    structs: Vec<Item>,
    /// By name.
    functions: BTreeMap<String, Item>,
    /// Names in the order in which the sources declare them.
    order: HashMap<String, usize>,
}

impl Declarations {
    /// Runs cbindgen over the crate at `dir`.
    fn of(dir: &Path) -> Result<Self> {
        let mut text = Vec::new();
        Builder::new()
            .with_config(config(&abi_types(&dir.join("src/abi"))?))
            .with_crate(dir)
            .generate()
            .context("cbindgen")?
            .write(&mut text);
        let mut text = String::from_utf8(text)?;
        for (from, to) in REWRITTEN {
            text = text.replace(from, to);
        }
        let mut found = Self::default();
        for chunk in text.split("\n\n").filter(|chunk| !chunk.trim().is_empty()) {
            found.add(chunk)?;
        }
        Ok(found)
    }

    /// Sorts one chunk of cbindgen's output in.
    fn add(&mut self, chunk: &str) -> Result<()> {
        let (doc, code) = split_doc(chunk.trim());
        let code = own_tags(&code);
        if let Some(rest) = code.strip_prefix("typedef struct ") {
            // The prelude's own names come along as references only.
            if rest.starts_with("uv_") {
                self.names.push(code);
            } else if rest.starts_with(OWN) {
                self.own.push(format!("{code}\n"));
            }
        } else if code.starts_with("typedef") {
            self.callbacks.push(Item { doc, code });
        } else if code.strip_prefix("struct ").is_some_and(|rest| rest.starts_with(OWN)) {
            self.own.push(format!("{}{code}\n", comment(&doc)?));
        } else if code.starts_with("struct") || code.starts_with("union") {
            if !code.starts_with("union uv__req_scratch") {
                self.structs.push(Item { doc: String::new(), code });
            }
        } else if code.starts_with("UV_EXTERN") {
            let open = code.find('(').context("a function without arguments")?;
            let name = code[..open].rsplit([' ', '*']).next().unwrap_or_default().to_owned();
            let doc = without_prototype(&doc, &name);
            let spelled = SPELLED.iter().find(|(function, _)| *function == name);
            let code = spelled.map_or(code, |(_, prototype)| format!("UV_EXTERN {prototype};"));
            let (doc, code) = arguments(&doc, &code)?;
            self.order.insert(name.clone(), self.order.len());
            self.functions.insert(name, Item { doc, code });
        } else if !code.starts_with("extern ") {
            // What is left out is what the crate itself takes from the C library.
            bail!("cbindgen wrote what this tool does not know:\n{chunk}");
        }
        Ok(())
    }

    /// The whole of `uv.h`.
    fn uv_h(&self) -> Result<String> {
        let mut out = String::from(HEAD);
        let mut names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        names.sort_unstable();
        heading(&mut out, "Types")?;
        for name in names {
            writeln!(out, "{name}")?;
        }
        for tag in OWN_TAGS {
            writeln!(out, "typedef struct {tag} {tag};")?;
        }
        heading(&mut out, "Callbacks")?;
        let mut callbacks: Vec<&Item> = self.callbacks.iter().collect();
        callbacks.sort_by_key(|item| &item.code);
        for item in callbacks {
            item.write(&mut out)?;
        }
        heading(&mut out, "Structures")?;
        for code in in_order(self.structs.iter().map(|item| item.code.as_str())) {
            writeln!(out, "{code}\n")?;
        }
        out.push_str("#include \"uv/any.h\"\n");
        for subject in subjects() {
            let mut members: Vec<&String> = self
                .functions
                .keys()
                .filter(|name| !name.starts_with(OWN) && subject_of(name) == subject)
                .collect();
            members.sort_by_key(|name| self.order.get(*name));
            if members.is_empty() {
                continue;
            }
            heading(&mut out, subject)?;
            for name in members {
                self.functions[name].write(&mut out)?;
            }
        }
        out.push_str(TAIL);
        Ok(out)
    }

    /// The whole of `uvring.h`.
    fn uvring_h(&self) -> Result<String> {
        let mut out = String::from(RING_HEAD);
        for code in &self.own {
            write!(out, "\n{code}")?;
        }
        for (name, item) in &self.functions {
            if name.starts_with(OWN) {
                out.push('\n');
                item.write(&mut out)?;
            }
        }
        out.push_str(RING_TAIL);
        Ok(out)
    }
}

impl Item {
    fn write(&self, out: &mut String) -> Result<()> {
        if !self.doc.is_empty() {
            out.push_str(&comment(&self.doc)?);
        }
        out.push_str(&wrapped(&self.code));
        Ok(())
    }
}

fn config(types: &[String]) -> Config {
    let mut config = Config {
        language: Language::C,
        style: Style::Tag,
        usize_is_size_t: true,
        no_includes: true,
        documentation_style: DocumentationStyle::C99,
        line_length: 96,
        ..Config::default()
    };
    config.function.prefix = Some("UV_EXTERN".to_owned());
    config.function.args = Layout::Horizontal;
    config.export.item_types =
        vec![ItemType::Structs, ItemType::Unions, ItemType::Typedefs, ItemType::Functions];
    config.export.exclude = PRELUDE.iter().map(|&name| name.to_owned()).collect();
    config.export.include = types.to_vec();
    config.export.rename =
        RENAMED.iter().map(|&(rust, c)| (rust.to_owned(), c.to_owned())).collect();
    config
}

/// Every type of the ABI: each is part of the header even when no function names it.
fn abi_types(dir: &Path) -> Result<Vec<String>> {
    let mut types = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let text = std::fs::read_to_string(entry?.path())?;
        for line in text.lines() {
            let rest = ["pub struct ", "pub union ", "pub type "]
                .iter()
                .find_map(|keyword| line.strip_prefix(keyword));
            let name = rest.and_then(|rest| rest.split([' ', '{', '=', ';']).next());
            types.extend(name.map(str::to_owned).filter(|name| !PRELUDE.contains(&name.as_str())));
        }
    }
    types.sort();
    Ok(types)
}

const HEAD: &str = r#"/* The C API of libuv 1.53, implemented by uvring.
 *
 * Generated by `cargo xtask header` from crates/ffi: do not edit. Types and functions have
 * libuv's names, layout and meaning; libuv's manual describes them. */
#ifndef UV_H
#define UV_H

#include "uv/unix.h"
#include "uv/errno.h"
#include "uv/version.h"
#include "uv/maps.h"
#include "uv/enums.h"
#include "uv/constants.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif
"#;

const TAIL: &str = r"
#ifdef __cplusplus
}
#endif

#endif /* UV_H */
";

const RING_HEAD: &str = r#"/* What uvring offers beyond libuv's API.
 *
 * Generated by `cargo xtask header` from crates/ffi: do not edit. */
#ifndef UVRING_H
#define UVRING_H

#include "uv.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What uvring_loop_configure sets. */
typedef enum {
  UVRING_BACKEND = 0,
  UVRING_SPIN_US = 1,
  UVRING_COALESCE = 2,
  UVRING_FS_EVENT_RECURSIVE = 3
} uvring_option;

/* Values of UVRING_BACKEND. */
typedef enum {
  UVRING_BACKEND_AUTO = 0,
  UVRING_BACKEND_EPOLL = 1,
  UVRING_BACKEND_IO_URING = 2
} uvring_backend;

/* Facts of a datagram, or'ed: what uvring_udp_set_recv_info asks for. */
typedef enum {
  /* The type of service, with the ECN bits. */
  UVRING_UDP_RECV_TOS = 1,
  /* Hops it may still travel. */
  UVRING_UDP_RECV_TTL = 2,
  /* The address it was sent to, and the interface it came in on. */
  UVRING_UDP_RECV_PKTINFO = 4,
  /* The kernel may put datagrams of one sender together. */
  UVRING_UDP_RECV_GRO = 8
} uvring_udp_recv_flags;

/* Members of uvring_udp_send_opts_t that count, or'ed. */
typedef enum {
  /* tos */
  UVRING_UDP_SEND_TOS = 1,
  /* segment_size */
  UVRING_UDP_SEND_SEGMENT = 2,
  /* src and ifindex */
  UVRING_UDP_SEND_PKTINFO = 4
} uvring_udp_send_flags;
"#;

const RING_TAIL: &str = r"
#ifdef __cplusplus
}
#endif

#endif /* UVRING_H */
";
