//! The container's cgroup: a leaf that is made with its first limits and taken away with the container. Every later change of a limit is
//! the helper's.

pub mod device_rules;
mod devices_v1;
pub mod devices_v2;
mod limits;
mod place;

pub use place::Place;

use crate::{error::RuntimeError, spec::Linux};
use cgroup::{CgroupPath, Cgroups};
use std::time::{Duration, Instant};

// Until all are killed. What is stuck in the kernel is the caller's to tell of.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes the leaf in every hierarchy, and applies the limits and the device rules. A failure leaves nothing behind.
pub fn make(linux: &Linux) -> Result<Place, RuntimeError> {
    let (cgroups, path) = (Cgroups::detect_once()?, CgroupPath::parse(&linux.cgroups_path)?);
    let made = cgroups.create_new(&path).map_err(RuntimeError::from).and_then(|()| set_up(&cgroups, &path, linux));
    if made.is_err() {
        // What there is to tell is why it could not be made.
        let _ = cgroups.remove_if_empty(&path);
    }
    made
}

fn set_up(cgroups: &Cgroups, path: &CgroupPath, linux: &Linux) -> Result<Place, RuntimeError> {
    limits::apply(cgroups, path, &linux.resources)?;
    let rules = device_rules::of(&linux.resources.devices)?;
    let place = Place::open(cgroups, path)?;
    match place.v2_folder() {
        Some(folder) => devices_v2::apply(folder, &rules)?,
        None => devices_v1::apply(cgroups, path, &rules)?,
    }
    Ok(place)
}

/// The cgroup of a container that runs. @param sub below it, on a v2 host
pub fn open(cgroups_path: &str, sub: Option<&str>) -> Result<Place, RuntimeError> {
    let path = match sub {
        Some(sub) => format!("{cgroups_path}/{sub}"),
        None => cgroups_path.to_owned(),
    };
    Place::open(&Cgroups::detect_once()?, &CgroupPath::parse(&path)?)
}

/// Kills what is in it, and removes it. One that is not there is fine.
pub fn remove(cgroups_path: &str) -> Result<(), RuntimeError> {
    let (cgroups, path) = (Cgroups::detect_once()?, CgroupPath::parse(cgroups_path)?);
    // In most cases all has ended.
    if !cgroups.remove_if_empty(&path)? {
        cgroups.kill(&path, Instant::now() + KILL_TIMEOUT)?;
        cgroups.remove(&path)?;
    }
    Ok(())
}
