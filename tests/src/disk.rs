//! A small disk of its own for one test: filled up, made read-only, emptied again.
//!
//! A tmpfs, which takes root (CI, containers) or a user namespace: without either the test says how to get one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;

/// A mounted tmpfs. Unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// Mounts one of this many KiB.
    ///
    /// # Panics
    /// Without the right to mount.
    #[must_use]
    pub fn mount(kibibytes: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={kibibytes}k,mode=700"), "tmpfs"])
            .arg(directory.path());
        let output = mount.output().unwrap();
        assert!(
            output.status.success(),
            "cannot mount a tmpfs: {}run the tests as root, or `unshare --map-root-user --mount cargo test`",
            String::from_utf8_lossy(&output.stderr)
        );
        Self { directory }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes until nothing more fits. [`SmallDisk::empty`] undoes it.
    pub fn fill(&self) {
        let mut filler = std::fs::OpenOptions::new().create(true).append(true).open(self.filler()).unwrap();
        // Ever smaller pieces, so that not even a page is left over.
        for size in [65_536, 4_096, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Takes away what [`SmallDisk::fill`] wrote.
    pub fn empty(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Makes it read-only, or writable again. The kernel refuses the former while a file is open for writing: a running
    /// daemon meets read-only files by [`crate::strace::Failing`].
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn writable(&self, writable: bool) {
        let option = if writable { "remount,rw" } else { "remount,ro" };
        let mut mount = Command::new("mount");
        mount.args(["-o", option]).arg(self.path());
        let _said = Process::output(mount);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process of the test may still be on its way out.
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.path().display());
        }
    }
}
