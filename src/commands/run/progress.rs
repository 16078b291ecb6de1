//! How far a run has come: a bar on a terminal, and lines elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use runner::Progress;

use crate::screen;

/// How often a progress bar is drawn.
const DRAWN_PER_SECOND: u8 = 20;

/// Makes a progress bar for a terminal; without a terminal [`show`] prints plain lines.
pub(super) fn progress_bar() -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::term_like_with_hz(Box::new(screen::Terminal), DRAWN_PER_SECOND),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(None, target);
    let template = "{msg:<44} {wide_bar} {pos}/{len}";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is well formed"));
    bar
}

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
