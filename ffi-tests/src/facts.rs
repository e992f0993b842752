//! libuv's ABI as `abi/libuv-1.53-linux-x86_64.json` has it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A member of a struct.
#[derive(Debug, Deserialize)]
pub struct Member {
    /// Bytes from the start.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// As in C; private members have none.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// Members by name.
pub type Members = BTreeMap<String, Member>;

/// A struct.
#[derive(Debug, Deserialize)]
pub struct Struct {
    /// Bytes.
    pub size: u64,
    /// What the manual lets programs use.
    #[serde(default)]
    pub documented: Members,
    /// What programs use although the manual does not let them.
    #[serde(default)]
    pub touched: Members,
    /// Everything else.
    #[serde(default)]
    pub private: Members,
}

/// A prototype.
#[derive(Debug, Deserialize)]
pub struct Function {
    /// The type it returns.
    pub returns: String,
    /// What stands in the brackets.
    pub args: String,
}

/// The whole file.
#[derive(Debug, Deserialize)]
pub struct Facts {
    /// By the name of the typedef, or the tag where there is none.
    pub structs: BTreeMap<String, Struct>,
    /// Values by enumerator, by enum.
    pub enums: BTreeMap<String, BTreeMap<String, i64>>,
    /// Values of macros.
    pub constants: BTreeMap<String, i64>,
    /// By name.
    pub functions: BTreeMap<String, Function>,
    /// Size in bytes of every other type.
    pub typedef_sizes: BTreeMap<String, u64>,
}

impl Facts {
    /// Reads the file that is part of this crate.
    ///
    /// # Errors
    /// What serde_json says about it.
    pub fn load() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("../abi/libuv-1.53-linux-x86_64.json"))
    }
}

impl Struct {
    /// All members that have a name.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Member)> {
        [&self.documented, &self.touched, &self.private]
            .into_iter()
            .flatten()
            .map(|(name, member)| (name.as_str(), member))
            .filter(|(name, _)| !name.starts_with('<'))
    }
}
