//! What a call is, as far as room goes: by its path alone, before anything of it is read.

/// Kinds of calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// A stop. It has room of its own, also among acts.
    Stop,
    /// What people sign, with the question that they ask before: it carries its own authority, so who brings it matters little.
    Act,
    /// An answer in many messages, which may take as long as its reader likes.
    Stream,
    /// Everything else.
    Call,
}

impl Class {
    /// The kind of the call with this path.
    pub fn of(path: &str) -> Self {
        match path {
            "/countersign.v1.IncidentService/Stop" => Self::Stop,
            "/countersign.v1.CeremonyService/ExecuteCeremony"
            | "/countersign.v1.CeremonyService/GetInstance"
            | "/countersign.v1.CeremonyService/ProposeCeremony"
            | "/countersign.v1.CeremonyService/SubmitAct" => Self::Act,
            "/countersign.v1.CeremonyService/GetTranscript"
            | "/countersign.v1.CeremonyService/WatchCeremony"
            | "/countersign.v1.KeyService/WatchKeys"
            | "/countersign.v1.LogService/ListRecords"
            | "/countersign.v1.LogService/SearchRecords"
            | "/grpc.health.v1.Health/Watch"
            | "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
            | "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => Self::Stream,
            _ => Self::Call,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn every_method_that_streams_or_brings_an_act_is_known() {
        let all = FileDescriptorSet::decode(proto::wire::DESCRIPTOR).unwrap();
        let mut seen = Vec::new();
        for file in &all.file {
            let brings = |name: &str| {
                let name = name.rsplit('.').next().unwrap();
                let message = file.message_type.iter().find(|message| message.name() == name);
                let field = |field: &prost_types::FieldDescriptorProto| {
                    field.type_name() == ".countersign.v1.SignedAct"
                };
                message.is_some_and(|message| message.field.iter().any(field))
            };
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    let expected = match method.name() {
                        "Stop" => Class::Stop,
                        "GetInstance" => Class::Act,
                        _ if brings(method.input_type()) => Class::Act,
                        _ if method.server_streaming() => Class::Stream,
                        _ => Class::Call,
                    };
                    assert_eq!(Class::of(&path), expected, "{path}");
                    seen.push(expected);
                }
            }
        }
        let count = |class| seen.iter().filter(|seen| **seen == class).count();
        assert_eq!((count(Class::Stop), count(Class::Act)), (1, 4));
    }
}
