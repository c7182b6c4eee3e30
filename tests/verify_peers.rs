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

fn start(flags: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_nass"))
        .args(COMMON)
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A server with further flags, and where it listens.
fn server(flags: &[&str]) -> (Child, String) {
    let role = ["--role", "server", "--token", TOKEN];
    let mut server = start(&[&role, flags].concat());
    let mut lines = BufReader::new(server.stdout.as_mut().unwrap()).lines();
    let addr = lines.next().unwrap().unwrap();
    let token = lines.next().unwrap().unwrap();
    assert_eq!(token, format!("token {TOKEN}"));
    let addr = addr.strip_prefix("listening on ").unwrap().to_owned();
    assert!(addr.starts_with("127.0.0.1:"), "loopback unless asked");
    (server, addr)
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
