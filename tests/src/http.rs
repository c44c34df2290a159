//! HTTP servers of this process, one a port: what those of S3 and of AWS Batch have in common.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, Runtime};

/// A server on a free port of this machine. It stops, and all its connections break, when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    listener: Option<std::net::TcpListener>,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Server {
    /// Takes a port, which clients may call from now on; [`answer`](Self::answer) lets them be answered.
    ///
    /// # Panics
    /// If this machine has no port or thread left.
    pub(crate) fn bind() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime for the server");
        // Bound before it is returned, so that no client can come too early; nothing here blocks for long.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener
            .set_nonblocking(true)
            .expect("a socket that does not block");
        Self {
            address: listener.local_addr().expect("an address"),
            listener: Some(listener),
            runtime: Some(runtime),
        }
    }

    /// Answers each request with what `answer` makes of it. An error is no answer: the connection is reset, as when
    /// the machine behind it died.
    ///
    /// # Panics
    /// If it answers already.
    pub(crate) fn answer<A, F, B>(&mut self, answer: A)
    where
        A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<Response<B>>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let listener = self.listener.take().expect("a server that answers once");
        let answer = Arc::new(answer);
        self.handle().spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener of the runtime");
            // An accept that fails takes nothing with it; the next may succeed.
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(connection(stream, Arc::clone(&answer)));
                }
            }
        });
    }

    /// What runs beside it, and ends with it.
    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("a server").handle()
    }

    /// Its URL.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waits for nothing: a connection may hang on purpose.
            runtime.shutdown_background();
        }
    }
}

async fn connection<A, F, B>(stream: TcpStream, answer: Arc<A>)
where
    A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = io::Result<Response<B>>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    // A failure shows in the client's test.
    let _ = stream.set_nodelay(true);
    let lost = Arc::new(AtomicBool::new(false));
    let service = {
        let lost = Arc::clone(&lost);
        hyper::service::service_fn(move |request| {
            let (answer, lost) = (answer(request), Arc::clone(&lost));
            async move {
                let answer = answer.await;
                lost.store(answer.is_err(), Ordering::Release);
                answer
            }
        })
    };
    let mut connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = (&mut connection).await;
    if lost.load(Ordering::Acquire) {
        // A reset; the usual end would be a polite one.
        let stream = connection.into_parts().io.into_inner();
        let _ = stream.set_zero_linger();
    }
}

/// What an answer that is lost is told as.
pub(crate) fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "as the test asked")
}
