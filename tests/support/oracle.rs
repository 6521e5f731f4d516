//! The oracle: the images that kubectl's decoder and yaml.v3 see in a text
//! (`scripts/clients.d/oracle`).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;

/// A line of the oracle: an image that a reader sees, or the error that ended its reading.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Line {
    /// `kubectl` or `yaml.v3`.
    pub reader: String,
    /// Number of the document, from 1.
    pub document: usize,
    /// The field, from the document's root.
    #[serde(default)]
    pub path: String,
    /// The decoded text of the field.
    #[serde(default)]
    pub image: String,
    /// The reason why the reader stopped here.
    pub error: Option<String>,
}

/// A running oracle, which reads one text after another.
pub struct Oracle {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts the oracle from a folder of clients.
    pub fn start(clients: &Path) -> Self {
        let mut child = Command::new(clients.join("oracle"))
            .arg("-frames")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("scripts/clients builds the oracle");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, stdin, stdout }
    }

    /// The images and errors of both readers.
    pub fn read(&mut self, text: &str) -> Vec<Line> {
        write!(self.stdin, "{}\n{text}", text.len()).expect("the oracle reads");
        self.stdin.flush().expect("the oracle reads");
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).expect("the oracle writes");
            assert_ne!(read, 0, "the oracle ended at {text:?}");
            if line == "\n" {
                return lines;
            }
            lines.push(serde_json::from_str(&line).expect("a line of JSON"));
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
