//! What the shell is told. Scripts decide by these four numbers, so they never change their meaning.

/// The ways a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: refused, failed, or found wrong. The same again gives the same answer.
    Failed,
    /// 2: the command was not understood; nothing was attempted.
    Usage,
    /// 3: unavailable; the same again later may succeed.
    Retry,
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Retry => 3,
        }
    }

    /// The end that a gRPC code leads to: `UNAVAILABLE`, `RESOURCE_EXHAUSTED`, `DEADLINE_EXCEEDED` and `ABORTED` pass by themselves.
    #[must_use]
    pub fn of(code: tonic::Code) -> Self {
        match code {
            tonic::Code::Ok => Self::Done,
            tonic::Code::Unavailable
            | tonic::Code::ResourceExhausted
            | tonic::Code::DeadlineExceeded
            | tonic::Code::Aborted => Self::Retry,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    #[test]
    fn four_codes_mean_try_again_and_all_other_errors_do_not() {
        for number in 0..=16 {
            let code = Code::from_i32(number);
            let expected = match number {
                0 => 0,
                4 | 8 | 10 | 14 => 3,
                _ => 1,
            };
            assert_eq!(Exit::of(code).code(), expected, "{code:?}");
        }
        assert_eq!(Exit::Usage.code(), 2);
    }
}
