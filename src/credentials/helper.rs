//! Credential helpers: programs that store logins (docker/docker-credential-helpers, "Protocol").

use std::fmt;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::Login;
use super::auth_file::password_or_token;
use crate::image::DOCKER_HUB;
use crate::text::escape::{escaped, shortened};

/// The time limit of a helper. The helpers of clouds ask a server. A helper that waits for a person would
/// never end in CI.
const PATIENCE: Duration = Duration::from_secs(15);

/// The longest answer of a helper in bytes. The tokens of clouds stay under 20 KiB.
const MAX_ANSWER: usize = 64 << 10;

/// The answer of a helper that does not know a host.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// Docker's name for Docker Hub.
const DOCKER_HUB_SERVER: &str = "https://index.docker.io/v1/";

/// One helper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Helper {
    program: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: SecretString,
}

impl Helper {
    /// The helper of this name.
    pub(super) fn new(name: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(allowed) {
            return Err("a helper is named by letters, digits, `-`, `_` and `.`".to_owned());
        }
        Ok(Self { program: format!("docker-credential-{name}") })
    }

    /// The program.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// Asks for the login of a host; none if the helper has none. A helper may use a third of the time
    /// that is left until the `deadline`, so that anonymous requests are still possible.
    pub(super) async fn login(
        &self,
        host: &str,
        deadline: Instant,
    ) -> Result<Option<Login>, String> {
        let server = if host == DOCKER_HUB { DOCKER_HUB_SERVER } else { host };
        let timeout = PATIENCE.min(deadline.saturating_duration_since(Instant::now()) / 3);
        let failed = |reason: String| format!("{self} failed: {reason}");
        let extensions = if cfg!(windows) { std::env::var("PATHEXT").ok() } else { None };
        let programs = programs(&self.program, extensions.as_deref());
        let mut child = start(&programs).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("{self} is not on the PATH"),
            _ => failed(error.to_string()),
        })?;
        match tokio::time::timeout(timeout, ask(&mut child, server)).await {
            Ok(Ok(said)) => said.login().map_err(failed),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => {
                // Waits for its end too. That it can't be ended leaves nothing to be done.
                let _ = child.kill().await;
                Err(format!("{self} gave no answer within {:.1} s", timeout.as_secs_f32()))
            }
        }
    }
}

/// The names that a helper may have as a program. On Windows it may be a script: Docker tries the
/// extensions in `PATHEXT` in turn. Without an extension, the system looks for an `.exe`.
fn programs(program: &str, extensions: Option<&str>) -> Vec<String> {
    let extensions = extensions.unwrap_or_default().split(';');
    let extensions =
        extensions.filter(|extension| extension.len() > 1 && extension.starts_with('.'));
    let scripts = extensions.filter(|extension| !extension.eq_ignore_ascii_case(".exe"));
    let scripts = scripts.map(|extension| format!("{program}{}", extension.to_ascii_lowercase()));
    std::iter::once(program.to_owned()).chain(scripts).collect()
}

/// Starts the first of these programs that exists.
fn start(programs: &[String]) -> io::Result<Child> {
    let mut missing = io::Error::from(io::ErrorKind::NotFound);
    for program in programs {
        let started = Command::new(program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        match started {
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing = error,
            started => return started,
        }
    }
    Err(missing)
}

/// The output of a helper that has ended.
struct Said {
    status: ExitStatus,
    stdout: SecretBox<Vec<u8>>,
    stderr: SecretBox<Vec<u8>>,
}

async fn ask(child: &mut Child, server: &str) -> io::Result<Said> {
    let mut stdin = child.stdin.take().expect("it is piped");
    let stdout = read(child.stdout.take().expect("it is piped"));
    let stderr = read(child.stderr.take().expect("it is piped"));
    let asked = async move {
        // A helper that ends early reports the reason.
        let _ = stdin.write_all(format!("{server}\n").as_bytes()).await;
    };
    let ((), stdout, stderr) = tokio::join!(asked, stdout, stderr);
    Ok(Said { stdout: stdout?, stderr: stderr?, status: child.wait().await? })
}

/// Reads to the end, or up to the limit of an answer.
async fn read(pipe: impl AsyncRead + Unpin) -> io::Result<SecretBox<Vec<u8>>> {
    let mut text = Vec::with_capacity(MAX_ANSWER);
    pipe.take(MAX_ANSWER as u64).read_to_end(&mut text).await?;
    Ok(SecretBox::new(Box::new(text)))
}

impl Said {
    /// The login; none if the helper has none.
    fn login(&self) -> Result<Option<Login>, String> {
        let answer = self.stdout.expose_secret();
        if !self.status.success() {
            let said = String::from_utf8_lossy(answer);
            if said.trim() == NOT_FOUND {
                return Ok(None);
            }
            // Its stdout may be a secret, also if it fails.
            let stderr = String::from_utf8_lossy(self.stderr.expose_secret());
            let words = Some(stderr.trim()).filter(|text| !text.is_empty() && !text.contains('{'));
            let words = escaped(&shortened(words.unwrap_or("its message can't be shown")));
            return Err(format!("{}: {words}", self.status));
        }
        let Answer { username, secret } = serde_json::from_slice(answer)
            .map_err(|_| "its answer is not JSON with Username and Secret".to_owned())?;
        let is_empty = username.is_empty() && secret.expose_secret().is_empty();
        Ok((!is_empty).then(|| password_or_token(username, secret)))
    }
}

impl fmt::Display for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_may_be_a_script_on_windows() {
        let names = |extensions| programs("docker-credential-gcloud", extensions);
        assert_eq!(names(None), ["docker-credential-gcloud"]);
        assert_eq!(
            names(Some(".COM;.EXE;;.CMD")),
            [
                "docker-credential-gcloud",
                "docker-credential-gcloud.com",
                "docker-credential-gcloud.cmd"
            ]
        );
    }

    #[test]
    fn a_helper_is_named_by_a_word() {
        for (name, allowed) in [
            ("ecr-login", true),
            ("desktop.exe", true),
            ("acr_env", true),
            ("", false),
            ("a/b", false),
            ("a\\b", false),
            ("a b", false),
            ("a\0", false),
            ("ä", false),
        ] {
            assert_eq!(Helper::new(name).is_ok(), allowed, "{name:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_helper_that_hangs_is_ended_and_waited_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (program, mark) = (folder.path().join("program"), folder.path().join("mark"));
        // A child writes it, so that no process has it open for writing when it starts.
        let script = format!("#!/bin/sh\necho $$ > '{}'\nexec sleep 600\n", mark.display());
        let written = std::process::Command::new("sh")
            .args(["-c", "printf %s \"$1\" > \"$0\" && chmod +x \"$0\""])
            .args([program.as_os_str(), script.as_ref()])
            .status();
        assert!(written.expect("every Unix has it").success());
        let helper = Helper { program: program.display().to_string() };
        let asked = helper.login("a.io", Instant::now() + Duration::from_secs(3)).await;
        let said = asked.expect_err("it never answers");
        assert!(said.ends_with("gave no answer within 1.0 s"), "{said}");
        // Where all is slow, it has been ended before it could say who it is.
        if let Ok(process) = std::fs::read_to_string(mark) {
            let process = std::path::Path::new("/proc").join(process.trim());
            assert!(!process.exists(), "one that nobody has waited for would still be there");
        }
    }
}
