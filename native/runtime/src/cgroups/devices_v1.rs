//! Device rules as the devices controller of v1 takes them.

use super::device_rules::{Access, Kind, Rule, Rules};
use crate::error::RuntimeError;
use cgroup::{CgroupPath, Cgroups};
use rustix::{
    fs::{Mode, OFlags, open},
    io::write,
};
use std::{os::fd::OwnedFd, path::Path};

/// @param path of a cgroup that was made a moment ago: it allows what the pod's allows
pub fn apply(cgroups: &Cgroups, path: &CgroupPath, rules: &Rules) -> Result<(), RuntimeError> {
    if rules.allow_all() {
        return Ok(());
    }
    let mount = cgroups
        .mount_of("devices")
        .ok_or_else(|| RuntimeError::argument("limit devices", "this host has no controller of v1 for them"))?;
    let folder = path.under(mount);
    let (mut allow, mut deny) = (File::new(&folder, "devices.allow"), File::new(&folder, "devices.deny"));
    if !rules.others {
        deny.write("a")?;
    }
    for (index, rule) in rules.list.iter().enumerate() {
        // Of what it allows, the kernel takes back only the very same rule, and heeds no other without a word.
        let has_no_effect =
            !rule.allow && !rules.others && rules.list[..index].iter().any(|earlier| earlier.overlaps(rule));
        if has_no_effect {
            return Err(RuntimeError::argument(
                format!("deny device {}", text(rule)),
                "v1 can't take it from what is allowed",
            ));
        }
        if rule.allow { &mut allow } else { &mut deny }.write(&text(rule))?;
    }
    Ok(())
}

/// Opened with the first rule; each write is one.
struct File<'a> {
    folder: &'a Path,
    name: &'static str,
    file: Option<OwnedFd>,
}

impl<'a> File<'a> {
    fn new(folder: &'a Path, name: &'static str) -> Self {
        Self { folder, name, file: None }
    }

    fn write(&mut self, rule: &str) -> Result<(), RuntimeError> {
        let failed =
            |errno| RuntimeError::io(format!("write {rule:?} to {}/{}", self.folder.display(), self.name), errno);
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                open(self.folder.join(self.name), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?
            }
        };
        write(self.file.insert(file), rule.as_bytes()).map_err(failed)?;
        Ok(())
    }
}

impl Rule {
    /// Whether there is a device and an access that both are about.
    fn overlaps(&self, other: &Self) -> bool {
        let meet = |one: Option<u32>, two: Option<u32>| one.is_none() || two.is_none() || one == two;
        let (one, two) = (self.access, other.access);
        let access = one.read && two.read || one.write && two.write || one.make && two.make;
        self.kind == other.kind && meet(self.major, other.major) && meet(self.minor, other.minor) && access
    }
}

/// "c 136:* rwm"
fn text(rule: &Rule) -> String {
    let kind = match rule.kind {
        Kind::Character => 'c',
        Kind::Block => 'b',
    };
    let number = |number: Option<u32>| number.map_or_else(|| "*".into(), |number| number.to_string());
    let Access { read, write, make } = rule.access;
    let access: String = [(read, 'r'), (write, 'w'), (make, 'm')]
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .map(|(_, letter)| letter)
        .collect();
    format!("{kind} {}:{} {access}", number(rule.major), number(rule.minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_lines_of_kind_numbers_and_access() {
        let rule = |kind, major, minor, make| Rule {
            allow: true,
            kind,
            major,
            minor,
            access: Access { read: true, write: true, make },
        };
        assert_eq!(text(&rule(Kind::Character, Some(136), None, true)), "c 136:* rwm");
        assert_eq!(text(&rule(Kind::Block, Some(8), Some(16), false)), "b 8:16 rw");
    }
}
