//! Lists the files in `/scenarios`, so that a new one is embedded without being named anywhere.

use std::{env, fmt::Write, fs, path::Path};

#[expect(
    clippy::disallowed_methods,
    reason = "Cargo tells a build script by its environment"
)]
fn main() {
    let manifest = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let folder = Path::new(&manifest).join("../../scenarios");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("the scenarios are part of the sources")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    paths.sort();
    let mut list = String::from("&[\n");
    for path in paths {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path
            .file_stem()
            .expect("it has an extension")
            .to_string_lossy();
        let full = path.canonicalize().expect("it was just listed");
        writeln!(
            list,
            "({name:?}, \"scenarios/{name}.yaml\", include_str!({full:?})),"
        )
        .expect("a string takes all that is written to it");
    }
    list.push(']');
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("embedded.rs"), list).expect("the folder is cargo's own");
}
