//! [`Configs`]: the set-ups on a Collector's own command line, which it merges.

use std::path::PathBuf;

use crate::{Error, setup};

/// The values of `--config` on a Collector's command line: files, or URIs such as `yaml:KEY: VALUE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configs(Vec<String>);

/// Where a set-up is.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    File(&'a str),
    /// The set-up itself.
    Text(&'a str),
    /// The environment or the net, which are not read here.
    Elsewhere,
}

// === impl Configs ===

impl Configs {
    /// The set-ups among the arguments of a Collector.
    pub fn of_arguments(arguments: &[String]) -> Configs {
        let mut arguments = arguments.iter();
        let mut found = Vec::new();
        while let Some(argument) = arguments.next() {
            match argument.strip_prefix("--config") {
                Some("") => found.extend(arguments.next().cloned()),
                Some(value) => found.extend(value.strip_prefix('=').map(str::to_owned)),
                None => {}
            }
        }
        Configs(found)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that one of the set-ups takes an address from an environment variable of [`variable`](crate::variable). It holds where a
    /// set-up comes from the environment or the net.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or none of them says `${env:VARIABLE`.
    pub fn take_address(&self, variable: &'static str) -> Result<(), Error> {
        let wanted = format!("${{env:{variable}");
        for config in &self.0 {
            let takes = match Place::of(config) {
                Place::File(file) => setup::read(file.as_ref())?.contains(&wanted),
                Place::Text(text) => text.contains(&wanted),
                Place::Elsewhere => true,
            };
            if takes {
                return Ok(());
            }
        }
        Err(Error::NoAddress {
            file: self.name(),
            variable,
            example: setup::example(variable),
        })
    }

    /// All of them, for a message.
    pub(crate) fn name(&self) -> PathBuf {
        self.0.join(", ").into()
    }

    /// As arguments of a Collector.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .flat_map(|config| ["--config", config.as_str()])
    }
}

// === impl Place ===

impl<'a> Place<'a> {
    /// As the Collector tells a file from a URI: a scheme has two letters at least.
    fn of(config: &'a str) -> Place<'a> {
        let Some((scheme, rest)) = config.split_once(':') else {
            return Place::File(config);
        };
        let of_scheme = |letter: char| letter.is_ascii_alphanumeric() || "+.-".contains(letter);
        if scheme.len() < 2
            || !scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
            || !scheme.chars().all(of_scheme)
        {
            return Place::File(config);
        }
        match scheme {
            "file" => Place::File(rest),
            "yaml" => Place::Text(rest),
            _ => Place::Elsewhere,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::fs;

    use super::*;
    use crate::variable;

    fn configs(line: &[&str]) -> Configs {
        let arguments: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        Configs::of_arguments(&arguments)
    }

    #[test]
    fn set_ups_are_found_among_the_arguments() {
        let found = configs(&[
            "--config",
            "a.yaml",
            "--set=x=y",
            "--config=yaml:b: c",
            "--configs",
            "d",
        ]);
        let arguments: Vec<&str> = found.arguments().collect();
        assert_eq!(arguments, ["--config", "a.yaml", "--config", "yaml:b: c"]);
        assert!(configs(&["validate", "--config"]).is_empty());
    }

    #[test]
    fn a_file_is_told_from_a_uri() {
        assert_eq!(Place::of("file:/a.yaml"), Place::File("/a.yaml"));
        assert_eq!(Place::of("a.yaml"), Place::File("a.yaml"));
        assert_eq!(Place::of("./a b:c"), Place::File("./a b:c"));
        assert_eq!(Place::of("yaml:a: b"), Place::Text("a: b"));
        assert_eq!(Place::of("env:SETUP"), Place::Elsewhere);
    }

    #[test]
    fn one_of_the_set_ups_must_take_the_address() {
        let folder = std::env::temp_dir().join(format!("configs-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("a.yaml");
        fs::write(&file, "endpoint: 127.0.0.1:4317").unwrap();
        let file = file.to_str().unwrap();
        let fixed = configs(&["--config", file]);
        let error = fixed
            .take_address(variable::OTLP_HTTP)
            .unwrap_err()
            .to_string();
        assert!(error.contains(file), "{error}");
        assert!(
            error.contains("write receivers: { otlp: { protocols: { http:"),
            "{error}"
        );
        let with = |other| configs(&["--config", file, "--config", other]);
        let text = "yaml:receivers::otlp::protocols::http::endpoint: ${env:COLLECTOR_OTLP_HTTP}";
        with(text).take_address(variable::OTLP_HTTP).unwrap();
        with("env:MORE").take_address(variable::OTLP_HTTP).unwrap();
        let missing = configs(&["--config", "no/such.yaml"]);
        let error = missing.take_address(variable::OTLP_GRPC).unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }
}
