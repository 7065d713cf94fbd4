//! berth-pod-init is PID 1 of a PID namespace that containers of a pod share. It does nothing: what is left to it the kernel
//! reaps, because the shim had SIGCHLD ignored before it ran this program, and whatever a container may do to it gains
//! nothing, because it has nothing. It is a kilobyte or two, without any library.
#![no_std]
#![no_main]

bare::start_with!(wait_for_ever);

fn wait_for_ever() {
    if !bare::become_undumpable() {
        return;
    }
    // A program that is run by its descriptor has the descriptor's number for a name with older kernels.
    bare::set_name(c"berth-pod-init");
    // It is in no cgroup of the pod: processes that a container with SYS_PTRACE made it fork would be held by no limit of the
    // pod. A host without seccomp has one wall fewer.
    bare::allow_only_read_and_write();
    // A pipe of which it has both ends: nothing comes, and it never ends.
    bare::read_to_the_end();
}

// A check of all targets brings the standard library, which has its own.
#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    bare::stop()
}
