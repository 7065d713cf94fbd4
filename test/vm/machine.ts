// The virtual machine: Debian's kernel on emulated processors, with a root disk that forgets and the tree that is tested.
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";

export interface Disks {
  /** a folder that make-image.sh has made */
  readonly image: string;
  /** a file that make-tree.sh has made */
  readonly tree: string;
  /** the third: what the machine writes on it stays */
  readonly kept?: string;
}

export interface Boot {
  /** the script of this folder that init.sh runs */
  readonly purpose: "tests" | "shell" | "conformance";
  /** of tests that are to be run alone */
  readonly files: readonly string[];
  /** gets all that the kernel says */
  readonly consolePath: string;
}

/** Starts it. Its second serial line is the child's standard input and output; it ends by itself when its init has. */
export function startMachine({ image, tree, kept }: Disks, { purpose, files, consolePath }: Boot, stdio: StdioOptions): ChildProcess {
  const words = ["console=ttyS0", "panic=-1", "mitigations=off", "apparmor=1", "security=apparmor", `berth.purpose=${purpose}`];
  if (files.length > 0) words.push(`berth.files=${files.join(",")}`);
  return spawn(
    "qemu-system-x86_64",
    [
      ["-nodefaults", "-no-user-config", "-display", "none"],
      // An older processor has fewer instructions to emulate.
      ["-machine", "pc", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "Nehalem", "-smp", "2", "-m", "3072"],
      ["-kernel", `${image}/vmlinuz`, "-initrd", `${image}/initramfs.gz`, "-append", words.join(" ")],
      // Written blocks go to a file without a name, which is there as long as the machine is, reboots included.
      ...[`${image}/root.ext4`, tree].map((file) => ["-drive", `file=${file},if=virtio,format=raw,snapshot=on,cache=unsafe`]),
      ...(kept === undefined ? [] : ["-drive", `file=${kept},if=virtio,format=raw,cache=unsafe`]),
      ["-serial", `file:${consolePath}`, "-serial", "stdio"],
    ].flat(),
    { stdio },
  );
}
