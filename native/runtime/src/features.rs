//! What is known here, in the words of the OCI runtime specification's features document. Tests hold each word to be true.

use rustix::thread::CapabilitySet;
use serde_json::{Value, json};

pub const OCI_VERSION: &str = "1.0.2";

const HOOKS: [&str; 6] = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

const NAMESPACES: [&str; 7] = ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"];

const MOUNT_WORDS: [&str; 15] = [
    "async",
    "bind",
    "defaults",
    "private",
    "rbind",
    "rprivate",
    "rshared",
    "rslave",
    "runbindable",
    "shared",
    "slave",
    "unbindable",
    "nomand",
    "norelatime",
    "rnorelatime",
];
/// Each with an "r" before it too, for all that is mounted below.
const MOUNT_ATTRIBUTES: [&str; 17] = [
    "atime",
    "dev",
    "diratime",
    "exec",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "nostrictatime",
    "nosuid",
    "nosymfollow",
    "relatime",
    "ro",
    "rw",
    "strictatime",
    "suid",
    "symfollow",
];

const SECCOMP_ACTIONS: [&str; 8] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];
const SECCOMP_OPERATORS: [&str; 7] =
    ["SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"];
/// Of the same order of bytes as the nodes that this runs on: a filter has one.
const SECCOMP_ARCHITECTURES: [&str; 10] = [
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
];
const SECCOMP_FLAGS: [&str; 3] =
    ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"];

pub fn json() -> Value {
    json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": HOOKS,
        "mountOptions": mount_options(),
        "linux": {
            "namespaces": NAMESPACES,
            "capabilities": capabilities(),
            "cgroup": { "v1": true, "v2": true, "systemd": false, "systemdUser": false, "rdma": false },
            "seccomp": {
                "enabled": true,
                "actions": SECCOMP_ACTIONS,
                "operators": SECCOMP_OPERATORS,
                "archs": SECCOMP_ARCHITECTURES,
                "knownFlags": SECCOMP_FLAGS,
                "supportedFlags": SECCOMP_FLAGS,
            },
            "apparmor": { "enabled": true },
            "selinux": { "enabled": true },
            "intelRdt": { "enabled": false },
            "mountExtensions": { "idmap": { "enabled": false } },
        },
        // As runc says it; the document has no field for it.
        "annotations": { "org.opencontainers.runc.checkpoint.enabled": "false" },
    })
}

fn mount_options() -> Vec<String> {
    let recursive = MOUNT_ATTRIBUTES.iter().map(|word| format!("r{word}"));
    let plain = MOUNT_WORDS.iter().chain(&MOUNT_ATTRIBUTES).map(|word| (*word).to_owned());
    let mut all: Vec<_> = plain.chain(recursive).collect();
    all.sort();
    all
}

fn capabilities() -> Vec<String> {
    CapabilitySet::all().iter_names().map(|(name, _)| format!("CAP_{name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        process::Capabilities,
        rootfs::Options,
        seccomp::Filter,
        spec::{self, Hooks, NamespaceKind, Seccomp, SeccompArgument, SeccompCalls},
    };

    #[test]
    fn each_hook_and_namespace_is_one_of_the_spec() {
        for name in HOOKS {
            let hooks = json!({ name: [] });
            assert!(serde_json::from_value::<Hooks>(hooks).is_ok(), "{name}");
        }
        for name in NAMESPACES {
            let kind: NamespaceKind = serde_json::from_value(json!(name)).expect(name);
            assert_eq!(kind.name(), name);
        }
    }

    #[test]
    fn each_option_of_a_mount_is_none_of_the_file_system_s() {
        for word in mount_options() {
            let options = Options::read("tmpfs", std::slice::from_ref(&word)).expect(&word);
            assert!(options.data.is_empty(), "{word}");
        }
    }

    #[test]
    fn each_capability_can_be_given() {
        let bounding = capabilities();
        assert!(bounding.iter().any(|name| name == "CAP_CHECKPOINT_RESTORE"));
        assert!(Capabilities::read(&spec::Capabilities { bounding, ..Default::default() }).is_ok());
    }

    #[test]
    fn each_word_of_a_seccomp_profile_makes_a_filter() {
        let plain = || Seccomp {
            default_action: "SCMP_ACT_ALLOW".into(),
            default_errno_ret: None,
            architectures: Vec::new(),
            flags: SECCOMP_FLAGS.map(str::to_owned).to_vec(),
            syscalls: Vec::new(),
        };
        for architecture in SECCOMP_ARCHITECTURES {
            let profile = Seccomp { architectures: vec![architecture.into()], ..plain() };
            assert!(Filter::make(&profile, None).is_ok(), "{architecture}");
        }
        for action in SECCOMP_ACTIONS {
            let rule = |op: &str| SeccompCalls {
                names: vec!["personality".into()],
                action: action.into(),
                errno_ret: None,
                args: vec![SeccompArgument { index: 0, value: 1, value_two: 1, op: op.into() }],
            };
            let profile = Seccomp { syscalls: SECCOMP_OPERATORS.map(rule).into(), ..plain() };
            assert!(Filter::make(&profile, None).is_ok(), "{action}");
        }
    }
}
