#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::pin::pin;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Notes each write; takes so many bytes of each, and none while it is full.
#[derive(Debug, Default)]
struct Socket {
    writes: Vec<Vec<u8>>,
    takes: usize,
    full: bool,
    broken: bool,
    shut: bool,
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.full {
            return Poll::Pending;
        }
        let taken = buf.len().min(self.takes);
        self.writes.push(buf[..taken].to_vec());
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut = true;
        Poll::Ready(Ok(()))
    }
}

fn socket(takes: usize) -> (Held<Socket>, Outgoing<Socket>) {
    held(Socket { takes, ..Socket::default() })
}

fn sent(out: &Outgoing<Socket>) -> Vec<Vec<u8>> {
    locked(&out.0).io.writes.clone()
}

#[tokio::test]
async fn what_is_written_and_flushed_in_one_turn_leaves_in_one_write() {
    let (mut io, out) = socket(usize::MAX);
    let connection = pin!(async {
        for reply in [b"first ".as_slice(), b"second ", b"third"] {
            io.write_all(reply).await.unwrap();
            io.flush().await.unwrap();
        }
        assert_eq!(sent(&out), Vec::<Vec<u8>>::new(), "the turn is not over");
        tokio::task::yield_now().await;
        assert_eq!(sent(&out), [b"first second third".to_vec()]);
        io.write_all(b"fourth").await.unwrap();
    });
    out.turns(connection).await;
    assert_eq!(sent(&out), [b"first second third".to_vec(), b"fourth".to_vec()], "the last turn, too");
}

#[tokio::test]
async fn a_socket_that_takes_little_gets_everything_in_order() {
    let (mut io, out) = socket(1000);
    let bytes: Vec<u8> = (0..3 * MOST).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let connection = pin!(async {
        for chunk in bytes.chunks(10_000) {
            io.write_all(chunk).await.unwrap();
            assert!(locked(&out.0).waiting.len() < MOST + 10_000, "what is held is bounded");
        }
        io.shutdown().await.unwrap();
    });
    out.turns(connection).await;
    assert_eq!(sent(&out).concat(), bytes);
    assert!(locked(&out.0).io.shut);
}

#[tokio::test]
async fn a_full_socket_holds_up_the_writer_and_not_the_order() {
    let (mut io, out) = socket(usize::MAX);
    locked(&out.0).io.full = true;
    let connection = pin!(async {
        io.write_all(&vec![1; MOST]).await.unwrap();
        tokio::task::yield_now().await;
        let more = poll_fn(|cx| Poll::Ready(Pin::new(&mut io).poll_write(cx, b"more").is_pending()));
        assert!(more.await, "nothing more is taken");
        locked(&out.0).io.full = false;
        io.write_all(b"more").await.unwrap();
    });
    out.turns(connection).await;
    assert_eq!(sent(&out).concat(), [vec![1; MOST], b"more".to_vec()].concat());
}

#[tokio::test]
async fn an_error_at_the_end_of_a_turn_reaches_the_connection() {
    for read in [false, true] {
        let (mut io, out) = socket(usize::MAX);
        locked(&out.0).io.broken = true;
        let connection = pin!(async {
            io.write_all(b"lost").await.unwrap();
            tokio::task::yield_now().await;
            match read {
                true => io.read_u8().await.unwrap_err(),
                false => io.flush().await.unwrap_err(),
            }
        });
        assert_eq!(out.turns(connection).await.kind(), io::ErrorKind::BrokenPipe);
    }
}
