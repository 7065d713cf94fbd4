// What is mounted where, as the kernel tells it.
// @source proc_pid_mountinfo(5)

export interface Mount {
  readonly mountpoint: string;
  /** "ext4" */
  readonly type: string;
  /** "/dev/sda1", or the word that a file system without one has */
  readonly device: string;
  /** of the file system, not of the mount */
  readonly options: readonly string[];
  readonly isShared: boolean;
}

/** In the order of the kernel: of two at one place the later one is seen. */
export const parseMountinfo = (text: string): Mount[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map(parseMount);

function parseMount(line: string): Mount {
  const [left = "", right = ""] = line.split(" - ");
  const [, , , , mountpoint, , ...propagation] = left.split(" ");
  const [type = "", device, options = ""] = right.split(" ");
  return {
    mountpoint: plain(mountpoint),
    type,
    device: plain(device),
    options: options.split(","),
    isShared: propagation.some((field) => field.startsWith("shared:")),
  };
}

/** Blanks in names are written as octal numbers. */
const plain = (text = ""): string => text.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
