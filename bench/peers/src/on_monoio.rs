//! monoio: `io_uring` completions, a task for each connection, buffers lent to the kernel.
use crate::{READ, ready};
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::TcpListener;
use std::io;

pub(crate) fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    let mut runtime = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new()
        .with_entries(4096)
        .build()?;
    runtime.block_on(async {
        let port = listener.local_addr()?.port();
        let listener = TcpListener::from_std(listener)?;
        ready("monoio", "io_uring", port);
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            monoio::spawn(async move {
                let mut buf: Vec<u8> = Vec::with_capacity(READ);
                loop {
                    let (read, lent) = stream.read(buf).await;
                    if !matches!(read, Ok(1..)) {
                        return;
                    }
                    // The buffer's length is what was read; all of it goes back.
                    let (written, lent) = stream.write_all(lent).await;
                    if written.is_err() {
                        return;
                    }
                    buf = lent;
                    buf.clear();
                }
            });
        }
    })
}
