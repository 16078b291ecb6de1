//! A new migration changes what `sqlx::migrate!` embeds, though no source file changes with it.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
