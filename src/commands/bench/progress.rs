//! The progress of a benchmark on standard error.

use std::io::IsTerminal;

use ::bench::arm::Live;
use plain::Plain;

/// Progress on standard error: a line that changes on a terminal, and otherwise only what is said.
pub(super) struct Screen {
    bar: Option<indicatif::ProgressBar>,
}

// === impl Screen ===

impl Screen {
    pub(super) fn new() -> Screen {
        Screen {
            bar: std::io::stderr()
                .is_terminal()
                .then(indicatif::ProgressBar::new_spinner),
        }
    }

    pub(super) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(Plain(text).to_string()),
            None => stderr::say(Plain(text)),
        }
    }

    pub(super) fn live(&self, label: &str, live: &Live) {
        let Some(bar) = &self.bar else { return };
        let sample = &live.sample;
        let state = match live.is_draining {
            true => "waiting for what is still to come".to_owned(),
            false => format!(
                "{:.0} of {:.0} s",
                live.at.as_secs_f64(),
                live.of.as_secs_f64()
            ),
        };
        bar.set_message(format!(
            "{label}: {state}; {:.0} spans/s sent, {:.0} arrived; SUT {:.0} % of a core, {:.0} MiB",
            sample.sent,
            sample.arrived,
            sample.sut_cpu * 100.0,
            sample.sut_bytes as f64 / 1_048_576.0
        ));
        bar.tick();
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
