//! `docs/tutorial.md` as a newcomer pastes it: one shell, the real binary, a provider of one's own.
//! Whatever stands below a block of lines must be what they print, but for ids, times and ports.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use regex::Regex;

/// Lines to paste, and what the tutorial says they print.
struct Block {
    /// The heading that they stand under.
    step: String,
    lines: String,
    prints: String,
}

/// The `sh` blocks in their order, each with the `text` block that follows it.
fn blocks(tutorial: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut step, mut fence) = (String::new(), None);
    for line in tutorial.lines() {
        match (fence, line.strip_prefix("```")) {
            (None, Some("sh")) => {
                blocks.push(Block { step: step.clone(), lines: String::new(), prints: String::new() });
                fence = Some("sh");
            }
            (None, Some("text")) => fence = Some("text"),
            (None, Some(_)) => fence = Some("other"),
            (None, None) => {
                if let Some(heading) = line.strip_prefix("## ") {
                    heading.clone_into(&mut step);
                }
            }
            (Some(_), Some("")) => fence = None,
            (Some(kind), _) => {
                let to = match (kind, blocks.last_mut()) {
                    ("sh", Some(block)) => &mut block.lines,
                    ("text", Some(block)) => &mut block.prints,
                    _ => continue,
                };
                to.push_str(line);
                to.push('\n');
            }
        }
    }
    blocks
}

/// Pastes all blocks into one shell in this folder; answers what each printed, errors included.
fn paste(blocks: &[Block], folder: &Path, ports: [u16; 2]) -> Vec<String> {
    let binaries = Path::new(env!("CARGO_BIN_EXE_dossier")).parent().unwrap();
    // Whatever goes wrong, nothing is left running.
    let mut script = format!(
        "exec 2>&1\nexport PATH=\"{}:$PATH\"\ntrap 'kill $DOSSIER_PID $PROVIDER_PID 2> /dev/null' EXIT\n",
        binaries.display()
    );
    for block in blocks {
        script.extend(["echo '", MARK, "'\n", &block.lines]);
    }
    let mut shell = Command::new("sh")
        .current_dir(folder)
        .env("PORT", ports[0].to_string())
        .env("PROVIDER", ports[1].to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let printed = String::from_utf8(shell.wait_with_output().unwrap().stdout).unwrap();
    printed.split(&format!("{MARK}\n")).skip(1).map(str::to_owned).collect()
}

const MARK: &str = "-- the next block --";

/// Ids, times and ports are others each time; what is left must be equal.
fn settled(text: &str, ports: [u16; 2]) -> String {
    let id = Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    let time = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").unwrap();
    let text = id.replace_all(text, "<id>");
    let text = time.replace_all(&text, "<time>");
    let [dossier, provider] = ports.map(|port| format!("127.0.0.1:{port}"));
    text.replace(&dossier, "127.0.0.1:8080").replace(&provider, "127.0.0.1:9000").trim().to_owned()
}

fn free_ports() -> [u16; 2] {
    let sockets = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

#[test]
fn the_tutorial_does_not_lie() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/tutorial.md");
    let blocks = blocks(&std::fs::read_to_string(file).unwrap());
    for number in 1..=11 {
        let heading = format!("{number}. ");
        assert!(
            blocks.iter().any(|block| block.step.starts_with(&heading) && !block.prints.is_empty()),
            "step {number} has lines to paste and says what they print"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let printed = paste(&blocks, folder.path(), ports);
    for (block, printed) in blocks.iter().zip(&printed) {
        let (printed, promised) = (settled(printed, ports), settled(&block.prints, ports));
        let Block { step, lines, .. } = block;
        assert!(printed == promised, "{step}\n{lines}\nprints:\n{printed}\n\npromised is:\n{promised}");
    }
    assert_eq!(printed.len(), blocks.len(), "the shell went through to the end");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}
