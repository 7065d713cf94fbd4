//! What is known here, in the words of the OCI runtime specification's features document.

use serde_json::json;

pub fn json() -> String {
    json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.0.2",
        "linux": { "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"] },
        // As runc says it; the document has no field for it.
        "annotations": { "org.opencontainers.runc.checkpoint.enabled": "false" },
    })
    .to_string()
}
