//! The sandbox of one test: own network with only a loopback interface, own process ids, own
//! /tmp, an unprivileged user, and on demand a filter that denies io_uring.
//!
//! It runs as a process of its own (`cargo xtask sandbox JSON`), so nothing here happens
//! between fork and exec of a program with threads.
use anyhow::{Context, Result, bail};
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{
    ForkResult, Gid, Pid, Uid, chdir, execve, fork, getgid, getuid, setgid, setgroups, setsid,
    setuid,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where `Spec::binds` appear, in the sandbox's own /tmp.
pub(crate) const BASE: &str = concat!("/tmp", "/uv");
/// The working folder, and the user's home.
pub(crate) const HOME: &str = concat!("/tmp", "/home");
/// "nobody" on every Linux.
const NOBODY: u32 = 65534;

/// What to run, and with what.
#[derive(Serialize, Deserialize)]
pub(crate) struct Spec {
    /// Files from outside, and their names below `BASE`.
    pub(crate) binds: Vec<(PathBuf, String)>,
    /// Folder that is copied to test/fixtures in the working folder.
    pub(crate) fixtures: PathBuf,
    /// The program and its arguments.
    pub(crate) arguments: Vec<String>,
    /// The whole environment.
    pub(crate) environment: Vec<(String, String)>,
    /// As root, if we are root.
    pub(crate) root: bool,
    /// Folder that is laid over /usr: programs that are not installed here.
    pub(crate) overlay: Option<PathBuf>,
    /// Answer EPERM to io_uring_setup, io_uring_enter and io_uring_register.
    pub(crate) deny_uring: bool,
}

/// Runs the program of the JSON text and ends as it ends.
pub(crate) fn run(spec: &str) -> Result<ExitCode> {
    let spec: Spec = serde_json::from_str(spec)?;
    let code = enter(&spec).context("sandbox")?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

fn enter(spec: &Spec) -> Result<i32> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    let (uid, gid) = (getuid(), getgid());
    let mut flags = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    if !uid.is_root() {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags).context(
        "no namespaces here: run as root, or allow unprivileged user namespaces \
         (the tests connect to outside addresses and must not reach them)",
    )?;
    if !uid.is_root() {
        fs::write("/proc/self/setgroups", "deny").context("setgroups")?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).context("uid_map")?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).context("gid_map")?;
    }
    // SAFETY: this process has one thread, so the child may do anything.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => wait_for(child),
        ForkResult::Child => {
            let code = init(spec).unwrap_or_else(|error| {
                eprintln!("sandbox: {error:#}");
                255
            });
            std::process::exit(code);
        }
    }
}

/// Process 1 of the sandbox: sets it up, starts the program, and takes everything with it.
fn init(spec: &Spec) -> Result<i32> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    setsid().context("setsid")?;
    loopback_up().context("loopback interface")?;
    let user = (getuid().is_root() && !spec.root).then_some(NOBODY);
    furnish(spec, user).context("folders")?;
    // SAFETY: still one thread.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => wait_for(child),
        ForkResult::Child => match start(spec, user)? {},
    }
}

/// Waits for one child and reaps the orphans that end before it.
fn wait_for(child: Pid) -> Result<i32> {
    loop {
        match waitpid(None::<Pid>, None)? {
            WaitStatus::Exited(pid, code) if pid == child => return Ok(code),
            WaitStatus::Signaled(pid, signal, _) if pid == child => return Ok(128 + signal as i32),
            _ => {}
        }
    }
}

fn loopback_up() -> Result<()> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    let fd = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one ifreq, which lives until the call returns.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCSIFFLAGS, &request) };
    nix::errno::Errno::result(result)?;
    Ok(())
}

const NO_PATH: Option<&Path> = None;

/// A fresh /proc and /tmp, the program and its library, the working folder.
fn furnish(spec: &Spec, user: Option<u32>) -> Result<()> {
    mount(NO_PATH, "/", NO_PATH, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NO_PATH).context("/")?;
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("proc"), "/proc", Some("proc"), quiet, NO_PATH).context("/proc")?;
    // Opened before the new /tmp covers what may lie in the old one.
    let mut sources: Vec<(OwnedFd, &str)> = Vec::new();
    for (path, name) in &spec.binds {
        let fd = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
            .with_context(|| path.display().to_string())?;
        sources.push((fd, name));
    }
    let fixtures = read_fixtures(&spec.fixtures)?;
    if let Some(over) = &spec.overlay {
        lay_over_usr(over)?;
    }
    mount(Some("tmp"), "/tmp", Some("tmpfs"), quiet, Some("mode=1777")).context("/tmp")?;
    for (fd, name) in sources {
        let target = Path::new(BASE).join(name);
        fs::create_dir_all(target.parent().unwrap_or(&target))?;
        fs::write(&target, "")?;
        let source = format!("/proc/self/fd/{}", fd.as_raw_fd());
        mount(Some(&*source), &target, NO_PATH, MsFlags::MS_BIND, NO_PATH)
            .with_context(|| target.display().to_string())?;
    }
    let dir = Path::new(HOME).join("test/fixtures");
    fs::create_dir_all(&dir)?;
    for (name, bytes) in &fixtures {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(path, bytes)?;
    }
    if user.is_some() {
        own(Path::new(HOME), user)?;
    }
    Ok(())
}

fn lay_over_usr(over: &Path) -> Result<()> {
    let over = over.display().to_string();
    if over.contains([':', ',', '\\']) {
        bail!("cannot be named in the options of a mount: {over}");
    }
    let options = format!("lowerdir={over}:/usr");
    mount(Some("overlay"), "/usr", Some("overlay"), MsFlags::MS_RDONLY, Some(&*options))
        .with_context(|| format!("laying {over} over /usr"))
}

/// The files of a folder and of its folders, by their names relative to it.
fn read_fixtures(dir: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        if entry.file_type()?.is_dir() {
            for (below, bytes) in read_fixtures(&entry.path())? {
                files.insert(name.join(below), bytes);
            }
        } else {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(files)
}

fn own(path: &Path, user: Option<u32>) -> Result<()> {
    std::os::unix::fs::chown(path, user, user)?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            own(&entry?.path(), user)?;
        }
    }
    Ok(())
}

/// Becomes the program.
fn start(spec: &Spec, user: Option<u32>) -> Result<std::convert::Infallible> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    chdir(HOME)?;
    if let Some(user) = user {
        setgroups(&[])?;
        setgid(Gid::from_raw(user))?;
        setuid(Uid::from_raw(user))?;
    }
    if spec.deny_uring {
        deny_uring().context("seccomp filter")?;
    }
    let arguments = spec
        .arguments
        .iter()
        .map(|word| CString::new(word.as_str()))
        .collect::<Result<Vec<_>, _>>()?;
    let environment = spec
        .environment
        .iter()
        .map(|(name, value)| CString::new(format!("{name}={value}")))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(program) = arguments.first() else {
        bail!("nothing to run");
    };
    Ok(execve(program, &arguments, &environment)?)
}

/// From here on the kernel answers EPERM to every io_uring call.
fn deny_uring() -> Result<()> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
    let calls = [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];
    let rules = calls.into_iter().map(|call| (call, Vec::new())).collect();
    let deny = SeccompAction::Errno(libc::EPERM as u32);
    let arch = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, deny, arch)?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program)?;
    Ok(())
}
