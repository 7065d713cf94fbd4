//! A profile as the kernel takes it: libseccomp's work, with what other runtimes make of a profile's words.

use crate::{
    error::RuntimeError,
    seccomp::newer_calls::refusal,
    spec::{Seccomp, SeccompArgument, SeccompCalls},
};
use libseccomp::{
    ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall, error::SeccompError,
};
use rustix::{
    fs::{MemfdFlags, memfd_create},
    io::Errno,
};
use std::{
    fs::File,
    io::{Read, Seek},
};

/// @source include/linux/err.h, MAX_ERRNO: the kernel makes it of any greater one
const MOST_ERRNO: u32 = 4095;

/// @returns for seccomp(2)
pub fn flags(profile: &Seccomp) -> Result<u64, RuntimeError> {
    profile.flags.iter().try_fold(0, |flags, name| match name.as_str() {
        // All threads at once: there is one.
        "SECCOMP_FILTER_FLAG_TSYNC" => Ok(flags),
        "SECCOMP_FILTER_FLAG_LOG" => Ok(flags | sys::seccomp::LOG),
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => Ok(flags | sys::seccomp::SPEC_ALLOW),
        _ => Err(refused(format!("flag {name:?} is not known"))),
    })
}

/// @returns instructions of 8 bytes (`struct sock_filter`)
pub fn program(profile: &Seccomp) -> Result<Vec<u8>, RuntimeError> {
    let default = action(&profile.default_action, profile.default_errno_ret)?;
    let mut filter = ScmpFilterContext::new(default).map_err(failed)?;
    let architectures = architectures(&profile.architectures)?;
    for architecture in &architectures {
        filter.add_arch(*architecture).map_err(failed)?;
    }
    for rule in &profile.syscalls {
        add(&mut filter, rule, default)?;
    }
    let names: Vec<&str> = profile.syscalls.iter().flat_map(|rule| &rule.names).map(String::as_str).collect();
    let mut program: Vec<u8> = refusal(default, &architectures, &names).iter().flat_map(|each| each.bytes()).collect();
    program.extend(exported(&filter)?);
    Ok(program)
}

/// The node's own, and those of the profile.
fn architectures(names: &[String]) -> Result<Vec<ScmpArch>, RuntimeError> {
    let named =
        names.iter().map(|name| name.parse().map_err(|_| refused(format!("architecture {name:?} is not known"))));
    std::iter::once(Ok(ScmpArch::native())).chain(named).collect()
}

fn add(filter: &mut ScmpFilterContext, rule: &SeccompCalls, default: ScmpAction) -> Result<(), RuntimeError> {
    let action = action(&rule.action, rule.errno_ret)?;
    // What is done anyway; libseccomp takes no such rule.
    if action == default {
        return Ok(());
    }
    let alternatives = conditions(&rule.args)?;
    for name in &rule.names {
        // Profiles name calls of many kernels, and of many architectures.
        let Ok(call) = ScmpSyscall::from_name(name) else { continue };
        for conditions in &alternatives {
            filter
                .add_rule_conditional(action, call, conditions)
                .map_err(|source| refused(format!("rule for {name}: {source}")))?;
        }
    }
    Ok(())
}

/// Without a number an error is EPERM.
fn action(name: &str, number: Option<u32>) -> Result<ScmpAction, RuntimeError> {
    let number = number.unwrap_or(Errno::PERM.raw_os_error().unsigned_abs());
    if number > MOST_ERRNO {
        return Err(refused(format!("error {number} is over {MOST_ERRNO}")));
    }
    if name == "SCMP_ACT_NOTIFY" {
        return Err(refused("action \"SCMP_ACT_NOTIFY\" needs somebody who answers, and there is nobody".into()));
    }
    ScmpAction::from_str(name, i32::try_from(number).ok()).map_err(|_| refused(format!("action {name:?} is not known")))
}

/// Lists of which one has to be true as a whole. libseccomp takes one condition of an argument in a rule; where a profile has more,
/// other runtimes take any of the rule's conditions for enough, and profiles count on it.
fn conditions(args: &[SeccompArgument]) -> Result<Vec<Vec<ScmpArgCompare>>, RuntimeError> {
    let all = args.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
    let repeats = args.iter().enumerate().any(|(at, arg)| args[..at].iter().any(|other| other.index == arg.index));
    Ok(if repeats { all.into_iter().map(|one| vec![one]).collect() } else { vec![all] })
}

fn condition(arg: &SeccompArgument) -> Result<ScmpArgCompare, RuntimeError> {
    Ok(match arg.op.parse() {
        Ok(ScmpCompareOp::MaskedEqual(_)) => {
            ScmpArgCompare::new(arg.index, ScmpCompareOp::MaskedEqual(arg.value), arg.value_two)
        }
        Ok(operator) => ScmpArgCompare::new(arg.index, operator, arg.value),
        Err(_) => return Err(refused(format!("operator {:?} is not known", arg.op))),
    })
}

fn exported(filter: &ScmpFilterContext) -> Result<Vec<u8>, RuntimeError> {
    // An older library writes to nothing but a descriptor.
    let doing = "take the seccomp filter";
    let file = memfd_create("seccomp", MemfdFlags::CLOEXEC).map_err(|errno| RuntimeError::io(doing, errno))?;
    filter.export_bpf(&file).map_err(failed)?;
    let mut program = Vec::new();
    let mut file = File::from(file);
    file.rewind().and_then(|()| file.read_to_end(&mut program)).map_err(|source| RuntimeError::io(doing, source))?;
    Ok(program)
}

fn failed(source: SeccompError) -> RuntimeError {
    refused(source.to_string())
}

fn refused(why: String) -> RuntimeError {
    RuntimeError::argument("compile the seccomp profile", why)
}
