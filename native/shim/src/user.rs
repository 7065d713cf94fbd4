//! Users and groups of a container's root. The files are the image maker's: read with a bound, never waited for, and by a
//! descriptor that does not lead out of the root.

use crate::{error::ShimError, open_in_root::open_in_root};
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fstat, openat},
    io::Errno,
};
use std::{fs::File, io::Read, path::Path};
use wire::ShimCreateContainerResult;

const MAX_FILE_BYTES: u64 = 1024 * 1024;
const LARGEST_ID: u64 = (1 << 31) - 1;

pub fn look_up(root: &Path, user: &str) -> Result<ShimCreateContainerResult, ShimError> {
    let (passwd, group) = (read_inside(root, "etc/passwd")?, read_inside(root, "etc/group")?);
    check_group_names(&group)?;
    resolve(user, &passwd, &group)
}

/// runc 1.1 looks for each of a process's groups among the names first, though it is given numbers: a group that is called "1000"
/// and is 0 would make a member of 0 of whoever is to be in 1000.
fn check_group_names(group: &str) -> Result<(), ShimError> {
    let is_number = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let is_misleading = |group: Group| is_number(group.name) && group.name != group.gid.to_string();
    if group.lines().filter_map(Group::parse).any(is_misleading) {
        return Err(ShimError::Argument {
            doing: "read /etc/group of the image".into(),
            why: "it gives the number of one group to another as its name",
        });
    }
    Ok(())
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
            .filter(|home| home.starts_with('/') && !home.contains('\0'))
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
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match open_in_root(&root, name, flags) {
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
    use super::{check_group_names, resolve};

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
    fn a_group_that_has_the_number_of_another_for_its_name_is_refused() {
        for (group, good) in
            [("1000:x:1000:", true), ("1000:x:0:", false), ("a:x:0:\n2:x:1:", false), ("3proxy:x:1:", true)]
        {
            assert_eq!(check_group_names(group).is_ok(), good, "{group:?}");
        }
    }

    #[test]
    fn what_is_no_user_is_refused_and_never_root() {
        for bad in ["nobody", "web:none", "2147483648", "4294967296", "-1", "0x0", " 0", "٠", "web:-1"] {
            assert!(resolve(bad, PASSWD, GROUP).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_home_is_a_path_that_a_variable_can_hold() {
        for (field, home) in [("/home/a", "/home/a"), ("home", "/"), ("", "/"), ("/a\0b", "/")] {
            assert_eq!(resolve("a", &format!("a:x:1:1::{field}:/bin/sh"), "").expect("a").home, home, "{field:?}");
        }
    }

    /// The same rules, said in another way: fields by their positions, numbers by their digits.
    fn reference(spec: &str, passwd: &str, group: &str) -> Option<(u32, u32, Vec<u32>)> {
        enum Word {
            Number(u32),
            Name,
            Neither,
        }
        let word = |text: &str| match text.chars().next() {
            Some(_) if text.chars().all(|each| each.is_ascii_digit()) => {
                let digits = text.trim_start_matches('0');
                let value = digits.chars().fold(0_u128, |sum, each| {
                    sum.saturating_mul(10).saturating_add(u128::from(each as u32 - '0' as u32))
                });
                if value < 1 << 31 { Word::Number(value as u32) } else { Word::Neither }
            }
            Some(first) if first == '-' || first == '+' || first.is_numeric() => Word::Neither,
            _ => Word::Name,
        };
        let id = |text: &str| if let Word::Number(id) = word(text) { Some(id) } else { None };
        let rows = |file: &str| {
            file.lines().map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        let accounts: Vec<(String, u32, u32)> = rows(passwd)
            .into_iter()
            .filter(|row| row.len() > 3)
            .filter_map(|row| Some((row[0].clone(), id(&row[2])?, id(&row[3])?)))
            .collect();
        let groups: Vec<(String, u32, Vec<String>)> = rows(group)
            .into_iter()
            .filter(|row| row.len() > 2)
            .filter_map(|row| {
                let members = row.get(3).map_or("", |members| members.as_str());
                Some((row[0].clone(), id(&row[2])?, members.split(',').map(|name| name.trim().to_owned()).collect()))
            })
            .collect();
        let colon = spec.find(':');
        let (user, wanted) = (&spec[..colon.unwrap_or(spec.len())], colon.map_or("", |at| &spec[at + 1..]));
        let (uid, account) = match word(if user.is_empty() { "0" } else { user }) {
            Word::Number(uid) => (uid, accounts.iter().find(|row| row.1 == uid)),
            Word::Name => accounts.iter().find(|row| row.0 == user).map(|row| (row.1, Some(row)))?,
            Word::Neither => return None,
        };
        let gid = match word(wanted) {
            _ if wanted.is_empty() => account.map_or(0, |row| row.2),
            Word::Number(gid) => gid,
            Word::Name => groups.iter().find(|row| row.0 == wanted)?.1,
            Word::Neither => return None,
        };
        let more = account.map_or(Vec::new(), |(name, ..)| {
            groups.iter().filter(|row| row.2.contains(name)).map(|row| row.1).collect()
        });
        Some((uid, gid, more))
    }

    /// Words that have been somebody's mistake, put together by a generator; every one of its texts gives the same twice.
    #[test]
    fn whatever_user_and_files_say_two_readings_of_the_rules_agree() {
        const WORDS: [&str; 26] = [
            "root",
            "web",
            "a",
            "0",
            "00",
            "1",
            "7",
            "1000",
            "2147483647",
            "2147483648",
            "4294967295",
            "4294967296",
            "18446744073709551616",
            "-1",
            "+0",
            "0x0",
            " 0",
            "0 ",
            "\u{660}",
            "",
            "\0",
            "nobody",
            "web,a",
            "x",
            ":",
            "²",
        ];
        let mut state = 20_u64;
        let mut below = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % bound
        };
        let (mut found, mut refused) = (0, 0);
        for _ in 0..50_000 {
            let mut file = || {
                let lines = (0..below(4))
                    .map(|_| (0..2 + below(6)).map(|_| WORDS[below(WORDS.len())]).collect::<Vec<_>>().join(":"));
                lines.collect::<Vec<_>>().join("\n")
            };
            let (passwd, group) = (file(), file());
            let spec = (0..1 + below(2)).map(|_| WORDS[below(WORDS.len())]).collect::<Vec<_>>().join(":");
            let ours = resolve(&spec, &passwd, &group).ok().map(|user| (user.uid, user.gid, user.additional_gids));
            if ours.is_some() {
                found += 1
            } else {
                refused += 1
            }
            assert_eq!(ours, reference(&spec, &passwd, &group), "{spec:?} in {passwd:?} and {group:?}");
        }
        assert!(found > 2_000 && refused > 2_000, "{found} found, {refused} refused");
    }

    #[test]
    fn nothing_said_is_root() {
        assert_eq!(resolve("", "", "").map(|found| (found.uid, found.gid)).expect("root"), (0, 0));
    }
}
