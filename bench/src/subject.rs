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
    /// Ours on epoll, looking for events for 20 µs before it sleeps.
    UvringEpollSpin,
    /// Ours on io_uring, the same.
    UvringRingSpin,
    /// The hand-written epoll program.
    FloorEpoll,
    /// The hand-written io_uring program.
    FloorRing,
}

impl Subject {
    /// Both libraries and both floors, in the order of the columns and of the turns.
    pub(crate) const ALL: [Self; 5] =
        [Self::Libuv, Self::UvringEpoll, Self::UvringRing, Self::FloorEpoll, Self::FloorRing];
    /// Both libraries only.
    pub(crate) const LIBRARIES: [Self; 3] = [Self::Libuv, Self::UvringEpoll, Self::UvringRing];
    /// Both libraries, ours also with a spin.
    pub(crate) const SPINNING: [Self; 5] = [
        Self::Libuv,
        Self::UvringEpoll,
        Self::UvringRing,
        Self::UvringEpollSpin,
        Self::UvringRingSpin,
    ];

    /// Column title.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Libuv => "libuv",
            Self::UvringEpoll => "uvring-epoll",
            Self::UvringRing => "uvring-io_uring",
            Self::UvringEpollSpin => "uvring-epoll-spin",
            Self::UvringRingSpin => "uvring-io_uring-spin",
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
            Self::UvringEpoll | Self::UvringEpollSpin => ("uvring", "epoll"),
            Self::UvringRing | Self::UvringRingSpin => ("uvring", "io_uring"),
            Self::FloorEpoll => ("none", "epoll"),
            Self::FloorRing => ("none", "io_uring"),
        }
    }

    /// Variables that make a library this subject.
    pub(crate) fn env(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Libuv | Self::FloorEpoll | Self::FloorRing => &[],
            Self::UvringEpoll => &[("UVRING_BACKEND", "epoll")],
            Self::UvringRing => &[("UVRING_BACKEND", "io_uring")],
            Self::UvringEpollSpin => &[("UVRING_BACKEND", "epoll"), ("UVRING_SPIN_US", "20")],
            Self::UvringRingSpin => &[("UVRING_BACKEND", "io_uring"), ("UVRING_SPIN_US", "20")],
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
            Subject::FloorEpoll | Subject::FloorRing => Ok(None),
            _ => match &self.uvring {
                Ok(dir) => Ok(Some(dir)),
                Err(reason) => Err(reason.clone()),
            },
        }
    }
}
