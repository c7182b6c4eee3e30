//! Waiting without giving the core away.
//!
//! A thread that sleeps for a message hands its core to others; on a machine shared with other tenants it often comes back
//! to a core whose other half is theirs, and runs a third or two slower until it is moved. So whoever waits for the other
//! party asks again and again, and lets other threads run in between; after ten seconds it sleeps after all. Where both
//! parties have but one core it sleeps at once: asking would take from the other one what it waits for.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};

use super::clock::{Moment, now};

/// Longest time for which a thread asks again and again.
const POLLED: Duration = Duration::from_secs(10);
/// Sends what the system takes, without waiting, and tells a closed end as an error.
const AT_ONCE: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

/// Readies a stream for messages that are waited for: without Nagle's delay, and within a machine without a congestion
/// control that paces what is sent. There is no congestion, and BBR takes half as long again to hand a megabyte over
/// (265 against 160 µs on a Zen 4, `hand_over` of `nass calibrate`). Reno belongs to every Linux and is open to all.
///
/// # Errors
/// The stream fails.
pub(crate) fn ready(stream: &TcpStream) -> io::Result<()> {
    // The cores are counted here, before a thread is bound to one of them.
    polled();
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    if is_within_machine(stream) {
        // A system that refuses keeps its own.
        let _ = rustix::net::sockopt::set_tcp_congestion(stream, "reno");
    }
    Ok(())
}

/// Whether the other end is on this machine, by its address.
pub(crate) fn is_within_machine(stream: &TcpStream) -> bool {
    stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback())
}

/// Reads what is there, as soon as something is.
///
/// # Errors
/// The stream fails, or nothing comes before the deadline ([`io::ErrorKind::TimedOut`]).
pub(crate) fn read(stream: &TcpStream, bytes: &mut [u8], deadline: Moment) -> io::Result<usize> {
    let ask = || recv(stream, &mut *bytes, RecvFlags::DONTWAIT).map(|(read, _)| read);
    if let Some(read) = poll(deadline, polled(), ask)? {
        return Ok(read);
    }
    read_asleep(stream, bytes, deadline)
}

/// The same without asking: it gives its core away until something is there.
///
/// # Errors
/// As of [`read`].
pub(crate) fn read_asleep(
    mut stream: &TcpStream,
    bytes: &mut [u8],
    deadline: Moment,
) -> io::Result<usize> {
    asleep(deadline, |left| {
        stream.set_read_timeout(Some(left))?;
        stream.read(bytes)
    })
}

/// Fills all of `bytes`.
///
/// # Errors
/// As of [`read`]; the stream ends before ([`io::ErrorKind::UnexpectedEof`]).
pub(crate) fn read_exact(
    stream: &TcpStream,
    mut bytes: &mut [u8],
    deadline: Moment,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match read(stream, bytes, deadline)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes = bytes.get_mut(count..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Reads a message of so many bytes into an empty vector that has room for it.
///
/// # Errors
/// As of [`read_exact`].
pub(crate) fn read_into(
    stream: &TcpStream,
    message: &mut Vec<u8>,
    length: usize,
    deadline: Moment,
) -> io::Result<()> {
    // Room that is just as long is filled as it is; more room would take in what follows, and is filled with zeros first.
    while message.capacity() == length && message.len() < length {
        let ask =
            || recv(stream, spare_capacity(message), RecvFlags::DONTWAIT).map(|(_, read)| read);
        match poll(deadline, polled(), ask)? {
            Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(_) => {}
            None => break,
        }
    }
    let filled = message.len();
    message.resize(length, 0);
    read_exact(
        stream,
        message.get_mut(filled..).unwrap_or_default(),
        deadline,
    )
}

/// Sends all of `bytes`.
///
/// # Errors
/// The stream fails, or not all is taken before the deadline ([`io::ErrorKind::TimedOut`]).
pub(crate) fn write_all(stream: &TcpStream, mut bytes: &[u8], deadline: Moment) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(stream, bytes, deadline)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => bytes = bytes.get(count..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Sends a head and what follows it, together as far as the system takes them.
///
/// # Errors
/// As of [`write_all`].
pub(crate) fn write_headed(
    stream: &TcpStream,
    head: &[u8],
    rest: &[u8],
    deadline: Moment,
) -> io::Result<()> {
    let both = [head, rest].map(IoSlice::new);
    let ask = || {
        let mut nothing_else = SendAncillaryBuffer::default();
        sendmsg(stream, &both, &mut nothing_else, AT_ONCE)
    };
    let written = poll(deadline, polled(), ask)?.unwrap_or(0);
    let of_rest = written.saturating_sub(head.len());
    write_all(stream, head.get(written..).unwrap_or_default(), deadline)?;
    write_all(stream, rest.get(of_rest..).unwrap_or_default(), deadline)
}

/// Writes as much as is taken, as soon as something is.
fn write(mut stream: &TcpStream, bytes: &[u8], deadline: Moment) -> io::Result<usize> {
    if let Some(written) = poll(deadline, polled(), || send(stream, bytes, AT_ONCE))? {
        return Ok(written);
    }
    asleep(deadline, |left| {
        stream.set_write_timeout(Some(left))?;
        stream.write(bytes)
    })
}

/// Waits for a moment.
pub(crate) fn wait_until(moment: Moment) {
    let (start, polled) = (now(), polled());
    while now() < moment && start.elapsed() < polled {
        thread::yield_now();
    }
    thread::sleep(moment.saturating_duration_since(now()));
}

/// Asks until there is an answer; `None` when it is time to sleep.
fn poll(
    deadline: Moment,
    polled: Duration,
    mut ask: impl FnMut() -> rustix::io::Result<usize>,
) -> io::Result<Option<usize>> {
    let start = now();
    loop {
        match ask() {
            Ok(count) => return Ok(Some(count)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if start.elapsed() >= polled {
            return Ok(None);
        }
        thread::yield_now();
    }
}

/// Sleeps until there is an answer, given what is left until the deadline.
fn asleep(
    deadline: Moment,
    mut ask: impl FnMut(Duration) -> io::Result<usize>,
) -> io::Result<usize> {
    loop {
        let left = deadline.saturating_duration_since(now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match ask(left) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            answer => return answer,
        }
    }
}

/// How long to ask: not at all where there is one core alone.
fn polled() -> Duration {
    static CORES: OnceLock<usize> = OnceLock::new();
    if *CORES.get_or_init(cores) > 1 {
        POLLED
    } else {
        Duration::ZERO
    }
}

/// Cores with units of their own, of those that this process may use; hardware threads where the system does not
/// say which share a core.
fn cores() -> usize {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let siblings = |cpu| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
        fs::read_to_string(path)
    };
    let lists: Result<BTreeSet<String>, _> = (0..threads).map(siblings).collect();
    lists.map_or(threads, |lists| lists.len())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    fn soon() -> Moment {
        now() + Duration::from_millis(50)
    }

    #[test]
    fn what_is_written_is_read_and_an_end_is_no_bytes() {
        let (near, far) = pair();
        assert_eq!(write(&near, &[1, 2, 3], soon()).unwrap(), 3);
        let mut bytes = [0; 8];
        assert_eq!(read(&far, &mut bytes, soon()).unwrap(), 3);
        assert_eq!(bytes, [1, 2, 3, 0, 0, 0, 0, 0]);
        drop(near);
        assert_eq!(read(&far, &mut bytes, soon()).unwrap(), 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn nothing_is_paced_within_a_machine() {
        let (near, far) = pair();
        for end in [near, far] {
            ready(&end).unwrap();
            assert!(end.nodelay().unwrap());
            let control = rustix::net::sockopt::tcp_congestion(&end).unwrap();
            assert_eq!(control, "reno");
        }
    }

    #[test]
    fn after_a_while_it_sleeps() {
        let polled = Duration::from_millis(10);
        let nothing = || Err(Errno::AGAIN);
        assert_eq!(poll(soon(), polled, nothing).unwrap(), None);
        let (near, far) = pair();
        let mut asked = 0;
        let read = asleep(soon(), |left| {
            asked += 1;
            if asked == 1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            (&far).write_all(&[1])?;
            near.set_read_timeout(Some(left))?;
            (&near).read(&mut [0; 4])
        });
        assert_eq!((read.unwrap(), asked), (1, 2));
        let silent = asleep(soon(), |_| Err(io::ErrorKind::WouldBlock.into()));
        assert_eq!(silent.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(cores() >= 1);
    }

    #[test]
    fn a_head_and_what_follows_arrive_in_this_order() {
        let (near, far) = pair();
        let deadline = now() + Duration::from_secs(30);
        let rest: Vec<u8> = (0..300_000_u32).map(|i| i.to_le_bytes()[1]).collect();
        for (head, length) in [(&[7, 8, 9][..], rest.len()), (&[], 2), (&[1], 0)] {
            let expected = [head, &rest[..length]].concat();
            let reading = thread::scope(|scope| {
                let reading = scope.spawn(|| {
                    let mut read = vec![0; expected.len()];
                    read_exact(&far, &mut read, deadline).map(|()| read)
                });
                write_headed(&near, head, &rest[..length], deadline).unwrap();
                reading.join().unwrap()
            });
            assert_eq!(reading.unwrap(), expected);
        }
    }

    /// Into room that is as long as the message, or longer: what follows it stays in the stream.
    #[test]
    fn a_message_is_read_and_no_more() {
        for room in [300_000, 400_000] {
            let (near, far) = pair();
            let sent: Vec<u8> = (0..300_010_u32).map(|i| i.to_le_bytes()[1]).collect();
            let (first, rest) = sent.split_at(300_000);
            let (deadline, message) = (now() + Duration::from_secs(30), sent.clone());
            let sending = thread::spawn(move || {
                write_all(&near, &message, deadline).unwrap();
            });
            let mut read = Vec::with_capacity(room);
            read_into(&far, &mut read, first.len(), deadline).unwrap();
            assert_eq!(read, first);
            let mut after = Vec::with_capacity(room);
            read_into(&far, &mut after, rest.len(), deadline).unwrap();
            assert_eq!(after, rest);
            sending.join().unwrap();
            let ended = read_into(&far, &mut Vec::with_capacity(room), room, deadline);
            assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn waiting_ends_with_the_deadline() {
        let (near, _far) = pair();
        let start = now();
        let silent = read(&near, &mut [0], soon()).unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
        let deaf = (0..).find_map(|_| write(&near, &[0; 1 << 20], soon()).err());
        assert_eq!(deaf.unwrap().kind(), io::ErrorKind::TimedOut);
        wait_until(soon());
        assert!(start.elapsed() >= Duration::from_millis(150));
    }
}
