//! Bodies and headers of requests.
use std::{cell::RefCell, net::IpAddr, sync::LazyLock};

use axum::{
    body::Body,
    extract::{FromRequest as _, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::IntoResponse as _,
};
use bytes::Bytes;
use erp_api::fuzzing;
use erp_core::{Config, Ctx, config::Env, interventions::InterventionCreate};
use ipnet::IpNet;
use tokio::runtime::Runtime;

use super::byte;

/// A context that connects to nothing; its files are in a temporary folder.
static CTX: LazyLock<Ctx> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap().keep();
    let env = Env::from_pairs(&[
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing"),
        ("SECRET_KEY", "f2c6d1c0a9e84b7b95a3a1d0e7c4b8f6"),
        ("UPLOAD_DIRECTORY", folder.to_str().unwrap()),
        ("MAX_UPLOAD_BYTES", "2048"),
    ]);
    let _entered = entered();
    Ctx::new(Config::read(env).unwrap()).unwrap()
});

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());

fn entered() -> tokio::runtime::EnterGuard<'static> {
    RUNTIME.enter()
}

/// A request whose body arrives in pieces of `piece` bytes.
fn request(content_type: &str, body: &[u8], piece: usize) -> Request {
    let pieces: Vec<_> = body
        .chunks(piece.max(1))
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    Request::post("/").header(header::CONTENT_TYPE, content_type).body(body).unwrap()
}

/// The body of an upload gives the same file or 4xx however the network cuts it, and the name that is kept is harmless.
pub fn depot(mut data: &[u8]) {
    let piece = usize::from(byte(&mut data));
    let read = |piece| {
        let request = request("multipart/form-data; boundary=X", data, piece);
        RUNTIME.block_on(fuzzing::upload(&CTX, request))
    };
    let whole = read(usize::MAX);
    assert_eq!(whole, read(piece), "cut into pieces of {piece}");
    match whole {
        Ok((name, kind, size, sha256)) => {
            assert!((1..=2048).contains(&size) && sha256.len() == 64);
            assert!((1..=255).contains(&name.chars().count()) && !name.contains(['/', '\\']));
            assert!(!name.chars().any(char::is_control), "{name:?}");
            assert!(!kind.extension().is_empty());
        }
        Err(status) => assert!(status.is_client_error(), "{status}"),
    }
}

/// A form or an object gives the same fields or 4xx however the network cuts it.
pub fn formulaire(mut data: &[u8]) {
    let types = [
        "multipart/form-data; boundary=X",
        "application/x-www-form-urlencoded",
        "application/json",
        "multipart/form-data",
        "text/plain",
    ];
    let content_type = types[usize::from(byte(&mut data)) % types.len()];
    let piece = usize::from(byte(&mut data));
    let read = |piece| -> Result<String, StatusCode> {
        let request = request(content_type, data, piece);
        let form = fuzzing::Form::<InterventionCreate>::from_request(request, &());
        match RUNTIME.block_on(form) {
            Ok(fuzzing::Form(read)) => Ok(format!("{read:?}")),
            Err(error) => Err(error.into_response().status()),
        }
    };
    let whole = read(usize::MAX);
    assert_eq!(whole, read(piece), "{content_type} cut into pieces of {piece}");
    if let Err(status) = whole {
        assert!(status.is_client_error(), "{status}");
    }
}

/// Only a proxy of ours decides from which address a request comes, and what a client writes on the left changes nothing.
pub fn adresse(mut data: &[u8]) {
    thread_local! {
        static TRUSTED: RefCell<Vec<IpNet>> =
            RefCell::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
    }
    let trusted = TRUSTED.with_borrow(Clone::clone);
    let peers = ["192.0.2.7", "10.1.1.1", "::ffff:10.1.1.1", "fd00::1", "2001:db8::1"];
    let peer: IpAddr = peers[usize::from(byte(&mut data)) % peers.len()].parse().unwrap();
    let name = HeaderName::from_static("x-forwarded-for");
    let mut headers = HeaderMap::new();
    for line in data.split(|b| *b == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok()) {
        headers.append(&name, line);
    }
    let ours = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let seen = fuzzing::client_address(peer, &headers, &trusted);
    if !ours(&peer.to_canonical()) {
        assert_eq!(seen, peer.to_canonical(), "a stranger is what it is");
        return;
    }
    // The address that our proxy adds on the right counts, in a header line of its own or at the end of the last one.
    let client: IpAddr = "198.51.100.1".parse().unwrap();
    let mut joined = headers.clone();
    let mut lines: Vec<HeaderValue> = joined.get_all(&name).iter().cloned().collect();
    if let Some(last) = lines.pop() {
        joined.remove(&name);
        let last = [last.as_bytes(), b", 198.51.100.1"].concat();
        for line in lines.into_iter().chain([HeaderValue::from_bytes(&last).unwrap()]) {
            joined.append(&name, line);
        }
        assert_eq!(fuzzing::client_address(peer, &joined, &trusted), client);
    }
    headers.append(&name, HeaderValue::from_static("198.51.100.1"));
    assert_eq!(fuzzing::client_address(peer, &headers, &trusted), client);
}
