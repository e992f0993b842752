//! Reading symbol tables of libraries, programs and object files.
use anyhow::{Context, Result};
use object::{Object, ObjectSymbol};
use std::collections::BTreeSet;
use std::path::Path;

/// Names that a shared library exports.
pub(crate) fn exported(library: &Path) -> Result<BTreeSet<String>> {
    read(library, |file| {
        file.dynamic_symbols()
            .filter(|symbol| symbol.is_definition())
            .filter_map(|symbol| symbol.name().ok().map(str::to_owned))
            .collect()
    })
}

/// All names in a file's symbol table.
pub(crate) fn all(path: &Path) -> Result<BTreeSet<String>> {
    read(path, |file| {
        file.symbols().filter_map(|symbol| symbol.name().ok().map(str::to_owned)).collect()
    })
}

/// Names that an object file uses and does not define.
pub(crate) fn undefined(object: &Path) -> Result<BTreeSet<String>> {
    read(object, |file| {
        file.symbols()
            .filter(ObjectSymbol::is_undefined)
            .filter_map(|symbol| symbol.name().ok().map(str::to_owned))
            .collect()
    })
}

fn read<T>(path: &Path, take: impl FnOnce(&object::File<'_>) -> T) -> Result<T> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let file = object::File::parse(&*bytes).with_context(|| path.display().to_string())?;
    Ok(take(&file))
}
