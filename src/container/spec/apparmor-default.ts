// The AppArmor profile of RuntimeDefault. It needs no file of a distribution, and only rules that apparmor_parser knows from 3.0 on.
//
// Source of what is denied: the default profiles of Docker (moby/profiles, apparmor/template.go) and of containerd
// (contrib/apparmor/template.go), both of 2026. Unlike theirs, nothing of /proc but a process's own files may be written.

export const DEFAULT_PROFILE_NAME = "berth-default";

/** What is not named here is denied: pivot_root, and a change of the profile. */
export const DEFAULT_PROFILE = `profile ${DEFAULT_PROFILE_NAME} flags=(attach_disconnected, mediate_deleted) {
  capability,
  file,
  network,
  umount,
  unix,

  # Who runs the container may end it; its own processes are free among themselves.
  signal (receive) peer=unconfined,
  signal (receive) peer=crun,
  signal (receive) peer=runc,
  signal (send, receive) peer=${DEFAULT_PROFILE_NAME},
  ptrace (trace, read, tracedby, readby) peer=${DEFAULT_PROFILE_NAME},

  # Also where a capability would allow it.
  deny mount,

  # What is no process's is the node's: settings, the magic key, memory.
  deny /proc/[^0-9]** wkl,
  deny /proc/kcore rwkl,

  # Of /sys only cgroups may be written, which have a namespace of their own.
  deny /sys/[^f]** wkl,
  deny /sys/f[^s]** wkl,
  deny /sys/fs/[^c]** wkl,
  deny /sys/fs/c[^g]** wkl,
  deny /sys/firmware/** rwkl,
  deny /sys/devices/virtual/powercap/** rwkl,
  deny /sys/kernel/security/** rwkl,
}
`;
