//! What the disk says when it is asked to keep something: the floor under every commit.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use tests::performance::histogram::Histogram;

/// Bytes of one record, about.
const RECORD: usize = 600;

/// Syncs of one look.
const TIMES: usize = 200;

/// A file on the disk that is measured.
#[derive(Debug)]
pub struct Disk {
    file: File,
    record: Vec<u8>,
}

/// One look at the disk, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Sync {
    /// Half of all syncs were done by then.
    pub p50: f64,
    /// All but one in a hundred.
    pub p99: f64,
}

impl Disk {
    /// Makes the file in this directory.
    pub fn of(directory: &Path) -> Self {
        let file = File::create(directory.join("fdatasync")).unwrap();
        Self { file, record: vec![0x5a; RECORD] }
    }

    /// Appends a record and waits until it is on the disk, a few hundred times.
    pub fn look(&mut self) -> Sync {
        let mut times = Histogram::default();
        for _ in 0..TIMES {
            self.file.write_all(&self.record).unwrap();
            let begun = Instant::now();
            rustix::fs::fdatasync(&self.file).unwrap();
            times.record(u64::try_from(begun.elapsed().as_nanos()).unwrap());
        }
        Sync { p50: times.quantile(0.5) as f64 / 1e3, p99: times.quantile(0.99) as f64 / 1e3 }
    }
}

impl Sync {
    /// Whether the disk became more than twice as slow or fast.
    pub fn moved(self, after: Self) -> bool {
        after.p50 > 2.0 * self.p50 || self.p50 > 2.0 * after.p50
    }
}
