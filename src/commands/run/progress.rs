//! How far a run has come: a bar on a terminal, and lines elsewhere.

use std::io::IsTerminal;

use indicatif::ProgressBar;
use runner::Progress;

/// Shows on the bar, or in lines, how far the run has come.
pub(super) fn show(bar: ProgressBar) -> impl Fn(Progress) + Clone + Send + Sync + 'static {
    let terminal = std::io::stderr().is_terminal();
    move |progress| match progress {
        Progress::Ready if terminal => bar.set_message("making requests"),
        Progress::Ready => stderr::say("the lab is up; making requests"),
        Progress::Driving {
            scenario,
            phase,
            requests,
            planned,
        } => {
            bar.set_message(format!("{scenario} {phase}"));
            if let Some(planned) = planned {
                bar.set_length(planned.max(requests));
            }
            bar.set_position(requests);
        }
        Progress::Waiting {
            scenario,
            phase,
            open,
        } => {
            let waits =
                format!("{scenario} {phase}: the load waits until {open} traces are judged");
            match terminal {
                true => bar.set_message(waits),
                false => eprintln!("{waits}"),
            }
        }
        Progress::Settling {
            scenario,
            phase,
            settled,
            of,
        } => {
            bar.set_message(format!("{scenario} {phase}: waiting for traces"));
            bar.set_length(of as u64);
            bar.set_position(settled as u64);
        }
        Progress::Done { scenario, done, of } if !terminal => {
            stderr::say(format_args!("{scenario} is done, {done} of {of}"));
        }
        Progress::Done { .. } => {}
    }
}
