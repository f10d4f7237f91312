//! What each kind of statement is about: its parameters, all explicit.
//!
//! One struct per kind, fields sorted as they are written, unknown ones refused. What a field may hold by itself is in its
//! type; what fields must be together is in `target/check.rs`.

mod check;
mod governance;
mod keys;
mod machine;

pub use governance::{Genesis, GrantChange, PolicyChange, RosterChange};
pub use keys::{
    Activation, Arrival, Fixed, Inventory, KeyAdopt, KeyCompromise, KeyDestroy, KeyGenerate, KeyRemove,
    KeyResume, KeyRotate, KeyRotateEmergency, Overlap,
};
pub use machine::{
    BackendRebind, ClockReset, Leftover, LogRecover, LogRekey, Resolve, SignBreakGlass, StopLift,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::statement::Kind;

macro_rules! targets {
    ($($kind:ident)*) => {
        /// The parameters of one kind.
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub enum Target {
            $(#[doc = concat!("Of [`Kind::", stringify!($kind), "`].")] $kind($kind),)*
        }

        impl Target {
            /// Whose parameters these are.
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)* }
            }

            /// Reads the parameters of a kind; the error is serde's sentence.
            pub(crate) fn read<'de, D: serde::Deserializer<'de>>(kind: Kind, from: D) -> Result<Self, D::Error> {
                match kind { $(Kind::$kind => $kind::deserialize(from).map(Self::$kind),)* }
            }

            /// Reads the parameters of a kind by a reader of any shape, for text that people write.
            pub(crate) fn fill<R: Fill>(kind: Kind, reader: &mut R) -> Option<Self> {
                match kind { $(Kind::$kind => reader.fill().map(Self::$kind),)* }
            }

            /// As JSON, for comparing and showing.
            pub(crate) fn write(&self) -> Result<Value, serde_json::Error> {
                match self { $(Self::$kind(target) => serde_json::to_value(target),)* }
            }
        }

        impl Serialize for Target {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$kind(target) => target.serialize(serializer),)* }
            }
        }
    };
}

targets! {
    Genesis KeyGenerate KeyAdopt KeyRotate KeyRotateEmergency KeyCompromise KeyResume StopLift KeyRemove KeyDestroy
    RosterChange PolicyChange GrantChange SignBreakGlass Resolve BackendRebind ClockReset LogRekey LogRecover
}

/// Something that a value can be read from.
pub(crate) trait Fill {
    /// The value; `None` where something is wrong, which the reader has noted.
    fn fill<T: DeserializeOwned>(&mut self) -> Option<T>;
}
