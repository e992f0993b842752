//! Gives the shared library its soname.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libuvring.so.1");
    // An undefined name is an error here, not in the program that loads the library.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,defs");
}
