//! The address of the client of a request, also behind proxies.
use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, StatusCode, request::Parts},
};
use erp_core::Ctx;
use ipnet::IpNet;

use crate::ApiError;

/// The address of the client: that of the connection, or the one that the proxies of `TRUSTED_PROXIES` report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<Ctx> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let ConnectInfo(peer) =
            ConnectInfo::<SocketAddr>::from_request_parts(parts, ctx).await.map_err(|_| {
                // Missing only if the server was set up without `ConnectInfo`.
                ApiError::of_status(StatusCode::INTERNAL_SERVER_ERROR)
            })?;
        Ok(Self(client(peer.ip(), &parts.headers, &ctx.config.http.trusted_proxies)))
    }
}

/// The address of the client: the first one from the right in `X-Forwarded-For` that is not in `trusted`, if `peer` is in it.
/// Each proxy appends its caller's address on the right; what stands on the left may be forged by the client.
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_ours = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    let values: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    // Split as bytes: bytes on the left that are not text must not hide what our own proxy wrote on the right.
    let said = values.iter().rev().flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    for said in said {
        let said = std::str::from_utf8(said).ok().and_then(|text| text.trim().parse().ok());
        match said {
            Some(address) if is_ours(&client) => client = IpAddr::to_canonical(&address),
            _ => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let headers = forwarded
            .iter()
            .map(|value| {
                let value = axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
                ("x-forwarded-for".parse().unwrap(), value)
            })
            .collect();
        let trusted: Vec<IpNet> = trusted.iter().map(|n| n.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies = ["10.0.0.0/8"];
        assert_eq!(seen("192.0.2.7", &["198.51.100.1"], &proxies), "192.0.2.7");
        assert_eq!(seen("10.1.1.1", &["198.51.100.1"], &proxies), "198.51.100.1");
        assert_eq!(
            seen("10.1.1.1", &["1.2.3.4, 198.51.100.1, 10.2.2.2"], &proxies),
            "198.51.100.1"
        );
        assert_eq!(seen("10.1.1.1", &["1.2.3.4", "198.51.100.1"], &proxies), "198.51.100.1");
        assert_eq!(seen("10.1.1.1", &["unknown"], &proxies), "10.1.1.1");
        assert_eq!(seen("10.1.1.1", &["é, 198.51.100.1"], &proxies), "198.51.100.1");
        // Where only the proxy is trusted, a client in the same network is a client, whatever it writes.
        let proxy = ["10.1.1.1/32"];
        assert_eq!(seen("10.1.1.1", &["1.2.3.4, 10.5.5.5"], &proxy), "10.5.5.5");
        assert_eq!(seen("10.1.1.1", &[], &proxies), "10.1.1.1");
        assert_eq!(seen("::ffff:192.0.2.7", &["1.2.3.4"], &[]), "192.0.2.7");
    }
}
