use crate::CgroupError;
use std::{
    fmt,
    path::{Path, PathBuf},
};

const MAX_BYTES: usize = 1024;

/// The path of a cgroup below each hierarchy's mount, checked: absolute, no "..", never the root itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupPath(String);

impl CgroupPath {
    pub fn parse(text: &str) -> Result<Self, CgroupError> {
        let parts = text.strip_prefix('/').unwrap_or("");
        let good = text.len() <= MAX_BYTES
            && !parts.is_empty()
            && parts.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains(['\0', '\n']));
        if good { Ok(Self(parts.to_owned())) } else { Err(CgroupError::Path(text.chars().take(256).collect())) }
    }

    /// Below the mount of a hierarchy.
    pub fn under(&self, mount: &Path) -> PathBuf {
        mount.join(&self.0)
    }

    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// `None` of one that is below the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    pub fn is_below(&self, ancestor: &Self) -> bool {
        self.0.strip_prefix(&ancestor.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for CgroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_without_detours_name_a_cgroup() {
        for good in ["/a", "/kubepods/burstable/pod1"] {
            assert!(CgroupPath::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "/", "a", "/a//b", "/a/..", "/../a", "/a/./b", "/a/", "/a\nb", "/a\0"] {
            assert!(CgroupPath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn below_means_a_whole_part_further() {
        let path = |text| CgroupPath::parse(text).expect("good path");
        assert!(path("/a/b").is_below(&path("/a")));
        assert!(!path("/ab").is_below(&path("/a")));
        assert!(!path("/a").is_below(&path("/a")));
        assert_eq!((path("/a/b").parent(), path("/a").parent()), (Some(path("/a")), None));
    }
}
