//! The shell completions and the man pages.

use crate::support::run;

#[tokio::test]
async fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script, stderr) = run(&["completions", shell]).await;
        assert_eq!(code, 0, "{stderr}");
        for word in ["diagnose", "messaging-relation"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let (code, _, stderr) = run(&["completions", "csh"]).await;
    assert_eq!(code, 2);
    assert!(stderr.contains("bash"), "{stderr}");
}

#[tokio::test]
async fn every_command_has_its_manual_page() {
    let folder = tempfile::TempDir::new().unwrap();
    let pages = folder.path().join("man");
    let (code, _, stderr) = run(&["man", "--out", pages.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{stderr}");
    for (page, says) in [
        ("tracelab.1", "laboratory for distributed tracing"),
        ("tracelab-run.1", "scenario"),
        ("tracelab-fault-set.1", "fault"),
    ] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.starts_with(".ie") || text.contains(".TH"), "{page}");
        assert!(text.contains(says), "{page}: {text}");
    }
    let (code, _, stderr) = run(&["man", "--out", "/proc/none"]).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("/proc/none"), "{stderr}");
}
