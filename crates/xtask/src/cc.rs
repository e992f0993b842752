//! Compiling many C files: in parallel, and only those that changed.
use crate::dirs;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

/// One set of C files compiled with the same flags into one folder.
pub(crate) struct Objects<'a> {
    /// The C files.
    pub(crate) sources: &'a [PathBuf],
    /// Folder for the object files.
    pub(crate) into: PathBuf,
    /// Flags of the compiler.
    pub(crate) flags: Vec<String>,
    /// Folders whose change makes every object stale.
    pub(crate) headers: Vec<PathBuf>,
}

impl Objects<'_> {
    /// Compiles what is stale and returns all object files.
    pub(crate) fn compile(&self) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(&self.into).with_context(|| self.into.display().to_string())?;
        let mut newest = SystemTime::UNIX_EPOCH;
        for dir in &self.headers {
            newest = newest.max(newest_in(dir)?);
        }
        let objects: Vec<PathBuf> = self.sources.iter().map(|source| self.object(source)).collect();
        let next = AtomicUsize::new(0);
        let errors = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..dirs::cores() {
                scope.spawn(|| {
                    while let Some(source) = self.sources.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        if let Err(error) = self.one(source, newest)
                            && let Ok(mut errors) = errors.lock()
                        {
                            errors.push(format!("{error:#}"));
                        }
                    }
                });
            }
        });
        let errors = errors.into_inner().unwrap_or_default();
        if let Some(first) = errors.first() {
            bail!("{} of {} C files do not compile:\n{first}", errors.len(), objects.len());
        }
        Ok(objects)
    }

    fn object(&self, source: &Path) -> PathBuf {
        let stem = source.file_stem().unwrap_or_default().to_string_lossy();
        self.into.join(format!("{stem}.o"))
    }

    fn one(&self, source: &Path, headers: SystemTime) -> Result<()> {
        let object = self.object(source);
        let record = object.with_extension("flags");
        let mut command = Command::new(dirs::c_compiler());
        command.args(&self.flags).arg("-c").arg(source).arg("-o").arg(&object);
        let shown = dirs::show(&command);
        let stale_since = headers.max(modified(source)?);
        let fresh = modified(&object).is_ok_and(|time| time > stale_since)
            && fs::read_to_string(&record).is_ok_and(|old| old == shown);
        if fresh {
            return Ok(());
        }
        let done = command.output().with_context(|| format!("cannot start: {shown}"))?;
        if !done.status.success() {
            let text = String::from_utf8_lossy(&done.stderr);
            let text: Vec<&str> = text.lines().take(12).collect();
            bail!("{shown}\n{}", text.join("\n"));
        }
        fs::write(&record, shown).with_context(|| record.display().to_string())
    }
}

/// When a file was last written.
pub(crate) fn modified(path: &Path) -> Result<SystemTime> {
    fs::metadata(path).and_then(|meta| meta.modified()).with_context(|| path.display().to_string())
}

/// When the newest file below a folder was written.
fn newest_in(dir: &Path) -> Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        let time = if entry.file_type()?.is_dir() {
            newest_in(&entry.path())?
        } else {
            modified(&entry.path())?
        };
        newest = newest.max(time);
    }
    Ok(newest)
}
