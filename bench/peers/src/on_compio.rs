//! compio: `io_uring` completions, a task for each connection, buffers lent to the kernel.
use crate::{READ, ready};
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::TcpListener;
use std::io;

pub(crate) fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    let runtime = compio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let port = listener.local_addr()?.port();
        let listener = TcpListener::from_std(listener)?;
        ready("compio", "io_uring", port);
        loop {
            let (mut stream, _) = listener.accept().await?;
            compio::runtime::spawn(async move {
                let mut buf: Vec<u8> = Vec::with_capacity(READ);
                loop {
                    let read = compio::buf::BufResult::from(stream.read(buf).await);
                    let compio::buf::BufResult(count, lent) = read;
                    if !matches!(count, Ok(1..)) {
                        return;
                    }
                    let compio::buf::BufResult(written, lent) = stream.write_all(lent).await;
                    if written.is_err() {
                        return;
                    }
                    buf = lent;
                    buf.clear();
                }
            })
            .detach();
        }
    })
}
