//! Users and groups of a container's root. The files are the image maker's: read with a bound, never waited for, and by a
//! descriptor that does not lead out of the root.

use crate::error::ShimError;
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2},
    io::Errno,
};
use std::{fs::File, io::Read, path::Path};
use wire::ShimCreateContainerResult;

const MAX_FILE_BYTES: u64 = 1024 * 1024;
const LARGEST_ID: u64 = (1 << 31) - 1;

pub fn look_up(root: &Path, user: &str) -> Result<ShimCreateContainerResult, ShimError> {
    let (passwd, group) = (read_inside(root, "etc/passwd")?, read_inside(root, "etc/group")?);
    resolve(user, &passwd, &group)
}

/// "user", "user:group", "uid" or "uid:gid"; a number is never looked up as a name.
fn resolve(spec: &str, passwd: &str, group: &str) -> Result<ShimCreateContainerResult, ShimError> {
    let refused = |why| ShimError::Argument {
        doing: format!("look up user {:?}", spec.chars().take(64).collect::<String>()),
        why,
    };
    let (user, group_name) = spec.split_once(':').map_or((spec, None), |(user, group)| (user, Some(group)));
    let user = if user.is_empty() { "0" } else { user };
    let by_number = number(user).transpose().map_err(refused)?;
    let accounts = || passwd.lines().filter_map(Account::parse);
    let account = match by_number {
        Some(uid) => accounts().find(|account| account.uid == uid),
        None => accounts().find(|account| account.name == user),
    };
    let uid = by_number
        .or(account.as_ref().map(|account| account.uid))
        .ok_or_else(|| refused("the image's /etc/passwd does not name it"))?;
    let groups = || group.lines().filter_map(Group::parse);
    let gid = match group_name {
        None | Some("") => account.as_ref().map_or(0, |account| account.gid),
        Some(name) => match number(name).transpose().map_err(refused)? {
            Some(gid) => gid,
            None => groups()
                .find(|group| group.name == name)
                .map(|group| group.gid)
                .ok_or_else(|| refused("the image's /etc/group does not name the group"))?,
        },
    };
    let member =
        |name: &str| groups().filter(|group| group.members.contains(&name)).map(|group| group.gid).collect::<Vec<_>>();
    Ok(ShimCreateContainerResult {
        uid,
        gid,
        additional_gids: account.as_ref().map_or_else(Vec::new, |account| member(account.name)),
        home: account
            .map(|account| account.home.to_owned())
            .filter(|home| home.starts_with('/'))
            .unwrap_or_else(|| "/".into()),
    })
}

/// `None` for a name; an error for a number that is no id.
fn number(text: &str) -> Option<Result<u32, &'static str>> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        // "-1" and "0x0" are meant as numbers; as names they would only ever surprise.
        let looks_numeric = text.starts_with(['-', '+']) || text.starts_with(|first: char| first.is_numeric());
        return looks_numeric.then_some(Err("it is neither a name nor a decimal number"));
    }
    let id = text.parse::<u64>().ok().filter(|id| *id <= LARGEST_ID);
    Some(id.map(|id| id as u32).ok_or("it is not within 0 to 2147483647"))
}

struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl<'a> Account<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let id = |index: usize| number(fields.get(index)?)?.ok();
        Some(Self { name: fields.first()?, uid: id(2)?, gid: id(3)?, home: fields.get(5).copied().unwrap_or("/") })
    }
}

struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: Vec<&'a str>,
}

impl<'a> Group<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let members = fields.get(3).copied().unwrap_or("").split(',').map(str::trim).collect();
        Some(Self { name: fields.first()?, gid: number(fields.get(2)?)?.ok()?, members })
    }
}

/// "" for a file that is not there.
fn read_inside(root: &Path, name: &str) -> Result<String, ShimError> {
    let failed = |errno: Errno| ShimError::io(format!("read /{name} of {}", root.display()), errno);
    let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    // A pipe would wait for a writer that never comes.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match openat2(&root, name, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(String::new()),
        Err(errno) => return Err(failed(errno)),
    };
    let stat = fstat(&file).map_err(failed)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(ShimError::Argument { doing: format!("read /{name} of the image"), why: "it is no regular file" });
    }
    let mut bytes = Vec::new();
    File::from(file)
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| ShimError::io(format!("read /{name} of the image"), source))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ShimError::Argument { doing: format!("read /{name} of the image"), why: "it is over 1 MiB" });
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::resolve;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/var/www:/bin/sh\n1000:x:0:0::/:/bin/sh\nbroken\n";
    const GROUP: &str = "root:x:0:\nstaff:x:50:web,other\nextra:x:51:web\n";

    #[test]
    fn a_name_has_its_ids_its_home_and_the_groups_it_is_a_member_of() {
        let found = resolve("web", PASSWD, GROUP).expect("web");
        assert_eq!((found.uid, found.gid, found.home.as_str()), (33, 34, "/var/www"));
        assert_eq!(found.additional_gids, [50, 51]);
    }

    #[test]
    fn a_group_may_be_named_or_numbered() {
        assert_eq!(resolve("web:staff", PASSWD, GROUP).expect("staff").gid, 50);
        assert_eq!(resolve("7:8", PASSWD, GROUP).map(|found| (found.uid, found.gid)).expect("numbers"), (7, 8));
    }

    #[test]
    fn a_number_is_never_a_name() {
        assert_eq!(resolve("1000", PASSWD, GROUP).expect("1000").uid, 1000);
    }

    #[test]
    fn what_is_no_user_is_refused_and_never_root() {
        for bad in ["nobody", "web:none", "2147483648", "4294967296", "-1", "0x0", " 0", "٠", "web:-1"] {
            assert!(resolve(bad, PASSWD, GROUP).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_said_is_root() {
        assert_eq!(resolve("", "", "").map(|found| (found.uid, found.gid)).expect("root"), (0, 0));
    }
}
