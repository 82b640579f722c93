//! A real S3-compatible server on a port, for the tests of storage and of the whole system.
use std::net::SocketAddr;

use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use tokio::task::JoinSet;

/// An S3 server on a folder, with one bucket called `bucket` and one account, `key` / `secret`; it stops when dropped.
pub struct Server {
    pub address: SocketAddr,
    pub folder: tempfile::TempDir,
    _tasks: JoinSet<()>,
}

pub async fn server() -> Server {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bucket")).unwrap();
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
    builder.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = builder.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let http =
            hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
        let mut connections = JoinSet::new();
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let connection = http
                .serve_connection(hyper_util::rt::TokioIo::new(socket), service.clone())
                .into_owned();
            connections.spawn(async move { drop(connection.await) });
        }
    });
    Server { address, folder, _tasks: tasks }
}
