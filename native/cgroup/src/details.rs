//! What is told of a cgroup besides its usage, for those who ask for all that the kernel says: more files, none of them walked.

use crate::folder::Folder;

/// What the kernel does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    pub cpu_user_nanos: Option<u64>,
    pub cpu_system_nanos: Option<u64>,
    pub memory: MemoryDetails,
    pub hugepages: Vec<Hugepages>,
    pub spec: Spec,
}

/// Bytes and events of the cgroup with those below it; own faults without them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryDetails {
    pub cache: Option<u64>,
    pub mapped_file: Option<u64>,
    pub kernel: Option<u64>,
    pub most: Option<u64>,
    /// how often the limit was hit
    pub limit_hits: Option<u64>,
    pub own_page_faults: Option<u64>,
    pub own_major_page_faults: Option<u64>,
}

/// Bytes in huge pages of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hugepages {
    /// "2MB", as the kernel names it
    pub page_size: String,
    pub usage: u64,
    pub most: Option<u64>,
}

/// Limits as they are set on the cgroup itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    pub cpu_shares: Option<u64>,
    pub cpu_period_micros: Option<u64>,
    /// `None` where there is no limit
    pub cpu_quota_micros: Option<u64>,
    /// bytes, 0 where there is no limit, as in what follows
    pub memory_limit: Option<u64>,
    /// what the kernel leaves to the cgroup when memory runs short
    pub memory_reservation: Option<u64>,
    /// of memory and swap together on v1, of swap alone on v2
    pub memory_swap_limit: Option<u64>,
}

/// Of every page size that the folder has files of, by the name of the file with the usage.
pub(crate) fn hugepages(folder: &Folder, usage: &str, most: &str) -> Vec<Hugepages> {
    let size = |name: String| {
        let size = name.strip_prefix("hugetlb.")?.strip_suffix(usage)?.strip_suffix('.')?.to_owned();
        (!size.contains('.')).then_some(size)
    };
    let mut sizes: Vec<String> = folder.names().into_iter().filter_map(size).collect();
    sizes.sort();
    sizes
        .into_iter()
        .filter_map(|page_size| {
            let number = |file: &str| folder.number(&format!("hugetlb.{page_size}.{file}"));
            Some(Hugepages { usage: number(usage)?, most: number(most), page_size })
        })
        .collect()
}
