//! Reads the output of a program.

use tokio::{
    io::{AsyncRead, BufReader},
    task::JoinHandle,
};

use crate::{LastLines, lines::next_line};

/// Reads the output of a program to its end, in a separate task, so that a full pipe never blocks the
/// program. Each line goes to `told`, and to `last_lines`.
pub fn forward(
    output: impl AsyncRead + Send + Unpin + 'static,
    last_lines: LastLines,
    told: impl Fn(String) + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut output = BufReader::new(output);
        while let Ok(Some(line)) = next_line(&mut output).await {
            last_lines.push(line.clone());
            told(line);
        }
    })
}
