//! `[listen]` and `[limits]`.

use std::net::SocketAddr;

use ceremonies::form::{Form, Period};

use crate::rpc::limit::Limits;
use crate::rpc::listen::{Local, Network, Settings};

pub(super) fn read(form: &mut Form<'_, '_>) -> Option<Settings> {
    let any = form.has("network") || form.has("local");
    let network = form.optional_section("network", network);
    let local = form.optional_section("local", |form| {
        let socket = super::path(form, "socket", "the socket, for instance \"/run/countersign/sign.sock\"");
        Some(Local { socket: socket? })
    });
    if !any {
        form.problem("neither [listen.network] nor [listen.local]: nobody could come in");
    }
    Some(Settings { network, local })
}

fn network(form: &mut Form<'_, '_>) -> Option<Network> {
    let address = form.required::<SocketAddr>("address", "for instance \"0.0.0.0:7443\"");
    let certificate =
        form.required("certificate", "{ file = \"…\" } or { credential = \"…\" }: PEM, leaf first");
    let key = form.required("key", "{ file = \"…\" } or { credential = \"…\" }: PEM");
    let client_certificate = form.optional("client_certificate").unwrap_or_default();
    Some(Network { address: address?, certificate: certificate?, key: key?, client_certificate })
}

/// What may be chosen otherwise; everything has a default.
pub(super) fn limits(form: &mut Form<'_, '_>) -> Limits {
    let usual = Limits::default();
    let some = |count: &usize| (1..=1_000_000).contains(count);
    let while_any = |period: &Period| !period.duration().is_zero();
    let period = Period::of;
    Limits {
        connections: form.checked("connections", usual.connections, some, "1 to 1000000 connections"),
        requests: form.checked("requests", usual.requests, some, "1 to 1000000 requests in progress"),
        requests_of_connection: form.checked(
            "requests_of_connection",
            usual.requests_of_connection,
            some,
            "1 to 1000000 requests in progress on one connection",
        ),
        longest: form
            .checked(
                "longest",
                period(usual.longest),
                while_any,
                "how long a request without a deadline may take",
            )
            .duration(),
        age: form.checked("age", period(usual.age), while_any, "how long a connection may live").duration(),
        ..usual
    }
}
