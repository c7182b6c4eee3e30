//! What a party of `nass verify` does when the other one is silent, mad, a stranger or dead: one clear line,
//! exit code 1, in time.

#![expect(
    clippy::unwrap_used,
    reason = "a test without its processes has failed"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const COMMON: [&str; 7] = [
    "verify",
    "toy",
    "--calibration",
    "calibration/reference.csv",
    "--weight-seed",
    "1",
    "--quiet",
];
const TOKEN: &str = "00112233445566778899aabbccddeeff";

fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nass"));
    command.args(COMMON).args(flags).env_remove("NASS_TOKEN");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(flags: &[&str]) -> Child {
    command(flags).spawn().unwrap()
}

/// A server with further flags, and where it listens.
fn server(flags: &[&str]) -> (Child, String) {
    let role = ["--role", "server", "--token", TOKEN];
    let mut server = start(&[&role, flags].concat());
    let addr = address(&mut server);
    (server, addr)
}

/// Where a server says that it listens.
fn address(server: &mut Child) -> String {
    let mut lines = BufReader::new(server.stdout.as_mut().unwrap()).lines();
    let addr = lines.next().unwrap().unwrap();
    let addr = addr.strip_prefix("listening on ").unwrap().to_owned();
    assert!(addr.starts_with("127.0.0.1:"), "loopback unless asked");
    addr
}

/// What the process says at its end, which must be one line, with exit code 1.
fn complaint(mut child: Child) -> String {
    let mut told = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut told)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(!told.contains("panicked"), "{told}");
    told
}

fn token_bytes() -> Vec<u8> {
    (0..16).map(|i| i * 0x11).collect()
}

#[test]
fn a_silent_client_ends_the_server_in_time() {
    let (server, addr) = server(&["--patience", "1"]);
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(&token_bytes()).unwrap();
    let told = complaint(server);
    assert!(told.contains("silent"), "{told}");
}

#[test]
fn rubbish_ends_the_server() {
    let (server, addr) = server(&["--patience", "5"]);
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(&token_bytes()).unwrap();
    stream.write_all(&[0xa5; 4096]).unwrap();
    let told = complaint(server);
    assert!(told.contains("another script"), "{told}");
}

#[test]
fn a_client_that_is_killed_ends_the_server_and_the_other_way_round() {
    let slow = ["--link", "mbit=4,rtt_ms=1"];
    for kill_client in [true, false] {
        let (mut server, addr) = server(&slow);
        let role = ["--role", "client", "--token", TOKEN, "--addr", &addr];
        let mut client = start(&[&role[..], &slow].concat());
        std::thread::sleep(Duration::from_millis(1500));
        let (killed, left) = if kill_client {
            (&mut client, &mut server)
        } else {
            (&mut server, &mut client)
        };
        assert!(left.try_wait().unwrap().is_none(), "still running");
        killed.kill().unwrap();
        killed.wait().unwrap();
        let told = complaint(if kill_client { server } else { client });
        assert!(told.contains("the other party is gone"), "{told}");
    }
}

#[test]
fn a_stranger_is_sent_away_and_the_client_served() {
    let (mut server, addr) = server(&[]);
    let client = |token: &str| start(&["--role", "client", "--addr", &addr, "--token", token]);
    let told = complaint(client("ffffffffffffffffffffffffffffffff"));
    assert!(told.contains("gone"), "{told}");
    let served = client(TOKEN).wait_with_output().unwrap();
    assert_eq!(served.status.code(), Some(0));
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn strangers_do_not_end_the_server_whose_patience_does() {
    let (mut server, addr) = server(&["--patience", "60"]);
    let strangers = (0..12).map(|_| {
        let mut stream = TcpStream::connect(&addr).unwrap();
        stream.write_all(&[0xff; 16]).unwrap();
        stream
    });
    let strangers: Vec<TcpStream> = strangers.collect();
    let client = start(&["--role", "client", "--addr", &addr, "--token", TOKEN]);
    assert!(client.wait_with_output().unwrap().status.success());
    assert!(server.wait().unwrap().success());
    drop(strangers);

    let (server, addr) = self::server(&["--patience", "1"]);
    let silent = TcpStream::connect(addr).unwrap();
    let told = complaint(server);
    assert!(
        told.contains("no client showed the token within 1 s"),
        "{told}"
    );
    drop(silent);
}

/// What everybody can read in a list of processes need not hold the token, nor is one printed that was given.
#[test]
fn the_token_comes_from_a_file_or_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let mut server = start(&["--role", "server", "--token-file", file.to_str().unwrap()]);
    let mut stdout = BufReader::new(server.stdout.take().unwrap());
    let mut printed = String::new();
    stdout.read_line(&mut printed).unwrap();
    let addr = printed.trim().strip_prefix("listening on ").unwrap();
    let mut client = command(&["--role", "client", "--addr", addr]);
    let client = client.env("NASS_TOKEN", TOKEN).output().unwrap();
    assert!(client.status.success(), "{client:?}");
    stdout.read_to_string(&mut printed).unwrap();
    assert!(server.wait().unwrap().success());
    assert!(!printed.contains(TOKEN), "{printed}");
}

#[test]
fn a_token_that_cannot_be_used_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "no token").unwrap();
    let file = file.to_str().unwrap();
    let refused = |mut command: Command, named: &str| {
        let output = command.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(told.contains(named), "{told}");
        assert!(output.stdout.is_empty());
    };
    for flag in [["--token", TOKEN], ["--token-file", file]] {
        refused(command(&flag), &format!("{}: --role both", flag[0]));
    }
    let server = ["--role", "server"];
    refused(
        command(&[&server[..], &["--token-file", file]].concat()),
        file,
    );
    refused(
        command(&[&server[..], &["--token-file", "/nowhere"]].concat()),
        "/nowhere",
    );
    let mut in_environment = command(&server);
    in_environment.env("NASS_TOKEN", "zz");
    refused(in_environment, "NASS_TOKEN: expected 32 hexadecimal digits");
    let client = ["--role", "client", "--addr", "127.0.0.1:1"];
    refused(command(&client), "--token-file, NASS_TOKEN or --token");
}
