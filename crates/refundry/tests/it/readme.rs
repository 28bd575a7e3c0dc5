//! `README.md` is true: every command in it runs as it stands there, and answers what stands below it.
//!
//! The commands run in a folder that looks like a checkout after its first build, so their paths are those of the text;
//! only the server's port is replaced. A command without an answer, or the reverse, is an error. In an answer, `…`
//! inside quotes stands for any text, alone for any value, and at the end of an object, a list or headers for whatever
//! else there is.

mod pattern;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::{Client, Process, binary, settled};
use pattern::{check_json, check_line};

/// How the text starts the binary: the first time, and once it is built.
const PREFIXES: [&str; 2] = ["cargo run --release -- ", "target/release/refundry "];

#[test]
fn every_command_answers_what_stands_below_it() {
    let steps = steps(&text());
    let ways: &[Way] = if curl_is_there() { &[Way::Parsed, Way::Shell] } else { &[Way::Parsed] };
    for way in ways {
        let (start, rest) = steps.split_first().expect("the text has commands");
        let folder = checkout();
        let (server, address) = serve(start, folder.path());
        let mut client = server.client();
        let mut requests = 0;
        for step in rest {
            if step.command.starts_with("curl ") {
                // The text says that the demo's provider is done by the time somebody has typed the next command.
                settled(&mut client);
                requests += 1;
                step.check_answer(&way.request(step, &mut client, &address, &server.address));
            } else {
                step.check_text(&shell(&step.command, folder.path()));
            }
        }
        assert!(requests >= 10, "{requests} requests in the text");
    }
}

#[test]
fn commands_inside_sentences_are_understood() {
    let text = text();
    let commands: Vec<&str> = text.split('`').filter(|span| PREFIXES.iter().any(|p| span.starts_with(p))).collect();
    assert!(!commands.is_empty(), "no sentence names a command");
    for command in commands {
        let folder = checkout();
        let command = command.lines().next().expect("a line").replacen(PREFIXES[0], PREFIXES[1], 1);
        // Whatever stands before `--help` is read first, so a wrong option is still an error; nothing is carried out.
        shell(&format!("{command} --help"), folder.path());
    }
}

#[test]
fn links_lead_to_files() {
    let text = text();
    let targets: Vec<&str> = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(targets.len() > 5, "{targets:?}");
    for target in targets {
        match target.strip_prefix('#') {
            Some(anchor) => assert!(headings(&text).any(|heading| heading == anchor), "no heading for #{anchor}"),
            None => assert!(root().join(target).exists(), "there is no {target}"),
        }
    }
}

/// How a curl command is carried out.
#[derive(Clone, Copy)]
enum Way {
    /// Read by us and sent by the harness: needs no curl, and shows that we see in a command what curl sees in it.
    Parsed,
    /// As a reader does it.
    Shell,
}

impl Way {
    fn request(self, step: &Step, client: &mut Client, documented: &str, actual: &str) -> String {
        match self {
            Self::Parsed => Curl::parse(&step.command, documented).send(client),
            Self::Shell => shell(&step.command.replace(documented, actual), Path::new(".")),
        }
    }
}

/// A command of the text and what it says of its answer.
struct Step {
    line: usize,
    command: String,
    /// `text`, `json`, or `http` with status and headers.
    form: String,
    answer: String,
}

impl Step {
    fn check_answer(&self, output: &str) {
        let (head, body) = output.split_once("\n\n").unwrap_or(("", output));
        let (told_head, told_body) = match self.form.as_str() {
            "http" => self.answer.split_once("\n\n").expect("a body below the headers"),
            "json" => ("", self.answer.as_str()),
            other => panic!("README.md:{}: an answer in the form {other:?}", self.line),
        };
        assert_eq!(head.is_empty(), told_head.is_empty(), "README.md:{}: headers here but not there", self.line);
        self.check_head(told_head, head);
        if let Err(reason) = check_json(told_body, body) {
            panic!("README.md:{}: {reason}\nthe answer is {output}", self.line);
        }
    }

    /// The status comes first; of the headers, those that are told must be there.
    fn check_head(&self, told: &str, head: &str) {
        let mut told = told.lines();
        let (told_status, status) = (told.next().unwrap_or(""), head.lines().next().unwrap_or(""));
        assert!(told_status.starts_with(status), "README.md:{}: {status} instead of {told_status}", self.line);
        for line in told.filter(|line| *line != "…") {
            let found = head.lines().any(|header| check_line(line, header));
            assert!(found, "README.md:{}: no header {line} in\n{head}", self.line);
        }
    }

    fn check_text(&self, output: &str) {
        assert_eq!(self.form, "text", "README.md:{}", self.line);
        let same = self.answer.lines().count() == output.lines().count()
            && self.answer.lines().zip(output.lines()).all(|(told, line)| check_line(told, line));
        assert!(same, "README.md:{}: the output is\n{output}", self.line);
    }
}

/// All commands with their answers: a block `sh` with one command, and the next block right below it.
fn steps(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let Some(form) = line.strip_prefix("```") else { continue };
        let line = index + 1;
        assert_eq!(form, "sh", "README.md:{line}: an answer without a command");
        let command = block(&mut lines);
        while lines.next_if(|(_, line)| line.is_empty()).is_some() {}
        let (_, fence) = lines.next().expect("an answer below the last command");
        let form = fence.strip_prefix("```").filter(|form| *form != "sh");
        let form = form.unwrap_or_else(|| panic!("README.md:{line}: a command without an answer")).to_owned();
        steps.push(Step { line, command, form, answer: block(&mut lines) });
    }
    steps
}

fn block<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) -> String {
    let inside: Vec<&str> = lines.map(|(_, line)| line).take_while(|line| *line != "```").collect();
    inside.join("\n")
}

/// Starts the server as the first command says, apart from the port. Also gives the address that the text names.
fn serve(start: &Step, folder: &Path) -> (Process, String) {
    let args = start.command.strip_prefix(PREFIXES[0]).expect("the first command builds and starts the server");
    let mut args: Vec<&str> = args.split(' ').collect();
    let address = start.answer.strip_prefix("listening on http://").expect("the line that says where it listens");
    let help = shell("target/release/refundry serve --help", folder);
    assert!(help.contains(&format!("[default: {address}]")), "{address} is not where it listens by default");
    args.extend(["--listen", "127.0.0.1:0"]);
    (Process::start_in(folder, &args), address.to_owned())
}

/// What a curl command asks for.
struct Curl {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    /// `-i`: the answer is shown with its headers.
    with_head: bool,
}

impl Curl {
    fn parse(command: &str, address: &str) -> Self {
        let mut curl =
            Self { method: "GET", path: String::new(), headers: Vec::new(), body: String::new(), with_head: false };
        let mut words = words(command).into_iter().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value in {command}"));
            match word.as_str() {
                "-i" => curl.with_head = true,
                "-d" => (curl.method, curl.body) = ("POST", value()),
                "-H" => {
                    let header = value();
                    let (name, value) = header.split_once(": ").expect("a header");
                    curl.headers.push((name.to_owned(), value.to_owned()));
                }
                _ => {
                    let path = word.strip_prefix("http://").and_then(|rest| rest.strip_prefix(address));
                    path.unwrap_or_else(|| panic!("{word:?} in {command}")).clone_into(&mut curl.path);
                }
            }
        }
        curl
    }

    /// Shows the answer as curl does, but for the words of the status.
    fn send(&self, client: &mut Client) -> String {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let answer = client.send(self.method, &self.path, &headers, self.body.as_bytes()).expect("an answer");
        if !self.with_head {
            assert!(answer.status < 300, "{} {} without its status being shown", answer.status, answer.text());
            return answer.text();
        }
        let headers: Vec<String> = answer.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        format!("HTTP/1.1 {}\n{}\n\n{}", answer.status, headers.join("\n"), answer.text())
    }
}

/// The words of a command that has quotes and continued lines, and nothing else that a shell would act on.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => word.get_or_insert_default().extend(chars.by_ref().take_while(|c| *c != '\'')),
            '\\' => assert_eq!(chars.next(), Some('\n'), "a backslash only ends a line, in {command}"),
            c if c.is_whitespace() => words.extend(word.take()),
            c => {
                assert!(!"\"$&|;<>()*?#~`!".contains(c), "{c} is the shell's, in {command}");
                word.get_or_insert_default().push(c);
            }
        }
    }
    words.extend(word);
    words
}

/// Runs a command as a reader does; it must succeed.
fn shell(command: &str, folder: &Path) -> String {
    let mut shell = Command::new("sh");
    // A proxy of the machine's must not get between curl and a server on the same machine.
    shell.args(["-c", command]).current_dir(folder).env("no_proxy", "*").env("REFUNDRY_LOG", "warn");
    let output = shell.stdin(Stdio::null()).output().expect("there is a shell");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {}\n{complaints}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8").replace("\r\n", "\n")
}

fn curl_is_there() -> bool {
    let mut curl = Command::new("curl");
    curl.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A folder with the built binary and the examples where a checkout has them.
fn checkout() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let target = folder.path().join("target/release");
    std::fs::create_dir_all(&target).expect("a folder");
    symlink(binary(), target.join("refundry")).expect("a link");
    symlink(root().join("examples"), folder.path().join("examples")).expect("a link");
    folder
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("README.md")
}

/// What links call the headings.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let titles = text.lines().filter_map(|line| line.strip_prefix('#'));
    titles.map(|title| title.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
}
