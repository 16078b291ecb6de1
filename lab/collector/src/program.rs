//! [`Program`]: a Collector program on this machine.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use crate::{Configs, Error};

/// The names of the distributions. The larger one comes first: the smaller one has no tail sampling.
const NAMES: [&str; 2] = ["otelcol-contrib", "otelcol"];

/// A Collector program on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(PathBuf);

// === impl Program ===

impl Program {
    /// Finds the program: the file that is named, otherwise one on `PATH`, otherwise the one that
    /// `scripts/parts` has built.
    ///
    /// # Errors
    ///
    /// When the named file is not a program, or none of these places has one.
    #[expect(
        clippy::disallowed_methods,
        reason = "PATH is where programs are found"
    )]
    pub fn find(named: Option<&Path>) -> Result<Program, Error> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = env::split_paths(&path).collect();
        let on_path = |name: &Path| {
            let mut files = folders.iter().map(|folder| folder.join(name));
            files.find(|file| is_program(file))
        };
        if let Some(named) = named {
            let is_word = named.components().count() == 1 && !is_program(named);
            let found = match is_word {
                true => on_path(named),
                false => is_program(named).then(|| named.to_owned()),
            };
            let found = found.ok_or_else(|| Error::NoProgram(named.to_owned()))?;
            return Ok(Program(found));
        }
        let parts = parts().join("bin/otelcol");
        NAMES
            .into_iter()
            .find_map(|name| on_path(Path::new(name)))
            .or_else(|| is_program(&parts).then(|| parts.clone()))
            .map(Program)
            .ok_or(Error::NotFound { parts })
    }

    /// Finds the program of a Collector's command line: as [`find`](Program::find), and where a bare word that is the
    /// name of a distribution is not on `PATH`, any Collector on this machine.
    ///
    /// # Errors
    ///
    /// As [`find`](Program::find).
    pub fn find_word(word: &Path) -> Result<Program, Error> {
        match Program::find(Some(word)) {
            Err(Error::NoProgram(_)) if NAMES.iter().any(|name| word == Path::new(name)) => {
                Program::find(None)
            }
            found => found,
        }
    }

    /// Whether a file has the name of a Collector: `otelcol`, or a distribution such as `otelcol-contrib`.
    pub fn is_name(file: &Path) -> bool {
        let name = file.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name == "otelcol" || name.starts_with("otelcol-"))
    }

    /// The path of the program.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Checks a set-up with the Collector: `otelcol validate`.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with the Collector's message, which names the wrong key or line.
    pub async fn check(&self, file: &Path) -> Result<(), Error> {
        let mut command = Command::new(&self.0);
        command.arg("validate").arg("--config").arg(file);
        self.validate(command, file).await
    }

    /// As [`check`](Program::check), for several set-ups that the Collector merges, with these variables in its
    /// environment.
    ///
    /// # Errors
    ///
    /// As [`check`](Program::check).
    pub async fn check_all(
        &self,
        configs: &Configs,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Error> {
        let mut command = Command::new(&self.0);
        command.arg("validate").args(configs.arguments());
        command.envs(variables);
        self.validate(command, &configs.name()).await
    }

    async fn validate(&self, mut command: Command, file: &Path) -> Result<(), Error> {
        let output = command
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| Error::Start {
                program: self.0.clone(),
                source,
            })?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stderr, output.stdout].concat();
        Err(Error::Refused {
            program: self.0.clone(),
            file: file.to_owned(),
            message: message(&String::from_utf8_lossy(&said)),
        })
    }
}

/// The cache of `scripts/parts`.
#[expect(
    clippy::disallowed_methods,
    reason = "the variables of scripts/parts, which has no Config"
)]
fn parts() -> PathBuf {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(parts) = variable("TRACELAB_PARTS") {
        return parts.into();
    }
    let cache = match variable("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(variable("HOME").unwrap_or_default()).join(".cache"),
    };
    cache.join("tracelab/parts")
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|is| is.is_file() && is.permissions().mode() & 0o111 != 0)
}

/// The Collector's error message, without log lines and repetitions.
fn message(said: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in said.lines().map(str::trim_end) {
        let line = line.strip_prefix("Error: ").unwrap_or(line);
        if !line.is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.join("\n")
}
