// One open folder of this machine, and what is done to names in it. A name stands in the folder that was opened, whatever becomes of
// the path to it meanwhile; and none of these follows a link.
import { constants, type Stats } from "node:fs";
import { type FileHandle, lchown, lstat, lutimes, mkdir, open, readdir, readlink, symlink, unlink } from "node:fs/promises";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** Names are latin1, as in a tar. */
export class Folder implements AsyncDisposable {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** @param path links in it are followed: it is what the caller of the command wrote */
  static async open(path: string): Promise<Folder> {
    return new Folder(await open(path, O_RDONLY | O_DIRECTORY));
  }

  async folder(name: string): Promise<Folder> {
    return new Folder(await open(this.#at(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  }

  makeFolder(name: string): Promise<void> {
    return mkdir(this.#at(name), 0o700);
  }

  /** Of a pipe that nobody writes to, it does not wait for somebody. */
  read(name: string): Promise<FileHandle> {
    return open(this.#at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  }

  /** New, for the name must be free. */
  create(name: string): Promise<FileHandle> {
    return open(this.#at(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  }

  link(name: string, target: string): Promise<void> {
    return symlink(Buffer.from(target, "latin1"), this.#at(name));
  }

  /** Also of a link itself. */
  own(name: string, uid: number, gid: number): Promise<void> {
    return lchown(this.#at(name), uid, gid);
  }

  /** Also of a link itself. */
  date(name: string, mtimeSeconds: number): Promise<void> {
    return lutimes(this.#at(name), mtimeSeconds, mtimeSeconds);
  }

  remove(name: string): Promise<void> {
    return unlink(this.#at(name));
  }

  /** undefined when there is nothing. */
  async look(name: string): Promise<Stats | undefined> {
    return await lstat(this.#at(name)).catch((failure: NodeJS.ErrnoException) => {
      if (failure.code === "ENOENT") return undefined;
      throw failure;
    });
  }

  async target(name: string): Promise<string> {
    return (await readlink(this.#at(name), { encoding: "buffer" })).toString("latin1");
  }

  async names(): Promise<string[]> {
    const names = await readdir(this.#path(), { encoding: "buffer" });
    return names.map((name) => name.toString("latin1")).sort();
  }

  get handle(): FileHandle {
    return this.#handle;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  // The kernel's own name of a descriptor. What is behind it is not looked for by a path.
  #path(): string {
    return `/proc/self/fd/${this.#handle.fd}`;
  }

  #at(name: string): Buffer {
    return Buffer.from(`${this.#path()}/${name}`, "latin1");
  }
}
