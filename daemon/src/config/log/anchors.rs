//! `anchors` in `[log]`: files, objects that HTTPS servers keep, and data objects in tokens.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ceremonies::form::Form;
use http::{HeaderName, HeaderValue, header};

use super::{Known, TokenAnchor};
use crate::backend::Settings;
use crate::backend::pkcs11::uri::Uri;
use crate::log::{Access, Address, AnchorPlace, Authorization};

/// Headers that an anchor's requests have by themselves.
const OURS: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::IF_NONE_MATCH,
    header::TRANSFER_ENCODING,
    header::USER_AGENT,
];

pub(super) fn read(
    form: &mut Form<'_, '_>,
    state: Option<&Path>,
    known: &Known<'_>,
) -> (Vec<AnchorPlace>, BTreeMap<String, TokenAnchor>) {
    let mut tokens = BTreeMap::new();
    let given = form.has("anchors");
    let line = form.line_of("anchors");
    let places: Vec<AnchorPlace> = form.list("anchors", |form| place(form, known, &mut tokens));
    if !given {
        form.problem("anchors is missing: [{ file = \"…\" }], best on another disk: what the log is held against at start");
    } else if places.iter().all(|place| place.file().is_none()) {
        form.problem_on(line, "anchors: at least one file");
    }
    for (position, place) in places.iter().enumerate() {
        let inside = place.file().filter(|file| state.is_some_and(|state| file.starts_with(state)));
        if let Some(file) = inside {
            let file = file.display();
            form.problem_on(
                line,
                format!(
                    "anchors: {file} lies in the state directory, and would be lost or rolled back with it"
                ),
            );
        }
        if places[..position].iter().any(|other| other.to_string() == place.to_string()) {
            let shown = place.file().map_or_else(|| place.to_string(), |file| file.display().to_string());
            form.problem_on(line, format!("anchors: {shown} is given twice"));
        }
    }
    (places, tokens)
}

fn place(
    form: &mut Form<'_, '_>,
    known: &Known<'_>,
    tokens: &mut BTreeMap<String, TokenAnchor>,
) -> Option<AnchorPlace> {
    let kinds: Vec<&str> = ["file", "https", "pkcs11"].into_iter().filter(|kind| form.has(kind)).collect();
    match kinds[..] {
        ["https"] => https(form).map(|access| AnchorPlace::Https(Arc::new(access))),
        ["pkcs11"] => token(form, known).map(|anchor| {
            let name = anchor.object.to_string();
            tokens.insert(name.clone(), anchor);
            AnchorPlace::Object(name.into())
        }),
        [] | ["file"] => super::super::path(form, "file", "where the anchor is").map(AnchorPlace::File),
        [first, ..] => {
            form.problem_at(first, "an anchor is one of `file`, `https` and `pkcs11`");
            form.ignore_the_rest();
            None
        }
    }
}

fn token(form: &mut Form<'_, '_>, known: &Known<'_>) -> Option<TokenAnchor> {
    let (line, backend_line) = (form.line_of("pkcs11"), form.line_of("backend"));
    let object: Option<Uri> = form.required("pkcs11", "pkcs11:token=LABEL;serial=NUMBER;object=LABEL");
    let backend: String = form
        .required("backend", "the name of a [backend.NAME] of kind \"pkcs11\": how the token is reached")?;
    let object = object?;
    let named = object.object.is_some() && (object.token.is_some() || object.serial.is_some());
    if !named || object.id.is_some() || object.private {
        form.problem_on(
            line,
            "pkcs11: expected a token and a label in it, pkcs11:token=LABEL;serial=NUMBER;object=LABEL, without `id` and \
             `type`",
        );
    }
    match known.backends.get(&backend) {
        Some(Settings::Pkcs11(settings)) if object.contradicts(&settings.token) => {
            let theirs = &settings.token;
            form.problem_on(
                line,
                format!("pkcs11: another token than that of [backend.{backend}], {theirs}"),
            );
        }
        Some(Settings::Pkcs11(_)) => {}
        Some(Settings::Software(_)) => {
            form.problem_on(backend_line, format!("backend: [backend.{backend}] has no token"));
        }
        // One with something wrong in it was left out, and that has been said.
        None if !known.whole => {}
        None => form.problem_on(backend_line, format!("backend: there is no [backend.{backend}]")),
    }
    Some(TokenAnchor { object, backend })
}

fn https(form: &mut Form<'_, '_>) -> Option<Access> {
    let line = form.line_of("https");
    let address = form.required::<String>("https", "the object's address").and_then(|text| {
        text.parse::<Address>().map_err(|why| form.problem_on(line, format!("https: {why}"))).ok()
    });
    let ca = form.required(
        "ca",
        "{ file = \"…\" }: who may vouch for the server, PEM; a system's bundle for authorities that everybody knows",
    );
    let identity = match (form.optional("certificate"), form.optional("key")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            form.problem(
                "`certificate` and `key` belong together: { file = \"…\" } or { credential = \"…\" }, PEM",
            );
            None
        }
    };
    let authorization = match (form.optional("bearer"), form.optional("basic")) {
        (Some(_), Some(_)) => {
            form.problem("one of `bearer` and `basic`: a request has one `Authorization`");
            None
        }
        (Some(token), None) => Some(Authorization::Bearer(token)),
        (None, pair) => pair.map(Authorization::Basic),
    };
    let query = form.optional("query");
    let headers = headers(form);
    Some(Access { address: address?, ca: ca?, identity, authorization, query, headers })
}

fn headers(form: &mut Form<'_, '_>) -> Vec<(HeaderName, HeaderValue)> {
    let line = form.line_of("headers");
    let given: BTreeMap<String, String> = form.optional("headers").unwrap_or_default();
    let mut headers = Vec::new();
    for (name, value) in given {
        let known = HeaderName::from_bytes(name.as_bytes()).ok().filter(|name| !OURS.contains(name));
        // The value is not shown: somebody may have put a secret there.
        match (known, HeaderValue::from_str(&value)) {
            (Some(name), Ok(value)) => headers.push((name, value)),
            (None, _) => form.problem_on(
                line,
                format!("headers: `{name}` is no header's name, or one that is set already"),
            ),
            (_, Err(_shape)) => {
                form.problem_on(line, format!("headers: the value of `{name}` cannot be a header's"))
            }
        }
    }
    headers
}
