//! The words of a mount's options. @source the OCI runtime specification, "Linux mount options", and mount(8)

use sys::mount::{MountAttrFlags as Attribute, MountPropagationFlags as Propagation};

/// What the words say. What is none of them is for the file system.
#[derive(Debug, Default)]
pub struct Options {
    /// of the mount alone
    pub own: Attributes,
    /// of it and all that is mounted below it
    pub recursive: Attributes,
    /// in order, each of them one
    pub propagation: Vec<Sharing>,
    /// a bind, and whether it is of all that is mounted below the source too
    pub bind: Option<bool>,
    /// names with their values, and flags
    pub data: Vec<(String, Option<String>)>,
}

/// Those that are named. Not both sets at once: the last word holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    pub set: Attribute,
    pub clear: Attribute,
}

impl Default for Attributes {
    fn default() -> Self {
        Self { set: Attribute::empty(), clear: Attribute::empty() }
    }
}

impl Attributes {
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.clear.is_empty()
    }

    fn set(&mut self, attribute: Attribute) {
        self.set |= attribute;
        self.clear -= attribute;
    }

    fn clear(&mut self, attribute: Attribute) {
        self.set -= attribute;
        self.clear |= attribute;
    }

    /// The times of access are one choice of several, which the kernel wants cleared before one is made.
    fn choose_atime(&mut self, attribute: Attribute) {
        self.set = (self.set - Attribute::MOUNT_ATTR__ATIME) | attribute;
        self.clear |= Attribute::MOUNT_ATTR__ATIME;
    }

    /// @returns false when it is no word of attributes
    fn take(&mut self, word: &str) -> bool {
        match word {
            "ro" => self.set(Attribute::MOUNT_ATTR_RDONLY),
            "rw" => self.clear(Attribute::MOUNT_ATTR_RDONLY),
            "nosuid" => self.set(Attribute::MOUNT_ATTR_NOSUID),
            "suid" => self.clear(Attribute::MOUNT_ATTR_NOSUID),
            "nodev" => self.set(Attribute::MOUNT_ATTR_NODEV),
            "dev" => self.clear(Attribute::MOUNT_ATTR_NODEV),
            "noexec" => self.set(Attribute::MOUNT_ATTR_NOEXEC),
            "exec" => self.clear(Attribute::MOUNT_ATTR_NOEXEC),
            "nosymfollow" => self.set(Attribute::MOUNT_ATTR_NOSYMFOLLOW),
            "symfollow" => self.clear(Attribute::MOUNT_ATTR_NOSYMFOLLOW),
            "nodiratime" => self.set(Attribute::MOUNT_ATTR_NODIRATIME),
            "diratime" => self.clear(Attribute::MOUNT_ATTR_NODIRATIME),
            "noatime" => self.choose_atime(Attribute::MOUNT_ATTR_NOATIME),
            "strictatime" => self.choose_atime(Attribute::MOUNT_ATTR_STRICTATIME),
            // What the kernel takes where nothing is said.
            "relatime" | "atime" | "nostrictatime" => self.choose_atime(Attribute::MOUNT_ATTR_RELATIME),
            "norelatime" => {}
            _ => return false,
        }
        true
    }
}

/// Who hears of what is mounted below a mount later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    pub kind: Propagation,
    pub recursive: bool,
}

impl Sharing {
    pub const PRIVATE: Self = Self { kind: Propagation::PRIVATE, recursive: true };

    pub fn read(word: &str) -> Option<Self> {
        let (recursive, kind) = match word {
            "rprivate" | "rshared" | "rslave" | "runbindable" => (true, &word[1..]),
            _ => (false, word),
        };
        let kind = match kind {
            "private" => Propagation::PRIVATE,
            "shared" => Propagation::SHARED,
            "slave" => Propagation::DOWNSTREAM,
            "unbindable" => Propagation::UNBINDABLE,
            _ => return None,
        };
        Some(Self { kind, recursive })
    }

    pub fn is_shared(self) -> bool {
        self.kind == Propagation::SHARED
    }
}

impl Options {
    /// @returns why they can't be taken
    pub fn read(kind: &str, words: &[String]) -> Result<Self, String> {
        let mut options = Self { bind: (kind == "bind").then_some(false), ..Self::default() };
        for word in words {
            options.take(word)?;
        }
        Ok(options)
    }

    fn take(&mut self, word: &str) -> Result<(), String> {
        match word {
            "" | "defaults" | "async" | "nomand" => {}
            "bind" => self.bind = Some(self.bind.unwrap_or(false)),
            "rbind" => self.bind = Some(true),
            "remount" | "move" | "idmap" | "ridmap" | "tmpcopyup" | "copy-symlink" | "src-nofollow"
            | "dest-nofollow" => {
                return Err(format!("option {word:?} is not supported"));
            }
            _ => {
                if let Some(sharing) = Sharing::read(word) {
                    self.propagation.push(sharing);
                } else if !self.own.take(word) && !word.strip_prefix('r').is_some_and(|rest| self.recursive.take(rest))
                {
                    let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
                    self.data.push((name.to_owned(), value.map(str::to_owned)));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Options {
        let words: Vec<_> = words.split(',').map(str::to_owned).collect();
        Options::read("tmpfs", &words).expect("words")
    }

    #[test]
    fn a_word_sets_or_clears_an_attribute_of_the_mount_or_of_all_below() {
        let (none, rdonly) = (Attribute::empty(), Attribute::MOUNT_ATTR_RDONLY);
        let atime = Attribute::MOUNT_ATTR__ATIME;
        let table = [
            ("ro", rdonly, none),
            ("rw", none, rdonly),
            ("nosuid", Attribute::MOUNT_ATTR_NOSUID, none),
            ("suid", none, Attribute::MOUNT_ATTR_NOSUID),
            ("nodev", Attribute::MOUNT_ATTR_NODEV, none),
            ("dev", none, Attribute::MOUNT_ATTR_NODEV),
            ("noexec", Attribute::MOUNT_ATTR_NOEXEC, none),
            ("exec", none, Attribute::MOUNT_ATTR_NOEXEC),
            ("nosymfollow", Attribute::MOUNT_ATTR_NOSYMFOLLOW, none),
            ("nodiratime", Attribute::MOUNT_ATTR_NODIRATIME, none),
            ("diratime", none, Attribute::MOUNT_ATTR_NODIRATIME),
            ("noatime", Attribute::MOUNT_ATTR_NOATIME, atime),
            ("atime", none, atime),
            ("relatime", none, atime),
            ("strictatime", Attribute::MOUNT_ATTR_STRICTATIME, atime),
            ("nostrictatime", none, atime),
            ("norelatime", none, none),
        ];
        for (word, set, clear) in table {
            let wanted = Attributes { set, clear };
            let own = read(word);
            assert_eq!((own.own, own.recursive, own.data.len()), (wanted, Attributes::default(), 0), "{word}");
            let all = read(&format!("r{word}"));
            assert_eq!((all.own, all.recursive, all.data.len()), (Attributes::default(), wanted, 0), "r{word}");
        }
    }

    #[test]
    fn the_last_word_holds() {
        assert_eq!(read("ro,rw").own.set, Attribute::empty());
        assert_eq!(read("rw,ro").own.clear, Attribute::empty());
        assert_eq!(read("noatime,strictatime").own.set, Attribute::MOUNT_ATTR_STRICTATIME);
    }

    #[test]
    fn words_of_propagation_are_kept_in_their_order() {
        let slave = Sharing { kind: Propagation::DOWNSTREAM, recursive: true };
        let shared = Sharing { kind: Propagation::SHARED, recursive: false };
        assert_eq!(read("rslave,shared").propagation, [slave, shared]);
        assert_eq!(Sharing::read("rprivate"), Some(Sharing::PRIVATE));
        assert_eq!(Sharing::read("rpublic"), None);
    }

    #[test]
    fn a_bind_is_one_by_its_type_or_by_a_word() {
        assert_eq!(read("bind").bind, Some(false));
        assert_eq!(read("rbind,bind").bind, Some(true));
        assert_eq!(read("ro").bind, None);
        assert_eq!(Options::read("bind", &[]).expect("none").bind, Some(false));
    }

    #[test]
    fn what_is_no_word_of_mounts_is_the_file_systems() {
        let options = read("defaults,async,mode=755,newinstance,size=a=b");
        let wanted = [("mode", Some("755")), ("newinstance", None), ("size", Some("a=b"))];
        let wanted = wanted.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        assert_eq!(options.data, wanted);
        assert!(options.own.is_empty() && options.recursive.is_empty());
    }

    #[test]
    fn words_that_need_what_is_not_done_are_refused() {
        for word in ["remount", "idmap", "ridmap", "tmpcopyup", "copy-symlink"] {
            assert!(Options::read("bind", &[word.to_owned()]).is_err(), "{word}");
        }
    }
}
