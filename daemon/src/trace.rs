//! Which call a line of the traces belongs to. Any layer may use this; where lines go is `telemetry`'s business.
//!
//! Nearly no call leaves a line, so what names a call is kept as it came, and spelled out when a line needs it: a span that is
//! formatted for each call costs a twentieth of a signature.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use serde::ser::{Serialize, SerializeMap, Serializer};

tokio::task_local! {
    static CALL: Arc<Call>;
}

/// A call, as lines name it. No input, token or message is in it.
#[derive(Debug)]
pub struct Call {
    id: u64,
    method: Arc<str>,
    caller: Arc<str>,
    request_id: OnceLock<String>,
}

impl Call {
    /// A call by the number that it has here, the path of its method, and its caller's stable id.
    pub fn new(id: u64, method: Arc<str>, caller: Arc<str>) -> Arc<Self> {
        Arc::new(Self { id, method, caller, request_id: OnceLock::new() })
    }

    /// The call whose future is being polled.
    pub fn current() -> Option<Arc<Self>> {
        CALL.try_with(Arc::clone).ok()
    }

    /// Whatever this future says is said of the call. Tasks that it spawns speak for themselves.
    pub fn names<F: Future>(self: Arc<Self>, future: F) -> impl Future<Output = F::Output> {
        CALL.scope(self, future)
    }

    /// Whatever is said meanwhile is said of the call.
    pub fn while_named<T>(self: Arc<Self>, say: impl FnOnce() -> T) -> T {
        CALL.sync_scope(self, say)
    }

    /// Notes the caller's own id of its request, once it has been read.
    pub fn note_request_id(request_id: impl FnOnce() -> String) {
        // Outside a call, as in tests of a service by itself, nothing is named.
        let _none = CALL.try_with(|call| call.request_id.get_or_init(request_id).len());
    }
}

/// As text: `request{id=00000000c0ffee00 method=/countersign.v1.SigningService/Sign caller="dns:a" request_id="build-1"}`.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, method, caller, .. } = self;
        write!(f, "request{{id={id:016x} method={method} caller={caller:?}")?;
        if let Some(request_id) = self.request_id.get() {
            write!(f, " request_id={request_id:?}")?;
        }
        f.write_str("}")
    }
}

/// As a span of a line of JSON.
impl Serialize for Call {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("caller", &*self.caller)?;
        map.serialize_entry("id", &format_args!("{:016x}", self.id))?;
        map.serialize_entry("method", &*self.method)?;
        map.serialize_entry("name", "request")?;
        if let Some(request_id) = self.request_id.get() {
            map.serialize_entry("request_id", request_id)?;
        }
        map.end()
    }
}
