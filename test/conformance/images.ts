// The images that critest and crictl's commands name, made here: nothing is fetched. They come in all forms that registries serve, and
// lists name a foreign architecture first, so that who takes the first entry is noticed.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { ourArchitecture } from "../lib/oci-image.ts";
import { makeTar, type TarEntry } from "../lib/tar.ts";
import { shellWithoutLs } from "./shell-without-ls.ts";

type Form = "docker" | "docker list" | "oci" | "oci index";

export interface ConformanceImage {
  readonly registry: string;
  readonly repository: string;
  readonly tags: readonly string[];
  readonly form: Form;
  /** tars */
  readonly layers: readonly Buffer[];
  readonly config: Readonly<Record<string, unknown>>;
}

const E2E = "registry.k8s.io/e2e-test-images";
const CRI_TOOLS = "gcr.io/k8s-staging-cri-tools";
const BENCHMARK = "public.ecr.aws/docker/library";

/** critest's names are constants: a node that is tested takes them from another registry. */
export const MIRRORED = ["registry.k8s.io", "gcr.io", "k8s.gcr.io", "public.ecr.aws"];

export const BUSYBOX = `${E2E}/busybox:1.29-2`;
export const WEB_SERVER = `${E2E}/nginx:1.14-2`;
export const SMALL = `${CRI_TOOLS}/test-image-1:latest`;

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
mail:x:8:8:mail:/var/spool/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
`;
const GROUP = `root:x:0:
daemon:x:1:
tty:x:5:
mail:x:8:
www-data:x:33:
nogroup:x:65534:
`;

/** @param programs the binary of programs.c */
export function conformanceImages(programs: Buffer): ConformanceImage[] {
  const base = baseLayer(programs);
  const file = (name: string, mode = 0o755): Buffer => makeTar([{ name, content: programs, mode }]);
  const own = (name: string): Buffer => makeTar([{ name: "image-name", content: `${name}\n` }]);
  const shell = { Cmd: ["sh"] };
  const web = file("usr/sbin/nginx");
  const predefined = makeTar([
    { name: "etc/passwd", content: `${PASSWD}default-user:x:1000:1000:Linux User,,,:/home/default-user:/bin/sh\n` },
    { name: "etc/group", content: `${GROUP}default-user:x:1000:\ngroup-defined-in-image:x:50000:default-user\n` },
    { name: "home/default-user/", isFolder: true },
  ]);
  const users = { uid: "1002", username: "www-data", "uid-group": "1003:1004", "username-group": "www-data:1004" };
  const small = (name: string, tags: string, form: Form = "oci") => image(`${CRI_TOOLS}/${name}:${tags}`, form, [base, own(name)], shell);
  return [
    image(BUSYBOX, "docker list", [base], shell),
    image(WEB_SERVER, "docker", [base, web], { Cmd: ["nginx"], ExposedPorts: { "80/tcp": {} }, StopSignal: "SIGTERM" }),
    image(`${E2E}/httpd:2.4.39-4`, "oci index", [base, file("usr/sbin/httpd")], {
      Cmd: ["/usr/sbin/httpd"],
      ExposedPorts: { "80/tcp": {} },
    }),
    image(`${E2E}/nonewprivs:1.3`, "oci", [base, file("nnp", 0o4755)], { Entrypoint: ["/nnp"] }),
    image("registry.k8s.io/pause:3.9", "oci index", [file("pause")], { Entrypoint: ["/pause"], User: "65535:65535" }),
    small("test-image-latest", "latest"),
    small("test-image-digest", "test"),
    image(`${CRI_TOOLS}/test-image-tag:test`, "oci", [base, own("test-image-tag:test")], shell),
    image(`${CRI_TOOLS}/test-image-tag:all`, "oci index", [base, own("test-image-tag:all")], shell),
    small("test-image-1", "latest"),
    small("test-image-2", "latest"),
    small("test-image-3", "latest"),
    small("test-image-tags", "1|2|3", "docker"),
    ...Object.entries(users).map(([suffix, User]) =>
      image(`${CRI_TOOLS}/test-image-user-${suffix}:latest`, "oci", [base], { ...shell, User }),
    ),
    image(`${CRI_TOOLS}/test-image-predefined-group:latest`, "oci", [base, predefined], { ...shell, User: "1000" }),
    image(`${CRI_TOOLS}/hostnet-nginx-${ourArchitecture}:latest`, "oci", [base, web], {
      Cmd: ["nginx", "12003"],
      ExposedPorts: { "12003/tcp": {} },
    }),
    // Its pull is timed, so it shares no layer with another.
    image(`${BENCHMARK}/busybox:1.35.0-glibc`, "oci", [baseLayer(programs, [{ name: "etc/unique", content: "not shared\n" }])], shell),
    ...["1-uclibc", "1", "1-glibc", "1-musl"].map((tag) => image(`${BENCHMARK}/busybox:${tag}`, "oci", [base, own(tag)], shell)),
  ];
}

function image(name: string, form: Form, layers: readonly Buffer[], config: Readonly<Record<string, unknown>>): ConformanceImage {
  const [, registry = "", repository = "", tags = ""] = /^([^/]+)\/(.+):([^:]+)$/.exec(name) ?? [];
  const Env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
  return { registry, repository, tags: tags.split("|"), form, layers, config: { Env, ...config } };
}

function baseLayer(programs: Buffer, more: readonly TarEntry[] = []): Buffer {
  const path = "/bin/busybox";
  const busybox = readFileSync(path);
  const applets = execFileSync(path, ["--list"], { encoding: "utf8" }).trim().split("\n");
  const folders = "bin dev etc home proc run sys usr usr/bin usr/sbin var var/log var/run var/spool var/spool/mail var/www".split(" ");
  return makeTar([
    ...folders.map((name) => ({ name: `${name}/`, isFolder: true })),
    { name: "root/", isFolder: true, mode: 0o700 },
    { name: "tmp/", isFolder: true, mode: 0o1777 },
    { name: "bin/busybox", content: busybox, mode: 0o755 },
    { name: "bin/sh", content: shellWithoutLs(busybox), mode: 0o755 },
    { name: "bin/ash", link: "sh" },
    ...applets.filter((name) => !["busybox", "sh", "ash"].includes(name)).map((name) => ({ name: `bin/${name}`, link: "busybox" })),
    // Debian's busybox lacks these two.
    { name: "bin/pgrep", content: programs, mode: 0o755 },
    { name: "bin/ipcs", link: "pgrep" },
    { name: "usr/bin/env", link: "../../bin/env" },
    { name: "etc/passwd", content: PASSWD },
    { name: "etc/group", content: GROUP },
    { name: "etc/hostname", content: "image\n" },
    { name: "etc/resolv.conf" },
    { name: "etc/shells", content: "/bin/sh\n" },
    ...more,
  ]);
}
