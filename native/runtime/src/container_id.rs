//! The name that a container goes by; also that of the folder with its state.

use std::{ffi::OsStr, fmt, path::Path};

const MAX_BYTES: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerId(String);

impl ContainerId {
    pub fn parse(text: &OsStr) -> Result<Self, String> {
        let is_letter = |letter: u8| letter.is_ascii_alphanumeric() || b"_+-.".contains(&letter);
        text.to_str()
            .filter(|text| !matches!(*text, "" | "." | "..") && text.len() <= MAX_BYTES && text.bytes().all(is_letter))
            .map(|text| Self(text.to_owned()))
            .ok_or_else(|| format!("{text:?} is no container id: up to {MAX_BYTES} letters, digits and \"_+-.\""))
    }
}

impl AsRef<Path> for ContainerId {
    fn as_ref(&self) -> &Path {
        self.0.as_ref()
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::ContainerId;

    #[test]
    fn an_id_is_one_plain_name_of_a_folder() {
        for good in ["a", "6f6053d57e0d", "a.b_c+d-e", "..."] {
            assert!(ContainerId::parse(good.as_ref()).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "../a", "a b", "a\nb", "é", &"a".repeat(129)] {
            assert!(ContainerId::parse(bad.as_ref()).is_err(), "{bad:?}");
        }
    }
}
