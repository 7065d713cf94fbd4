//! What the process may do of what root may.

use crate::{error::RuntimeError, spec};
use rustix::{
    io::Errno,
    thread::{
        CapabilitySet, CapabilitySets, clear_ambient_capability_set, configure_capability_in_ambient_set,
        remove_capability_from_bounding_set, set_capabilities,
    },
};

#[derive(Debug, PartialEq, Eq)]
pub struct Capabilities {
    bounding: CapabilitySet,
    ambient: CapabilitySet,
    of_process: CapabilitySets,
}

impl Capabilities {
    pub fn read(names: &spec::Capabilities) -> Result<Self, RuntimeError> {
        Ok(Self {
            bounding: set_of(&names.bounding)?,
            ambient: set_of(&names.ambient)?,
            of_process: CapabilitySets {
                effective: set_of(&names.effective)?,
                permitted: set_of(&names.permitted)?,
                inheritable: set_of(&names.inheritable)?,
            },
        })
    }

    /// Drops what no program of the process is ever to get. Takes CAP_SETPCAP.
    pub fn bound(&self) -> Result<(), RuntimeError> {
        for capability in (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
            if self.bounding.contains(capability) {
                continue;
            }
            match remove_capability_from_bounding_set(capability) {
                Ok(()) => {}
                // The kernel has no more of them, with whatever name.
                Err(Errno::INVAL) => break,
                Err(errno) => {
                    return Err(RuntimeError::io(format!("drop {} for good", name_of(capability)), errno));
                }
            }
        }
        Ok(())
    }

    /// To be called when the user is set, with its permitted capabilities kept.
    pub fn set(&self) -> Result<(), RuntimeError> {
        set_capabilities(None, self.of_process).map_err(|errno| RuntimeError::io("set the capabilities", errno))?;
        clear_ambient_capability_set().map_err(|errno| RuntimeError::io("clear the ambient capabilities", errno))?;
        for capability in self.ambient.iter() {
            configure_capability_in_ambient_set(capability, true)
                .map_err(|errno| RuntimeError::io(format!("make {} ambient", name_of(capability)), errno))?;
        }
        Ok(())
    }
}

fn set_of(names: &[String]) -> Result<CapabilitySet, RuntimeError> {
    names.iter().try_fold(CapabilitySet::empty(), |set, name| {
        let capability = name.strip_prefix("CAP_").and_then(CapabilitySet::from_name);
        let capability = capability.ok_or_else(|| {
            RuntimeError::argument(format!("read capability {name:?}"), "there is no such capability")
        })?;
        Ok(set | capability)
    })
}

fn name_of(capability: CapabilitySet) -> String {
    match capability.iter_names().next() {
        Some((name, _)) => format!("CAP_{name}"),
        None => format!("capability {}", capability.bits().trailing_zeros()),
    }
}

#[cfg(test)]
mod tests {
    use super::{CapabilitySet, set_of};

    fn of(names: &[&str]) -> Result<CapabilitySet, String> {
        set_of(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_set_has_the_bits_of_its_names() {
        assert_eq!(
            of(&["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"]).map(|set| set.bits()),
            Ok(1 | 1 << 21 | 1 << 40)
        );
        assert_eq!(of(&[]).map(|set| set.bits()), Ok(0));
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        for name in ["CHOWN", "cap_chown", "CAP_", "CAP_ALL", "CAP_CHOWN|CAP_KILL", ""] {
            assert_eq!(of(&[name]), Err(format!("read capability {name:?}: there is no such capability")));
        }
    }

    #[test]
    fn a_capability_that_is_newer_than_this_program_is_named_by_its_number() {
        assert_eq!(super::name_of(CapabilitySet::NET_RAW), "CAP_NET_RAW");
        assert_eq!(super::name_of(CapabilitySet::from_bits_retain(1 << 45)), "capability 45");
    }
}
