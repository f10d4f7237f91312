//! A small disk of its own for one test: filled up, made read-only, emptied again; or broken and mended.
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

    /// Gives back this much of what [`SmallDisk::fill`] wrote.
    ///
    /// # Panics
    /// If it was not filled, or by less.
    pub fn leave(&self, bytes: u64) {
        let filler = std::fs::OpenOptions::new().write(true).open(self.filler()).unwrap();
        let size = filler.metadata().unwrap().len();
        filler.set_len(size.checked_sub(bytes).unwrap()).unwrap();
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
        unmount(self.path());
    }
}

/// An ext4 file system in a file, which can break as a dying disk breaks one. Unmounted when dropped.
#[derive(Debug)]
pub struct BreakingDisk {
    image: tempfile::NamedTempFile,
    directory: TempDir,
}

impl BreakingDisk {
    /// Mounts one of this many MiB.
    ///
    /// # Panics
    /// Without root, loop devices and `mkfs.ext4` (Debian package e2fsprogs).
    #[must_use]
    pub fn mount(mebibytes: u64) -> Self {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(mebibytes << 20).unwrap();
        let mut make = Command::new("mkfs.ext4");
        make.args(["-q", "-F"]).arg(image.path());
        let _made = Process::output(make);
        let disk = Self { image, directory: tempfile::tempdir().unwrap() };
        disk.attach();
        disk
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Breaks it: the kernel takes it for damaged and makes it read-only, under everybody who has files open for writing.
    ///
    /// # Panics
    /// If the kernel has no switch for it.
    pub fn fail(&self) {
        let mut find = Command::new("findmnt");
        find.args(["--noheadings", "--output", "SOURCE"]).arg(self.path());
        let device = Process::output(find);
        let name = Path::new(device.trim()).file_name().unwrap().to_owned();
        std::fs::write(Path::new("/sys/fs/ext4").join(name).join("trigger_fs_error"), "1").unwrap();
    }

    /// Unmounts it, has it checked, and mounts it again, as an operator would. Nobody may use it.
    ///
    /// # Panics
    /// If somebody does, or it cannot be mended.
    pub fn mend(&self) {
        let mut unmount = Command::new("umount");
        unmount.arg(self.path());
        let _gone = Process::output(unmount);
        // 1: errors were found and mended.
        let checked = Command::new("fsck.ext4").args(["-f", "-y"]).arg(self.image.path()).output().unwrap();
        assert!(matches!(checked.status.code(), Some(0 | 1)), "{checked:?}");
        self.attach();
    }

    fn attach(&self) {
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop,errors=remount-ro"]).arg(self.image.path()).arg(self.path());
        let _mounted = Process::output(mount);
    }
}

impl Drop for BreakingDisk {
    fn drop(&mut self) {
        unmount(self.path());
    }
}

/// Lazily: a process of the test may still be on its way out.
fn unmount(path: &Path) {
    let unmounted = Command::new("umount").arg("--lazy").arg(path).status();
    if !unmounted.is_ok_and(|status| status.success()) {
        eprintln!("{} stays mounted", path.display());
    }
}
