//! Who is measured, and with which library.
use crate::absolute;
use anyhow::bail;
use std::path::{Path, PathBuf};

/// The name that the programs ask the dynamic loader for.
pub(crate) const LIBRARY: &str = "libuv.so.1";

/// One column of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Subject {
    /// libuv 1.53, what every ratio is taken against.
    Libuv,
    /// Ours on epoll.
    UvringEpoll,
    /// Ours on io_uring.
    UvringRing,
    /// The hand-written epoll program.
    FloorEpoll,
    /// The hand-written io_uring program.
    FloorRing,
}

impl Subject {
    /// In the order of the columns, and of the measurements.
    pub(crate) const ALL: [Self; 5] =
        [Self::Libuv, Self::UvringEpoll, Self::UvringRing, Self::FloorEpoll, Self::FloorRing];

    /// Column title.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Libuv => "libuv",
            Self::UvringEpoll => "uvring-epoll",
            Self::UvringRing => "uvring-io_uring",
            Self::FloorEpoll => "floor epoll",
            Self::FloorRing => "floor ring",
        }
    }

    /// `subject` in the JSON file.
    pub(crate) fn json_name(self) -> &'static str {
        if self.is_floor() { "floor" } else { self.name() }
    }

    /// What the program must say about itself: library and backend.
    pub(crate) fn library(self) -> (&'static str, &'static str) {
        match self {
            Self::Libuv => ("libuv", "epoll"),
            Self::UvringEpoll => ("uvring", "epoll"),
            Self::UvringRing => ("uvring", "io_uring"),
            Self::FloorEpoll => ("none", "epoll"),
            Self::FloorRing => ("none", "io_uring"),
        }
    }

    /// Whether it is a program on bare system calls.
    pub(crate) fn is_floor(self) -> bool {
        matches!(self, Self::FloorEpoll | Self::FloorRing)
    }
}

/// Where the two libraries are.
pub(crate) struct Libraries {
    /// Folder of libuv's headers.
    pub(crate) include: PathBuf,
    /// Folder that holds libuv's own libuv.so.1.
    pub(crate) libuv: PathBuf,
    /// Folder where libuv.so.1 is uvring, or why there is none.
    uvring: Result<PathBuf, String>,
}

impl Libraries {
    /// libuv must be there, every ratio is taken against it; uvring may be absent.
    pub(crate) fn new(reference: &Path, stage: &Path) -> anyhow::Result<Self> {
        let reference = absolute(reference)?;
        let libuv = reference.join("lib");
        if !libuv.join(LIBRARY).exists() {
            bail!("no {LIBRARY} in {} (`cargo xtask reference` makes it)", libuv.display());
        }
        let compat = absolute(stage)?.join("lib/compat");
        let uvring = if compat.join(LIBRARY).exists() {
            Ok(compat)
        } else {
            Err(format!("no {LIBRARY} in {} (`cargo xtask build` makes it)", compat.display()))
        };
        Ok(Self { include: reference.join("include"), libuv, uvring })
    }

    /// Folder for `LD_LIBRARY_PATH`; the error says why the subject is absent.
    pub(crate) fn folder(&self, subject: Subject) -> Result<Option<&Path>, String> {
        match subject {
            Subject::Libuv => Ok(Some(&self.libuv)),
            Subject::UvringEpoll | Subject::UvringRing => match &self.uvring {
                Ok(dir) => Ok(Some(dir)),
                Err(reason) => Err(reason.clone()),
            },
            Subject::FloorEpoll | Subject::FloorRing => Ok(None),
        }
    }
}
