//! Who the process is.

use crate::{error::RuntimeError, spec::User};
use rustix::{
    fs::{FileType, Gid, Uid, fchown, fstat, makedev},
    io::Errno,
    stdio::{stderr, stdin, stdout},
    thread::{set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

/// @source Documentation/admin-guide/devices.txt: 1 char, 3 = /dev/null
const NULL: (u32, u32) = (1, 3);

/// A process opens its own streams anew by name (`/dev/stdout`), which only their owner may.
pub fn give_streams(user: &User) -> Result<(), RuntimeError> {
    for stream in [stdin(), stdout(), stderr()] {
        let failed = |errno| RuntimeError::io("give the user the standard streams", errno);
        let stat = match fstat(stream) {
            Err(Errno::BADF) => continue,
            other => other.map_err(failed)?,
        };
        let is_null = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
            && stat.st_rdev == makedev(NULL.0, NULL.1);
        if is_null || stat.st_uid == user.uid {
            continue;
        }
        // The group stays: a terminal has that of all terminals.
        match fchown(stream, Some(Uid::from_raw(user.uid)), None) {
            // What can't be given away is opened by those who may, or by nobody.
            Ok(()) | Err(Errno::INVAL | Errno::PERM | Errno::ROFS) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
    Ok(())
}

/// Those of whoever started us go, also where the process has none.
pub fn set_groups(user: &User) -> Result<(), RuntimeError> {
    let groups: Vec<Gid> = user.additional_gids.iter().copied().map(Gid::from_raw).collect();
    set_thread_groups(&groups)
        .map_err(|errno| RuntimeError::io(format!("set supplementary groups {:?}", user.additional_gids), errno))?;
    let gid = Gid::from_raw(user.gid);
    set_thread_res_gid(gid, gid, gid).map_err(|errno| RuntimeError::io(format!("set group {}", user.gid), errno))
}

/// The permitted capabilities stay; the effective ones of another user than root do not.
pub fn set_user(user: &User) -> Result<(), RuntimeError> {
    set_keep_capabilities(true).map_err(|errno| RuntimeError::io("keep the capabilities", errno))?;
    let uid = Uid::from_raw(user.uid);
    set_thread_res_uid(uid, uid, uid).map_err(|errno| RuntimeError::io(format!("set user {}", user.uid), errno))
}
