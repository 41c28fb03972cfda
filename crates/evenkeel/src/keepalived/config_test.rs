//! `--config-test`: keepalived's lines and exit codes for a configuration that is not started.

use super::Exit;
use super::arguments::Arguments;
use super::reading::Reading;
use keepalived_conf::Verdict;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::ExitCode;

/// Checks what the command line names. Messages go to standard error, or are added to the file that `-t` names.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let mut out: Box<dyn Write> = match arguments.test.as_ref().and_then(Option::as_ref) {
        None => Box::new(std::io::stderr()),
        Some(path) => match OpenOptions::new().append(true).create(true).mode(0o644).open(path) {
            Ok(file) => Box::new(file),
            Err(error) => {
                eprintln!("Unable to open config-test log file {} - {error}", path.display());
                return Exit::Failed.into();
            }
        },
    };
    let mut say = |line: &str| {
        // A reader that went away is no failure.
        let _ = writeln!(out, "{line}");
    };
    let reading = match Reading::of_files(arguments) {
        Ok(reading) => reading,
        Err(line) => {
            say(&line);
            return ExitCode::from(Verdict::Bad.code());
        }
    };
    let audit = notice::security::audit(&reading.config);
    // The files alone tell that scripts run without `enable_script_security`; the scripts, whether that does harm.
    let (violations, findings): (Vec<_>, Vec<_>) =
        audit.lines.iter().partition(|line| line.starts_with("SECURITY VIOLATION"));
    let named = |line: &str| violations.iter().find(|more| more.starts_with(line)).map(|more| more.as_str());
    reading.lines.iter().for_each(|line| say(named(line).unwrap_or(line)));
    if reading.is_missing() {
        return Exit::Unreadable.into();
    }
    findings.iter().for_each(|line| say(line));
    let mut verdict = reading.verdict;
    if reading.refused || arguments.faulty {
        verdict = verdict.max(Verdict::Bad);
    }
    if audit.violation {
        verdict = verdict.max(Verdict::Insecure);
    }
    ExitCode::from(verdict.code())
}
