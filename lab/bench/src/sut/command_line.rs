//! [`SutCommand`]: the command line of a SUT.

use std::{fmt, net::SocketAddr, path::Path};

use collector::{Configs, NO_OWN_METRICS, Program, variable};
use firehose::Protocol;

use super::{
    SutError,
    addresses::{Addresses, IN, IN_HTTP, OUT, placeholder, variable_of},
};

/// The command line of a SUT, with placeholders. No shell runs it; quotation marks, backslashes, and assignments of
/// variables before the program mean what they mean to one.
#[derive(Clone, Debug)]
pub struct SutCommand {
    /// As it was given.
    line: String,
    variables: Vec<(String, String)>,
    program: String,
    arguments: Vec<String>,
    /// The set-ups on the command line of a Collector; `None` for any other program.
    collector: Option<(Program, Configs)>,
}

/// A command line without placeholders.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) variables: Vec<(String, String)>,
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
}

// === impl SutCommand ===

impl SutCommand {
    /// Reads a command line. A Collector is found as `run --via` finds it: on `PATH`, then where `scripts/parts`
    /// builds one.
    ///
    /// # Errors
    ///
    /// When the line has quotation marks without an end, or no program, or a Collector that is not there.
    pub fn parse(line: &str) -> Result<SutCommand, SutError> {
        let words = shlex::split(line).ok_or_else(|| SutError::Quotes(line.to_owned()))?;
        let mut words = words.into_iter().peekable();
        let mut variables = Vec::new();
        while let Some(variable) = words.peek().and_then(|word| assignment(word)) {
            variables.push(variable);
            words.next();
        }
        let program = words.next().filter(|program| !program.is_empty());
        let program = program.ok_or_else(|| SutError::NoProgram(line.to_owned()))?;
        let arguments: Vec<String> = words.collect();
        let configs = Configs::of_arguments(&arguments);
        let is_collector = Program::is_name(Path::new(&program)) && !configs.is_empty();
        let collector = match is_collector {
            true => Some((find(&program)?, configs)),
            false => None,
        };
        Ok(SutCommand {
            line: line.to_owned(),
            variables,
            program,
            arguments,
            collector,
        })
    }

    /// Whether it is an OpenTelemetry Collector with a set-up.
    pub fn is_collector(&self) -> bool {
        self.collector.is_some()
    }

    /// Checks what can be known before it is started: that it can receive this protocol, and that a Collector accepts
    /// its set-up, which must take its addresses from the environment or from placeholders. `returns` says whether it
    /// is to send on what it receives.
    ///
    /// # Errors
    ///
    /// [`SutError::OtherProtocol`], or [`SutError::Setup`] with the Collector's message.
    pub async fn check(&self, protocol: Protocol, returns: bool) -> Result<(), SutError> {
        let wanted = placeholder(protocol);
        let other = if wanted == IN { IN_HTTP } else { IN };
        let Some((program, configs)) = &self.collector else {
            return match self.says(other) && !self.says(wanted) {
                true => Err(SutError::OtherProtocol {
                    has: other,
                    lacks: wanted,
                }),
                false => Ok(()),
            };
        };
        if !self.says(wanted) {
            configs.take_address(variable_of(protocol))?;
        }
        if returns && !self.says(OUT) {
            configs.take_address(variable::LAB_OTLP_GRPC)?;
        }
        let dir = tempfile::tempdir().map_err(SutError::Folder)?;
        let out = SocketAddr::from(([127, 0, 0, 1], 4317));
        let addresses = Addresses::free(out, dir.path()).map_err(SutError::Ports)?;
        let filled = self.fill(&addresses);
        let configs = Configs::of_arguments(&filled.arguments);
        program.check_all(&configs, filled.variables).await?;
        Ok(())
    }

    /// The command line with these addresses.
    pub(super) fn fill(&self, addresses: &Addresses) -> Filled {
        let fill = |text: &String| addresses.fill(text);
        let mut arguments: Vec<String> = self.arguments.iter().map(fill).collect();
        let program = match &self.collector {
            Some((program, _)) => {
                arguments.extend(NO_OWN_METRICS.map(str::to_owned));
                program.path().to_string_lossy().into_owned()
            }
            None => fill(&self.program),
        };
        let own = self
            .variables
            .iter()
            .map(|(name, value)| (name.clone(), fill(value)));
        Filled {
            // The line's own variables come last: they win.
            variables: addresses.variables().chain(own).collect(),
            program,
            arguments,
        }
    }

    fn says(&self, placeholder: &str) -> bool {
        let values = self.variables.iter().map(|(_, value)| value);
        let mut words = self.arguments.iter().chain(values);
        words.any(|word| word.contains(placeholder))
    }
}

/// The line as it was given.
impl fmt::Display for SutCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

/// Reads `NAME=VALUE`.
fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let is_name = !name.is_empty()
        && name.chars().all(of_name)
        && !name.starts_with(|letter: char| letter.is_ascii_digit());
    is_name.then(|| (name.to_owned(), value.to_owned()))
}

fn find(word: &str) -> Result<Program, SutError> {
    Program::find_word(Path::new(word)).map_err(|error| match error {
        collector::Error::NotFound { parts } => SutError::NoCollector {
            word: word.to_owned(),
            parts,
        },
        collector::Error::NoProgram(program) => SutError::Start {
            program: program.to_string_lossy().into_owned(),
            source: std::io::ErrorKind::NotFound.into(),
        },
        other => other.into(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn addresses() -> Addresses {
        Addresses::free("127.0.0.1:4317".parse().unwrap(), Path::new("/d")).unwrap()
    }

    /// Anything that may be executed and is called like a Collector. It accepts every set-up that has no word `wrong`.
    fn collector(folder: &Path) -> String {
        let file = folder.join("otelcol-test");
        fs::write(
            &file,
            "#!/bin/sh\ncase \"$*\" in *wrong*) echo 'Error: it is wrong' >&2; exit 1;; esac\n",
        )
        .unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_line_is_split_as_a_shell_splits_it() {
        let line = r#"A=1 B='x {out}' /bin/agent --in={in} 'two words' a\ b "" C=2 # not this"#;
        let command = SutCommand::parse(line).unwrap();
        assert_eq!(command.to_string(), line);
        let addresses = addresses();
        let filled = command.fill(&addresses);
        assert_eq!(filled.program, "/bin/agent");
        let receives = format!("--in={}", addresses.receiving(Protocol::Grpc));
        assert_eq!(filled.arguments, [&receives, "two words", "a b", "", "C=2"]);
        let last = &filled.variables[filled.variables.len() - 2..];
        let text = |text: &str| text.to_owned();
        assert_eq!(
            last,
            [
                (text("A"), text("1")),
                (text("B"), text("x 127.0.0.1:4317"))
            ]
        );
    }

    #[test]
    fn a_line_without_a_program_is_refused() {
        for line in ["", "  ", "A=1", "''", "# agent"] {
            let error = SutCommand::parse(line).unwrap_err();
            assert!(matches!(error, SutError::NoProgram(_)), "{line:?}: {error}");
        }
        let error = SutCommand::parse("agent 'x").unwrap_err();
        assert!(error.is_of_input() && matches!(error, SutError::Quotes(_)));
        let error = SutCommand::parse("/no/such/otelcol --config a.yaml").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot start /no/such/otelcol")
        );
        // Without a set-up it is a program as any other.
        assert!(
            !SutCommand::parse("/no/such/otelcol --help")
                .unwrap()
                .is_collector()
        );
    }

    #[tokio::test]
    async fn a_collector_is_asked_about_its_set_up_and_serves_no_metrics_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let program = collector(folder.path());
        let file = folder.path().join("a.yaml");
        fs::write(&file, "in: ${env:COLLECTOR_OTLP_GRPC}").unwrap();
        let command = |rest: &str| {
            let line = format!("{program} --config {}{rest}", file.display());
            SutCommand::parse(&line).unwrap()
        };
        let plain = command("");
        assert!(plain.is_collector());
        let filled = plain.fill(&addresses());
        assert_eq!(filled.arguments[2..], NO_OWN_METRICS);
        plain.check(Protocol::Grpc, false).await.unwrap();
        let error = plain.check(Protocol::Grpc, true).await.unwrap_err();
        assert!(error.to_string().contains("LAB_OTLP_GRPC"), "{error}");
        let error = plain.check(Protocol::Http1, false).await.unwrap_err();
        assert!(error.to_string().contains("COLLECTOR_OTLP_HTTP"), "{error}");
        let sends = command(" --config='yaml:exporters::otlp::endpoint: {out}'");
        sends.check(Protocol::Grpc, true).await.unwrap();
        let wrong = command(" --config 'yaml:wrong: {out}'");
        let error = wrong.check(Protocol::Grpc, true).await.unwrap_err();
        assert!(error.is_of_input(), "{error}");
        assert!(error.to_string().ends_with("it is wrong"), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_receives_another_protocol_is_refused() {
        let command = SutCommand::parse("agent --http {in_http}").unwrap();
        command.check(Protocol::Http1, true).await.unwrap();
        let error = command.check(Protocol::Grpc, true).await.unwrap_err();
        assert!(
            error.to_string().contains("{in_http} and not {in}"),
            "{error}"
        );
        let command = SutCommand::parse("agent").unwrap();
        command.check(Protocol::Grpc, true).await.unwrap();
    }
}
